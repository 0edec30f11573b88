"""The sampler that a space names."""

from hpsearch.samplers.factorial import FactorialSampler
from hpsearch.samplers.grid import GridSampler
from hpsearch.samplers.protocol import Sampler
from hpsearch.samplers.random_search import RandomSampler
from hpsearch.samplers.start_with import StartWith
from hpsearch.space.spec import Space


def make_sampler(space: Space) -> Sampler:
    """Build the sampler of ``space``; its ``start_with`` entries are proposed first."""
    return StartWith(space, _by_name(space))


def _by_name(space: Space) -> Sampler:
    """Build the sampler itself. SciPy and Optuna take a second to import: only where they are needed."""
    match space.sampler.name:
        case "random":
            return RandomSampler(space)
        case "grid":
            return GridSampler(space)
        case "factorial":
            return FactorialSampler(space)
        case "sobol":
            from hpsearch.samplers.quasi_random import SobolSampler

            return SobolSampler(space)
        case "tpe" | "gp":
            from hpsearch.samplers.optuna_samplers import OptunaSampler

            return OptunaSampler(space)
