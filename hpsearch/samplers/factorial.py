"""A two-level factorial design, run after run, and then all of it again with other seeds."""

from collections.abc import Sequence

from hpsearch.contract import Config
from hpsearch.samplers.protocol import Sampler
from hpsearch.seeds import stream
from hpsearch.space.design import columns, design
from hpsearch.space.factorial import factors
from hpsearch.space.spec import Space
from hpsearch.trial import FinishedTrial, PendingTrial


class FactorialSampler(Sampler):
    """The trials after those of ``start_with`` go through the runs of the design, round and round.

    Their order is drawn from the seed of the space, so that a machine that becomes slower or warmer is no effect.
    """

    def __init__(self, space: Space) -> None:
        runs = space.sampler.design_runs
        found = factors(space.parameters, runs)
        levels = design(columns(len(found), runs), runs)
        order = stream(space.seed, "factorial").permutation(runs)
        self.configs = [_config(space, dict(zip(found, row, strict=True))) for row in levels[order].tolist()]
        self._first = len(space.start_with)

    def suggest(self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial], number: int) -> Config:
        """Return the run of trial ``number``; the history plays no part."""
        return self.configs[(number - self._first) % len(self.configs)]


def _config(space: Space, levels: dict[str, int]) -> Config:
    return space.config(lambda name, parameter: parameter.from_unit(0.0 if levels.get(name, 1) > 0 else 0.5))
