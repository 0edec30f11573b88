"""How well one ranking foretells another, also where only the better ones were looked at twice.

r        Spearman's rank correlation of the n settings that have both values
u        spread of the first value among all settings over that among these n (of normal scores, so that one bad outlier
         does not decide)
r_all    r u / sqrt(1 + r^2 (u^2 - 1)): what r would be had all settings been looked at twice. Who goes on is chosen by
         the first value, which makes r too small; the regression on that value it leaves alone (R. L. Thorndike,
         Personnel Selection, 1949, case 2)

The interval is Fisher's for r, z = atanh(r) with standard error 1.03 / sqrt(n - 3) (Fieller, Hartley and Pearson 1957,
for ranks), both ends carried over in the same way. A perfect order counts as half a swap of neighbours, 6 / (n^3 - n),
less than perfect: by luck alone one in n! is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from hpsearch.statistics.ranks import ranks, spearman

LEAST = 4
"""Pairs without which nothing can be said."""


@dataclass(frozen=True)
class Agreement:
    """A rank correlation with its 90% interval, by ``n`` pairs; ``observed`` is that of the pairs as they are."""

    n: int
    observed: float
    value: float
    low: float
    high: float


def agreement(
    first: Sequence[float], pairs: Sequence[tuple[float, float]], confidence: float = 0.9
) -> Agreement | None:
    """Return how the values ``first`` rank what was measured later, by the ``pairs`` of (first, later) that there are.

    ``first`` holds those of all settings, the pairs' among them. None where there are too few pairs, or nothing varies.
    """
    n = len(pairs)
    x, y = np.array(pairs, dtype=float).reshape(n, 2).T
    if n < LEAST or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    observed = spearman(x, y)
    spread = _spread(np.array(first), x)
    most = 1 - 6 / (n**3 - n)
    z = math.atanh(max(-most, min(most, observed)))
    half = float(ndtri((1 + confidence) / 2)) * 1.03 / math.sqrt(n - 3)
    value, low, high = (_restored(math.tanh(end), spread) for end in (z, z - half, z + half))
    return Agreement(n, observed, value, low, high)


def _spread(every: npt.NDArray[np.floating], chosen: npt.NDArray[np.floating]) -> float:
    """Return how much more the normal scores of all values spread than those of the chosen ones, at least 1."""
    scores = ndtri((ranks(every) - 0.375) / (len(every) + 0.25))
    among = scores[np.isin(every, chosen)]
    return max(1.0, float(scores.std() / among.std())) if among.std() > 0 else 1.0


def _restored(r: float, spread: float) -> float:
    return r * spread / math.sqrt(1 + r * r * (spread * spread - 1))
