"""The chance that one of many means looks better than another by luck alone.

Z_0, Z_j  standard normal errors of the means of n_0 and n_j runs: Z / sqrt(n) in units of the std of one run
s         estimated std in those units: f s^2 is chi-square with f degrees of freedom
T         max over j of (Z_0 / sqrt(n_0) - Z_j / sqrt(n_j)) / (s sqrt(1/n_0 + 1/n_j))

Given Z_0 and s the comparisons are independent, so P(T <= t) is a double integral of a product (C. W. Dunnett, JASA 50,
1955; C. W. Dunnett, M. Sobel, Biometrika 42, 1955):

    P(T <= t) = E product over j of Phi( sqrt(n_j) (t s sqrt(1/n_0 + 1/n_j) - Z_0 / sqrt(n_0)) ).

Both integrals are sums over evenly spaced points, of Z_0 and of log s, which converge geometrically: the
error is below 0.001 where no n_j is more than 100 n_0. One j is a t-test.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import gammaincinv, ndtr, stdtrit

Floats = npt.NDArray[np.floating[Any]]

TAIL = 1e-6
"""Probability that is left out at each end of s."""

_Z = np.linspace(-5.5, 5.5, 61)
_Z_WEIGHTS = np.exp(-(_Z**2) / 2) / np.exp(-(_Z**2) / 2).sum()


def luck(t: float, runs: int, others: Mapping[int, int], freedom: float) -> float:
    """Return P(T > t) for a mean of n_0 = ``runs`` runs; ``others`` says how many others have how many runs each."""
    s, weights = _estimated_std(freedom)
    below = np.ones((len(s), len(_Z)))
    for each, how_many in others.items():
        scaled = t * s[:, None] * np.sqrt(1 / runs + 1 / each) - _Z / np.sqrt(runs)
        below *= ndtr(np.sqrt(each) * scaled) ** how_many
    return float(1 - weights @ below @ _Z_WEIGHTS)


def critical(chance: float, runs: int, others: Mapping[int, int], freedom: float) -> float:
    """Return the t, to 0.001, that T exceeds with this ``chance``, below 1/2."""
    one, sum_of_all = stdtrit(freedom, 1 - chance), stdtrit(freedom, 1 - chance / sum(others.values()))
    if one == sum_of_all:
        return float(one)
    return float(brentq(lambda t: luck(t, runs, others, freedom) - chance, one - 0.01, sum_of_all + 0.01, xtol=1e-3))


@lru_cache(maxsize=256)
def _estimated_std(freedom: float) -> tuple[Floats, Floats]:
    """Return values of s, evenly spaced in log s, and their probabilities."""
    low, high = np.log(2 * gammaincinv(freedom / 2, [TAIL, 1 - TAIL]) / freedom) / 2
    log_s = np.linspace(low, high, 25)
    log_density = freedom * (log_s - np.exp(2 * log_s) / 2)
    weights = np.exp(log_density - log_density.max())
    return np.exp(log_s), weights / weights.sum()
