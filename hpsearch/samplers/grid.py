"""Every combination in turn, and then all of them again: the repeats have other seeds, which follow from the number."""

from collections.abc import Sequence

from hpsearch.contract import Config
from hpsearch.samplers.protocol import Sampler
from hpsearch.space.grid import combinations
from hpsearch.space.spec import Space
from hpsearch.trial import FinishedTrial, PendingTrial


class GridSampler(Sampler):
    """The trials after those of ``start_with`` go through the combinations of the space, round and round."""

    def __init__(self, space: Space) -> None:
        self._combinations = combinations(space.parameters)
        self._first = len(space.start_with)

    def is_whole(self, number: int) -> bool:
        """Whether every combination has been proposed."""
        return number - self._first >= len(self._combinations)

    def suggest(self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial], number: int) -> Config:
        """Return the combination of trial ``number``; the history plays no part."""
        return self._combinations[(number - self._first) % len(self._combinations)]
