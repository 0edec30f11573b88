"""Where to look next: the log of the expected improvement, plus what the prior says, over the unit cube.

The expected improvement is that of the function without noise over the least mean where it was seen (J. Mockus 1978;
the plug-in form for noisy results, V. Picheny et al. 2013), in logarithms, which stay apart where it underflows
(S. Ament et al. 2023). The prior enters as a factor prior^(beta / n), which n results make weaker (C. Hvarfner et al.,
piBO, 2022).
"""

import math
from collections.abc import Callable

import numpy as np
from scipy.special import erfcx, ndtr
from scipy.stats.qmc import Sobol

from hpsearch.samplers.surrogate import Surrogate
from hpsearch.space.axes import Floats

SPREAD = 1024
"""Candidates spread over the cube; a power of two, as Sobol points want it. As many again lie around the best."""

ROUNDS = 2
"""How often the best candidates are refined."""

KEPT, NEIGHBOURS = 8, 32
"""Candidates that are refined, and new ones around each."""

Score = Callable[[Floats], Floats]


def log_expected_improvement(surrogate: Surrogate, points: Floats) -> Floats:
    """Return the log of the expected improvement at ``points`` (m, d), shape (m,)."""
    mean, std = surrogate.predict(points)
    std = np.maximum(std, 1e-9)
    z = (surrogate.best - mean) / std
    return np.log(std) + _log_h(z)


def candidates(best: Floats, rng: np.random.Generator) -> Floats:
    """Return points over the whole cube and around ``best`` (d,): in all directions, and along few coordinates."""
    size = (SPREAD // 2, len(best))
    width = np.exp(rng.uniform(math.log(0.01), math.log(0.3), (size[0], 1)))
    steps = rng.normal(size=size) * width
    along = rng.random(size) < 0.4
    near = np.vstack([best + steps, best + steps * along])
    return np.vstack([Sobol(len(best), rng=rng).random(SPREAD), np.clip(near, 0, 1)])


def refined(points: Floats, scores: Floats, score: Score, settle: Score, rng: np.random.Generator) -> Floats:
    """Return points around the best of ``points`` (m, d) and among them, those of the highest score first.

    Every round looks four times as near, and also where coordinates are moved to their nearest bound: an optimum on the
    bound is one that steps of a random size seldom hit.
    """
    for turn in range(ROUNDS):
        top = points[np.argsort(-scores, kind="stable")[:KEPT]]
        around = np.repeat(np.nan_to_num(top, nan=0.5), NEIGHBOURS, axis=0)
        near = np.clip(around + rng.normal(size=around.shape) * 0.05 / 4**turn, 0, 1)
        bound = np.where(rng.random(around.shape) < 0.5, around, np.round(around))[::4]
        points = np.vstack([top, settle(np.vstack([near, bound]))])
        scores = score(points)
    return points[np.argsort(-scores, kind="stable")]


def _log_h(z: Floats) -> Floats:
    """Return log(phi(z) + z Phi(z)): as it stands, relative to phi, and by its leading term where that cancels too."""
    log_phi = -(z**2) / 2 - math.log(2 * math.pi) / 2
    above, middle, below = np.maximum(z, 0), np.clip(z, -1000, 0), np.minimum(z, -1000)
    direct = np.log(np.exp(-(above**2) / 2) / math.sqrt(2 * math.pi) + above * ndtr(above))
    relative = log_phi + np.log1p(middle * math.sqrt(math.pi / 2) * erfcx(-middle / math.sqrt(2)))
    log_h: Floats = np.where(z > 0, direct, np.where(z > -1000, relative, log_phi - 2 * np.log(-below)))
    return log_h
