"""A quadratic surface by least squares, and what its trials can and cannot say about it.

n   trials            k   axes            p = (k + 1) (k + 2) / 2   coefficients
y = b0 + sum_j b_j z_j + sum_{i <= j} b_ij z_i z_j + residual

Whatever is asked (a curvature, the cost of a move) is a linear function of the coefficients, a *contrast*. Where the
trials do not determine it there is no answer: an axis that never moved has no slope, one with two values no curvature,
two axes that always moved together cannot be told apart. The residuals hold what is not quadratic beside the noise of
the seeds, so intervals (Student t, at 95%) are too wide rather than too narrow for the noise alone.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from hpsearch.analysis.means import CONFIDENCE
from hpsearch.space.axes import Floats

TOLERANCE = 1e-8
"""Of the largest singular value: what is smaller counts as zero."""


@dataclass(frozen=True)
class Estimate:
    """A number with its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Quadratic:
    """A fitted surface.

    ``coefficients``  (p,) and their ``covariance`` (p, p), of the shortest solution where there are several
    ``unknown``       (m, p) orthonormal combinations of coefficients that the trials say nothing about
    ``residual_std``  of one trial, with ``freedom`` degrees of freedom; ``explained`` is R squared
    """

    coefficients: Floats
    covariance: Floats
    unknown: Floats
    residual_std: float
    freedom: int
    explained: float

    @classmethod
    def fit(cls, z: Floats, y: Floats) -> "Quadratic":
        """Fit ``y`` (n,) at the places ``z`` (n, k); without degrees of freedom nothing is known."""
        x = terms(z)
        q, r = np.linalg.qr(x)  # so that the decomposition is as small as x is wide
        left, sizes, right = np.linalg.svd(r)
        rank = int((sizes > TOLERANCE * sizes[0]).sum())
        inverse = right[:rank].T / sizes[:rank]  # (p, rank)
        coefficients = inverse @ (left[:, :rank].T @ (q.T @ y))
        residuals, freedom = y - x @ coefficients, len(y) - rank
        squares, total = float(residuals @ residuals), float(((y - y.mean()) ** 2).sum())
        variance = squares / max(1, freedom)
        return cls(
            coefficients=coefficients,
            covariance=variance * (inverse @ inverse.T),
            unknown=right[rank:],
            residual_std=math.sqrt(variance),
            freedom=freedom,
            explained=1 - squares / total if total else 1.0,
        )

    def at(self, z: Floats) -> Floats:
        """Return the surface (n,) at some places (n, k)."""
        values: Floats = terms(z) @ self.coefficients
        return values

    def estimate(self, contrast: Floats) -> Estimate | None:
        """Return the value of a contrast (p,); None where the trials do not determine it."""
        if not self.knows(contrast):
            return None
        value = float(contrast @ self.coefficients)
        half = self._tail * math.sqrt(max(0.0, self._covariance(contrast, contrast)))
        return Estimate(value, value - half, value + half)

    def ratio(self, above: Floats, below: Floats) -> Estimate | None:
        """Return the ratio of two contrasts with Fieller's interval (E. C. Fieller, JRSS B 16, 1954).

        None where one is not determined, or ``below`` is not shown to be above 0: the interval has no ends then.
        """
        one, other = self.estimate(above), self.estimate(below)
        if one is None or other is None or other.low <= 0:
            return None
        tail = self._tail**2
        a = other.value**2 - tail * self._covariance(below, below)
        b = one.value * other.value - tail * self._covariance(above, below)
        c = one.value**2 - tail * self._covariance(above, above)
        half = math.sqrt(max(0.0, b * b - a * c)) / a
        return Estimate(one.value / other.value, b / a - half, b / a + half)

    def knows(self, contrast: Floats) -> bool:
        """Tell whether the trials determine a contrast (p,)."""
        return bool(np.linalg.norm(self.unknown @ contrast) <= 1e-6 * np.linalg.norm(contrast)) and self.freedom > 0

    @property
    def _tail(self) -> float:
        return float(stdtrit(self.freedom, (1 + CONFIDENCE) / 2))

    def _covariance(self, one: Floats, other: Floats) -> float:
        return float(one @ self.covariance @ other)


def terms(z: Floats) -> Floats:
    """Return 1, the axes and their products (n, p) at some places (n, k)."""
    i, j = np.triu_indices(z.shape[1])
    return np.column_stack([np.ones(len(z)), z, z[:, i] * z[:, j]])


def curvature(direction: Floats) -> Floats:
    """Return the contrast that is the second derivative along ``direction`` (k,), per square of its length."""
    there, back, here = terms(np.array([direction, -direction, 0 * direction]))
    bend: Floats = there + back - 2 * here
    return bend


def change(place: Floats, move: Floats) -> Floats:
    """Return the contrast that is the change of the surface where one moves from ``place`` (k,) by ``move`` (k,)."""
    here, there = terms(np.array([place, place + move]))
    difference: Floats = there - here
    return difference
