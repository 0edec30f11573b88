"""Student's t with 2 degrees of freedom, cut off at 0 and 1, and mixtures of it with a flat density.

Heavy tails, and a distribution function in closed form. For n points and K components ``centre`` and ``spread`` are
(n, K); a spread that is infinite is a component that is flat.
"""

import numpy as np

from hpsearch.space.axes import Floats

BISECTIONS = 40


def log_pdf(places: Floats, centre: Floats, spread: Floats) -> Floats:
    """Return the log densities at ``places`` (n, 1): shape (n, K)."""
    with np.errstate(invalid="ignore"):
        mass = _between(-centre / spread, (1 - centre) / spread)
        log = -1.5 * np.log(2 + ((places - centre) / spread) ** 2) - np.log(spread * mass)
    density: Floats = np.where(np.isfinite(spread), log, 0.0)
    return density


def _between(low: Floats, high: Floats) -> Floats:
    """Return the probability between ``low`` and ``high``, in the lower tail, where it is not a difference of ones."""
    upper = low + high > 0
    mass: Floats = _cdf(np.where(upper, -low, high)) - _cdf(np.where(upper, -high, low))
    return mass


def _cdf(x: Floats) -> Floats:
    root = np.sqrt(2 + x**2)
    tail = 1 / (root * (root + np.abs(x)))
    below: Floats = np.where(x < 0, tail, 1 - tail)
    return below


def inverse(uniforms: Floats, weights: Floats, centre: Floats, spread: Floats) -> Floats:
    """Return where the distribution functions of n mixtures are ``uniforms`` (n,): shape (n,), by bisection.

    ``weights`` (n, K + 1) has the flat component first.
    """
    low, high = np.zeros(len(uniforms)), np.ones(len(uniforms))
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        below = _mixture_cdf(middle, weights, centre, spread) < uniforms
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


def _mixture_cdf(places: Floats, weights: Floats, centre: Floats, spread: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        start, end = -centre / spread, (1 - centre) / spread
        parts = _between(start, (places[:, None] - centre) / spread) / _between(start, end)
    parts = np.where(np.isfinite(spread), parts, places[:, None])
    total: Floats = weights[:, 0] * places + (weights[:, 1:] * parts).sum(axis=1)
    return total
