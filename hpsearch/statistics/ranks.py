"""Ranks and their correlation, in NumPy: SciPy's statistics take most of a second to import, at every command."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def ranks(values: npt.ArrayLike) -> Floats:
    """Return the ranks (n,) of ``values``, from 1; equal values share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    found: Floats = (counts.cumsum() - (counts - 1) / 2)[place]
    return found


def spearman(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Return Spearman's rank correlation of ``x`` and ``y``, (n,) each, neither of them constant."""
    return float(np.corrcoef(ranks(x), ranks(y))[0, 1])
