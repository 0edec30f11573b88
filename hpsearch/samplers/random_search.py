"""Independent draws from the prior: uniform on the scale of each parameter, where nothing is believed."""

from collections.abc import Mapping, Sequence

from hpsearch.contract import Config
from hpsearch.samplers.protocol import Sampler
from hpsearch.seeds import stream
from hpsearch.space.beliefs import prior_of
from hpsearch.space.spec import Space
from hpsearch.trial import FinishedTrial, PendingTrial


class RandomSampler(Sampler):
    """Draws every trial independently, each from a random stream of its own."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._prior = prior_of(space)

    def suggest(self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial], number: int) -> Config:
        """Return the draw of trial ``number``; the history plays no part."""
        return self._space.config_from_units(self.units(number))

    def units(self, number: int) -> Mapping[str, float]:
        """Return the place of each searched parameter."""
        return self._prior.places(stream(self._space.seed, "sampler", number).random(len(self._space.searched)))
