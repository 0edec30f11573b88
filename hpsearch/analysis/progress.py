"""Whether a search still finds better settings: what its last third brought, and what half of it would have missed.

The best of n settings that are drawn alike may be any of them: a third of all searches find it in their last third,
however long they are. So what counts is by how much it was improved, against the noise of a run.

n, m   settings, and half of them        x_(1) <= ... <= x_(n)   their losses
E[min of m] = sum_j x_(j) C(n - j, m - 1) / C(n, m)   over all orders in which the settings could have come

The expectation is the unbiased one of R. Tang et al., Showing Your Work Doesn't Always Work, ACL 2020, for the curve of
J. Dodge et al., Show Your Work, EMNLP 2019. A search that learns orders its settings; for it, it is no forecast.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEAST = 6
"""With fewer settings, a third of them is hardly more than one."""


@dataclass(frozen=True)
class Progress:
    """How the least loss came down; all in units of the objective.

    ``settings``  how many there are
    ``last``      how many the last third of them are, and ``gain`` by how much these improved the best
    ``since``     how many came after the best one
    ``halving``   how much worse the best of half as many settings is, on average over all orders
    """

    settings: int
    last: int
    gain: float
    since: int
    halving: float

    def improving(self, noise: float | None) -> bool | None:
        """Tell whether the last settings gained more than the std of one run, ``noise``; None: that is not known."""
        if self.gain == 0:
            return False
        return None if noise is None else self.gain > noise


def progress(losses: Sequence[float]) -> Progress | None:
    """Return the progress over the losses of settings (finite), in the order in which they were first run.

    None for fewer than ``LEAST``.
    """
    n = len(losses)
    if n < LEAST:
        return None
    last = n // 3
    values = np.asarray(losses, dtype=np.float64)
    best = float(values.min())
    return Progress(
        settings=n,
        last=last,
        gain=float(values[:-last].min()) - best,
        since=n - 1 - int(values.argmin()),
        halving=expected_least(losses, n // 2) - best,
    )


def expected_least(losses: Sequence[float], m: int) -> float:
    """Return the mean of the least of ``m`` of the ``losses``, over all ways to choose them; 1 <= m <= their number."""
    n, weight, mean = len(losses), m / len(losses), 0.0
    for rank, loss in enumerate(sorted(losses), start=1):
        mean += weight * loss
        weight *= (n - rank - m + 1) / (n - rank) if rank < n else 0.0
    return mean
