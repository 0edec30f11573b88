"""How far the length of a weight tensor is behind its balance while a schedule moves that."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOVES = 0.2
"""Log of |w|: without so much movement of the balance there is no lag to see."""

FORGOTTEN = 2.0
"""Relaxation times that leave little of the start: a share exp(-2) of the balance, of |w| to the ``power``."""

TRIES = 200
"""So many shifts are tried."""

STIFF = 10.0
"""Where relaxation takes so many times longer than at its fastest, near a learning rate of 0, nothing follows."""


@dataclass(frozen=True)
class Lag:
    """How many steps |w| is behind its balance, once its start is forgotten.

    ``steps``       the shift of the balance that brings it nearest to |w|, up to a constant factor
    ``factor``      that factor: |w| over the shifted balance, and ``rms`` what is then left between them, as a share
    ``by_theory``   the same shift of the length that theory predicts; None where no shift is nearest
    ``relaxation``  the median relaxation time meanwhile: the lag behind a balance that moves steadily
    """

    steps: float
    factor: float
    rms: float
    by_theory: float | None
    relaxation: float


def lag_of(step: Floats, norm: Floats, path: Floats, balance: Floats, relaxation: Floats, power: float) -> Lag | None:
    """Return the lag of ``norm`` behind ``balance``; all arrays (n,), relaxation times those of |w|^``power``.

    None where the start is never forgotten, where the balance moves too little to tell, or where no shift is nearest.
    """
    moving = np.isfinite(balance) & (relaxation <= STIFF * relaxation.min())
    step, norm, path, balance, relaxation = (each[moving] for each in (step, norm, path, balance, relaxation))
    since = _forgotten(step, norm[0] ** power, balance**power, relaxation) if len(step) else None
    if since is None or np.ptp(np.log(balance[since:])) < MOVES:
        return None
    found, by_theory = (_shift(step, np.log(each), np.log(balance), since) for each in (norm, path))
    if found is None:
        return None
    return Lag(*found, by_theory and by_theory[0], float(np.median(relaxation[since:])))


def _forgotten(step: Floats, start: float, balance: Floats, relaxation: Floats) -> int | None:
    """Return the row from which ``start``, |w|^power as the ``balance`` is, is forgotten."""
    times = np.append(0.0, np.cumsum(np.diff(step) / relaxation[:-1]))
    left = np.maximum(1, start / balance) * np.exp(-times)
    known = np.flatnonzero(left > np.exp(-FORGOTTEN))
    return int(known[-1]) + 1 if known[-1] + 1 < len(step) else None


def _shift(step: Floats, values: Floats, balance: Floats, since: int) -> tuple[float, float, float] | None:
    """Return shift, factor and rms by which the log ``balance`` is nearest to ``values`` from the row ``since`` on."""
    shifts = (step[since] - step[0]) * np.arange(-1, TRIES + 1) / TRIES
    left = np.array([values[since:] - np.interp(step[since:] - shift, step, balance) for shift in shifts])
    spread = left.std(axis=1)
    best = int(np.argmin(spread))
    if best in (0, len(shifts) - 1):
        return None
    return float(shifts[best]), float(np.exp(left[best].mean())), float(spread[best])
