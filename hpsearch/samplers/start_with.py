"""The user's own settings first, then a sampler."""

from collections.abc import Sequence

from hpsearch.contract import Config
from hpsearch.samplers.protocol import Sampler
from hpsearch.samplers.random_search import RandomSampler
from hpsearch.space.spec import Space
from hpsearch.trial import FinishedTrial, PendingTrial


class StartWith(Sampler):
    """Proposes the entries of ``start_with`` as the first trials, and leaves the rest to ``sampler``."""

    def __init__(self, space: Space, sampler: Sampler) -> None:
        self._space = space
        self._sampler = sampler
        self._fill = RandomSampler(space)

    def suggest(self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial], number: int) -> Config:
        """Return entry ``number``, its gaps filled by a random draw, or the sampler's suggestion after the last entry.

        What an entry says about a parameter whose condition fails has no effect.
        """
        if number >= len(self._space.start_with):
            return self._sampler.suggest(history, pending, number)
        entry = self._space.start_with[number]
        units = self._fill.units(number)
        return self._space.config(
            lambda name, parameter: (
                parameter.canonical(entry[name]) if name in entry else parameter.from_unit(units.get(name, 0.0))
            )
        )

    def is_whole(self, number: int) -> bool:
        """Whether the sampler's design is complete, behind the entries."""
        return self._sampler.is_whole(number)

    def grade(self, history: Sequence[FinishedTrial]) -> float | None:
        """Return the grade that the sampler gives its prior."""
        return self._sampler.grade(history)
