"""How much of the variance between trials a factor explains beside others, and how much it would seem to by chance.

n trials have a value, or a curve of m values, y (n, m), and factors x > 0 (n,). A factor enters by log x and its
square: for up to three distinct values that is an analysis of variance, for more a regression.

share  (added - r left / f) / total: sums of squares over all m columns, of the r parameters of the factor after those
       of the others, of the f degrees of freedom that all leave, and of y about its mean

So a share is what the factor adds to the others, less what that many parameters add by chance; it is 0 on average for a
factor that does nothing, and may be below. Without others it is the adjusted R^2, for groups the epsilon^2 of T. L.
Kelley, PNAS 21 (1935). Chance shuffles what the others leave over among the trials (D. Freedman, D. Lane, 1983); a
p-value counts the trials as they are among the shuffles (B. Phipson, G. K. Smyth, 2010).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

SAME = 0.01
"""Values of a factor that are closer than this, relatively, are one value."""
LEAST_FREEDOM = 2
"""Fewer degrees of freedom of the residuals say nothing."""
SHUFFLES = 999
BEYOND = 95
"""The per cent of the shuffles that ``chance`` is above."""
NOTHING = 1e-9
"""Relative differences up to this are rounding errors."""
TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Explained:
    """What a factor adds to others.

    ``share``    of the variance;  ``chance``  the share that one shuffle in twenty exceeds
    ``p_value``  of nothing at all
    ``freedom``  degrees of freedom of the residuals
    """

    share: float
    chance: float
    p_value: float
    freedom: int


@dataclass(frozen=True)
class Design:
    """Orthonormal columns of mean zero: those of the other factors, ``before`` (n, b), and what one adds (n, r)."""

    before: Floats
    added: Floats

    @property
    def rank(self) -> int:
        """Parameters that the factor adds."""
        return int(self.added.shape[1])

    @property
    def freedom(self) -> int:
        """Degrees of freedom that all factors leave."""
        return len(self.added) - 1 - int(self.before.shape[1]) - self.rank


def levels(x: npt.ArrayLike) -> npt.NDArray[np.intp]:
    """Return for each value of ``x`` (n,), all above 0, which of the distinct ones it is, counted from the smallest."""
    values = np.asarray(x, dtype=np.float64)
    found = np.empty(len(values), dtype=np.intp)
    first, level = 0.0, -1
    for place in np.argsort(values):
        if values[place] > first * (1 + SAME):
            first, level = values[place], level + 1
        found[place] = level
    return found


def design(factors: Sequence[Floats], beside: Sequence[Floats] = ()) -> Design:
    """Return how ``factors`` (n,) enter after those they stand ``beside``; several of them add up."""
    before = _orthonormal([_columns(x) for x in beside], len(factors[0]))
    columns = np.column_stack([_columns(x) for x in factors])
    return Design(before, _orthonormal([columns - before @ (before.T @ columns)], len(columns)))


def shares(of: Design, values: Floats) -> Floats:
    """Return the share of each column of ``values`` (n, m), NaN where they do not differ or too few are left over."""
    if not of.rank or of.freedom < LEAST_FREEDOM:
        return np.full(values.shape[1], np.nan)
    centred = _centred(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = _net(of, *_parts(of, centred)) / np.sum(centred**2, axis=0)
    return found


def explained(of: Design, values: Floats, seed: int = 0) -> Explained | None:
    """Return what a factor explains of ``values`` (n, m), all columns together.

    None where it has but one value, or goes with the others; and as ``shares`` has NaN.
    """
    centred = _centred(values)
    total = float(np.sum(centred**2))
    if not of.rank or of.freedom < LEAST_FREEDOM or total <= 0:
        return None
    rest = centred - of.before @ (of.before.T @ centred)
    rng = np.random.default_rng(seed)
    sums = np.array([_parts(of, rng.permutation(rest)).sum(axis=1) for _ in range(SHUFFLES)]).T
    # What a shuffle puts in the way of the others is lost to added and left alike, their ratio is not.
    by_chance = _net(of, *(sums / np.maximum(sums.sum(axis=0), TINY))) * np.sum(rest**2) / total
    share = float(_net(of, *_parts(of, centred)).sum() / total)
    beyond = int(np.sum(by_chance >= share - NOTHING))
    return Explained(share, float(np.percentile(by_chance, BEYOND)), (1 + beyond) / (1 + SHUFFLES), of.freedom)


def _parts(of: Design, values: Floats) -> Floats:
    """Return the sums of squares that the factor adds and that all leave, (2, m), of ``values`` (n, m) of mean zero."""
    added = np.sum((of.added.T @ values) ** 2, axis=0)
    left = np.sum(values**2, axis=0) - np.sum((of.before.T @ values) ** 2, axis=0) - added
    return np.stack([added, left])


def _net(of: Design, added: Floats, left: Floats) -> Floats:
    """Return what is added, less what as many parameters add by chance."""
    return added - of.rank * left / of.freedom


def _centred(values: Floats) -> Floats:
    """Return ``values`` (n, m) about their means, exactly 0 in the columns that do not vary."""
    varies = np.ptp(values, axis=0) > NOTHING * np.abs(values).max(axis=0)
    return np.where(varies, values - values.mean(axis=0), 0.0)


def _columns(x: Floats) -> Floats:
    _, first, level = np.unique(levels(x), return_index=True, return_inverse=True)
    z = np.log(x[first])[level]
    z = z - z.mean()
    return np.column_stack([z, z * z])


def _orthonormal(columns: Sequence[Floats], n: int) -> Floats:
    """Return a basis (n, r) of what ``columns`` (n, p) span about their means."""
    every = np.column_stack([np.empty((n, 0)), *columns])
    left, sizes, _ = np.linalg.svd(every - every.mean(axis=0), full_matrices=False)
    found: Floats = left[:, sizes > NOTHING]
    return found
