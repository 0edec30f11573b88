"""Sobol points: they fill the space more evenly than independent draws do.

I. M. Sobol', USSR Comput. Math. Math. Phys. 7 (1967); scrambled as in A. B. Owen, J. Complexity 14 (1998).
"""

from collections.abc import Sequence

from scipy.stats.qmc import Sobol

from hpsearch.contract import Config
from hpsearch.samplers.protocol import Sampler
from hpsearch.seeds import stream
from hpsearch.space.beliefs import prior_of
from hpsearch.space.spec import Space
from hpsearch.trial import FinishedTrial, PendingTrial


class SobolSampler(Sampler):
    """Trial ``number`` is that point of one scrambled sequence, which the seed of the space determines.

    The sequence fills the unit cube; the prior's quantile map takes it to where the prior believes.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._prior = prior_of(space)

    def suggest(self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial], number: int) -> Config:
        """Return point ``number``; the history plays no part."""
        names = self._space.searched
        if not names:
            return self._space.config_from_units({})
        points = Sobol(len(names), scramble=True, seed=stream(self._space.seed, "sobol"))
        if number:  # SciPy cannot skip zero points
            points.fast_forward(number)
        return self._space.config_from_units(self._prior.places(points.random(1)[0]))
