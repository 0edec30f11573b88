"""The surface around the best settings of a study.

Over all trials a loss is no quadratic: it has walls, where a training hardly learns. So the surface is fitted to a
window of the trials. Were that the best by their losses, the lucky ones would be in it and the walls flattened; so it
is chosen by a quadratic fitted to the *ranks* of all losses (W. J. Conover and R. L. Iman, The American Statistician
35, 1981), that is by where a setting lies and not by what it happened to reach.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hpsearch.analysis.flat_axes import Places, coefficients
from hpsearch.analysis.quadratic import Quadratic, change
from hpsearch.space.axes import Floats
from hpsearch.statistics.ranks import ranks

WINDOW = 0.5
"""Share of the trials."""
LEAST_PER_COEFFICIENT = 3
"""The window has no fewer trials than so many for each coefficient."""
LOWEST, LEAST_LOWEST = 0.1, 5
"""Share of all trials that are taken for the best, and how many at least."""
SLACK = 1e-9


@dataclass(frozen=True)
class Neighbourhood:
    """The trials in the window and the surface through them.

    ``z`` (n, 4) are their places in octaves, ``residuals`` (n,) what they lost more than the surface says. ``lowest``
    (m,) are the positions, among all trials, of those where the surface is lowest, and ``best`` (4,) is the middle of
    these: along a flat direction the one lowest place would be anywhere, and mostly at an end.
    """

    surface: Quadratic
    z: Floats
    residuals: Floats
    lowest: npt.NDArray[np.intp]
    best: Floats

    @classmethod
    def of(cls, places: Places, share: float = WINDOW) -> "Neighbourhood":
        """Choose the window and fit the surface."""
        order = Quadratic.fit(places.z, ranks(places.losses)).at(places.z)
        least = LEAST_PER_COEFFICIENT * coefficients(places.levels)
        kept = np.argsort(order, kind="stable")[: max(least, math.ceil(share * len(order)))]
        z, losses = places.z[kept], places.losses[kept]
        surface = Quadratic.fit(z, losses)
        fitted = surface.at(z)
        lowest = np.argsort(fitted, kind="stable")[: max(LEAST_LOWEST, round(LOWEST * len(order)))]
        return cls(surface, z, losses - fitted, kept[lowest], z[lowest].mean(axis=0))

    def reach(self, step: Floats) -> tuple[float, float]:
        """Return how many times a ``step`` (4,) leads to the end of the trials, back (0 or below) and forward."""
        return reach(self.z, self.best, step)

    def ways(self, step: Floats) -> tuple[int, ...]:
        """Return the ways, 1 and -1, in which a whole ``step`` (4,) from the best place stays within the trials."""
        return ways(self.z, self.best, step)

    def cost(self, step: Floats) -> Floats:
        """Return the contrast that is the mean change over these ways, of which there is one at least."""
        mean: Floats = np.mean([change(self.best, way * step) for way in self.ways(step)], axis=0)
        return mean


def reach(z: Floats, place: Floats, step: Floats) -> tuple[float, float]:
    """Return how many times a ``step`` (4,) from ``place`` leads to the ends of the axes of ``z`` (n, 4)."""
    moving = step != 0
    ends = np.array([z.min(axis=0), z.max(axis=0)])[:, moving]
    times = (ends - place[moving]) / step[moving]
    return float(times.min(axis=0).max()), float(times.max(axis=0).min())


def ways(z: Floats, place: Floats, step: Floats) -> tuple[int, ...]:
    """Return the ways, 1 and -1, in which a whole ``step`` (4,) from ``place`` stays within ``z`` (n, 4)."""
    back, forward = reach(z, place, step)
    return tuple(way for way, room in ((1, forward), (-1, -back)) if room >= 1 - SLACK)
