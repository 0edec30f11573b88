"""How far the runs of one setting lie apart, and how far settings do: two variances that a study mixes.

y_ij = m_i + e_ij   loss of run j of setting i; n_i runs of it
s_i                 std of e_ij, ``seed_variance.py``: it may grow away from the best settings
setting^2           variance of m: var(mean_i) - mean_i(s_i^2 / n_i), not below 0

The last is a moment estimate, unbiased but for its limit at 0, that counts each setting once: it does not matter that
good ones are repeated more often (S. R. Searle, G. Casella, C. McCulloch, Variance Components, 1992, on unweighted
means). The interval of the seed takes its noise as normal.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv

from hpsearch.analysis.means import CONFIDENCE, Interval
from hpsearch.statistics.seed_variance import means_and_runs, seed_variance


@dataclass(frozen=True)
class VarianceComponents:
    """Standard deviations, in units of the objective.

    ``seed_std``     of one run around the mean of its setting, near the best ones, with its 95% ``interval``
    ``setting_std``  of the true means of the settings
    ``repeated``     settings that were run more than once
    """

    seed_std: float
    interval: Interval
    setting_std: float
    repeated: int


def variance_components(groups: Sequence[Sequence[float]]) -> VarianceComponents | None:
    """Return the two variances of the losses of each setting, None where no setting was run twice.

    Every group has one finite loss or more.
    """
    noise = seed_variance(groups)
    if noise is None:
        return None
    means, runs = means_and_runs(groups)
    of_means = float(np.mean(noise.std_at(means - means[runs > 1].min()) ** 2 / runs))
    apart = float(np.var(means, ddof=1)) if len(means) > 1 else 0.0
    high, low = noise.std * np.sqrt(
        noise.freedom / (2 * gammaincinv(noise.freedom / 2, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]))
    )
    return VarianceComponents(
        seed_std=noise.std,
        interval=Interval(float(low), float(high)),
        setting_std=math.sqrt(max(0.0, apart - of_means)),
        repeated=int((runs > 1).sum()),
    )
