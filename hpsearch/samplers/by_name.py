"""The sampler that a space names."""

from hpsearch.samplers.factorial import FactorialSampler
from hpsearch.samplers.grid import GridSampler
from hpsearch.samplers.protocol import Sampler
from hpsearch.samplers.random_search import RandomSampler
from hpsearch.samplers.start_with import StartWith
from hpsearch.space.beliefs import centre, prior_of
from hpsearch.space.spec import Space


def make_sampler(space: Space) -> Sampler:
    """Build the sampler of ``space``; its ``start_with`` entries are proposed first."""
    return StartWith(space, _by_name(space))


def _by_name(space: Space) -> Sampler:
    """Build the sampler itself. SciPy, Optuna and torch take seconds to import: only where they are needed."""
    match space.sampler.name:
        case "grid":
            return GridSampler(space)
        case "factorial":
            return FactorialSampler(space)
        case "tpe" | "gp":
            from hpsearch.samplers.optuna_samplers import OptunaSampler

            return OptunaSampler(space)
        case "random":
            return _graded(space, RandomSampler(space))
        case "sobol":
            from hpsearch.samplers.quasi_random import SobolSampler

            return _graded(space, SobolSampler(space))
        case "doubling":
            from hpsearch.samplers.doubling import DoublingSampler

            return _graded(space, DoublingSampler(space, centre(space)))
        case "hpsearch":
            from hpsearch.samplers.informed import InformedSampler

            return InformedSampler(space)


def _graded(space: Space, sampler: Sampler) -> Sampler:
    prior = prior_of(space)
    if not prior.informed:
        return sampler
    from hpsearch.samplers.grade import Grade, Graded
    from hpsearch.samplers.model import Model

    return Graded(sampler, Grade(prior, Model(space)))
