"""Post 5's search as a sampler of its own."""

from collections.abc import Collection, Sequence

from hpsearch.contract import Config
from hpsearch.samplers.descent import losses, moves
from hpsearch.samplers.protocol import Sampler
from hpsearch.samplers.random_search import RandomSampler
from hpsearch.space.spec import Space
from hpsearch.trial import FinishedTrial, Key, PendingTrial, key

DRAWS = 64
"""Random draws among which one that has not run is looked for, when the search has come to its end."""


class DoublingSampler(Sampler):
    """Begins at ``centre``, or at the best of the settings of ``start_with`` where that is better.

    When every step has been tried, the rest are random draws.
    """

    def __init__(self, space: Space, centre: Config) -> None:
        self._space = space
        self._centre = centre
        self._random = RandomSampler(space)

    def suggest(self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial], number: int) -> Config:
        """Return the setting that the search needs first and that is in neither list."""
        own = len(self._space.start_with)
        entries = sorted((trial for trial in history if trial.number < own), key=lambda trial: trial.number)
        values = losses(history, self._space.objective)
        taken = {trial.key for trial in pending}
        starts = [self._centre, *(trial.config for trial in entries)]
        for config in moves(self._space, starts, values, taken):
            return config
        return self._drawn({*values, *taken}, number)

    def _drawn(self, taken: Collection[Key], number: int) -> Config:
        """Return the first draw, from that of ``number`` on, that has not run; any, where all have."""
        configs = (self._random.suggest([], [], later) for later in range(number, number + DRAWS))
        return next((config for config in configs if key(config) not in taken), self._random.suggest([], [], number))
