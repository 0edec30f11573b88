"""Independent uniform draws, each on the scale of its parameter."""

from collections.abc import Mapping, Sequence

from hpsearch.contract import Config
from hpsearch.seeds import stream
from hpsearch.space.spec import Space
from hpsearch.trial import FinishedTrial, PendingTrial


class RandomSampler:
    """Draws every parameter independently; trial ``number`` has a random stream of its own."""

    def __init__(self, space: Space) -> None:
        self._space = space

    def suggest(self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial], number: int) -> Config:
        """Return the draw of trial ``number``; the history plays no part."""
        return self._space.config_from_units(self.units(number))

    def units(self, number: int) -> Mapping[str, float]:
        """Return one uniform number for each searched parameter."""
        names = self._space.searched
        draws = stream(self._space.seed, "sampler", number).random(len(names))
        return dict(zip(names, draws.tolist(), strict=True))
