"""How much the seed alone changes the loss of a setting, where runs were repeated.

y_ir      loss of run r of setting i, i = 1..K                    n_i  its number of runs      m_i  their mean
x_i       max(0, m_i - the least mean of a repeated setting) in units of the median of those that are not 0
s_i       std of one run:  s_i = s_0 (1 + x_i)^b,  b >= 0: the seed matters more where training goes badly
S_i, d_i  sum of squared residuals of setting i and its degrees of freedom

S_i / s_i^2 follows a chi-square law with d_i degrees of freedom. With w_i = (1 + x_i)^2b the likelihood is largest for
s_0^2 = sum(S_i / w_i) / sum(d_i), and b is where what is left of it, times a normal prior N(0, B^2) kept to b >= 0, is
largest: with few degrees of freedom the prior keeps b near 0. (Variance as a power of a covariate: R. J. Carroll,
D. Ruppert, Transformation and Weighting in Regression, 1988, chapter 3.)

Fisher's information about (log s_0^2, b) with the prior's gives s_0^2 the degrees of freedom, with means over all d,

    d (1 - mean(u)^2 / (mean(u^2) + 1 / (2 d B^2))),  u_i = log(1 + x_i),  d = sum(d_i).

Where some settings have one run only, the others were run again because the first run was good. A first run chosen for
its luck lies far from the next ones, which would make the noise look larger than it is (by half, in simulated races),
so S_i then leaves it out, unless too few runs remain.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Groups = Sequence[Sequence[float]]
"""The losses of the runs of each setting, the first run first: finite, lower is better, at least one per setting."""

PRIOR_STD = 0.5
"""B: with b = 0.5 the std doubles where the gap is 3 times the median one."""
EXPONENTS = np.linspace(0, 2, 81)
LEAST_FREEDOM = 3


@dataclass(frozen=True)
class SeedVariance:
    """The noise of one run: its ``std`` at the optimum, known with ``freedom`` degrees of freedom.

    At a gap to the optimum the std is ``std`` (1 + gap / ``unit``)^``growth``; ``unit`` is a loss, and positive.
    """

    std: float
    freedom: float
    growth: float
    unit: float

    def std_at(self, gaps: npt.ArrayLike) -> Floats:
        """Return the std of one run at each gap (in units of the loss, negative ones count as 0), same shape."""
        return np.asarray(self.std * (1 + np.maximum(gaps, 0) / self.unit) ** self.growth)


def seed_variance(groups: Groups) -> SeedVariance | None:
    """Estimate the noise of one run, None where no setting has two."""
    freedoms, squares = _residuals(groups)
    freedom = float(freedoms.sum())
    if freedom == 0:
        return None
    means, runs = means_and_runs(groups)
    gaps = np.maximum(means - means[runs > 1].min(), 0)
    unit = float(np.median(gaps[gaps > 0])) if gaps.any() else 1.0
    u = np.log1p(gaps / unit)[freedoms > 0]
    freedoms, squares = freedoms[freedoms > 0], squares[freedoms > 0]
    variances = squares @ np.exp(-2 * np.outer(EXPONENTS, u)).T / freedom  # s_0^2 for each exponent
    if not variances.all():
        return SeedVariance(0.0, freedom, 0.0, unit)
    fit = -freedom / 2 * np.log(variances) - EXPONENTS * float(freedoms @ u) - (EXPONENTS / PRIOR_STD) ** 2 / 2
    best = int(fit.argmax())
    left = _freedom(freedoms, u) if best else freedom
    return SeedVariance(float(np.sqrt(variances[best])), left, float(EXPONENTS[best]), unit)


def means_and_runs(groups: Groups) -> tuple[Floats, Floats]:
    """Return the mean loss and the number of runs of each setting, (K,) each."""
    return np.array([sum(group) / len(group) for group in groups]), np.array([len(group) for group in groups])


def _residuals(groups: Groups) -> tuple[Floats, Floats]:
    """Return degrees of freedom and sum of squared residuals of each setting, (K,) each."""
    if any(len(group) == 1 for group in groups):
        freedoms, squares = _pooled([group[1:] for group in groups])
        if freedoms.sum() >= LEAST_FREEDOM:
            return freedoms, squares
    return _pooled(groups)


def _pooled(groups: Groups) -> tuple[Floats, Floats]:
    freedoms = np.array([max(len(group) - 1, 0) for group in groups], dtype=float)
    squares = np.array([np.var(group) * len(group) if len(group) > 1 else 0.0 for group in groups])
    return freedoms, squares


def _freedom(freedoms: Floats, u: Floats) -> float:
    freedom = float(freedoms.sum())
    mean, square = freedoms @ u / freedom, freedoms @ u**2 / freedom
    return freedom * float(1 - mean**2 / (square + 1 / (2 * freedom * PRIOR_STD**2)))
