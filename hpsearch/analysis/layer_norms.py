"""Whether the length of one weight tensor comes to its balance, when, and how far behind the schedule (post 6)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hpsearch.analysis.layer_lag import Lag, lag_of
from hpsearch.analysis.momentum_path import momentum_path
from hpsearch.analysis.update_rules import RULES
from hpsearch.analysis.weight_decay import equilibrium_norm, relaxation_steps

Floats = NDArray[np.float64]

WITHIN = 0.1
"""A norm is in balance while it is off by no more than this share."""


@dataclass(frozen=True)
class Norms:
    """The length of one tensor at the traced steps, (n,) each.

    ``lr``          learning rate
    ``measured``    |w|
    ``path``        by theory, from the measured start under the schedule and the gradients, smoothed over an epoch
    ``balance``     where theory has it settle under each learning rate and these gradients; NaN where nowhere
    ``relaxation``  steps in which |w| comes e times nearer to the balance, at the mean decay of the run
    """

    step: Floats
    lr: Floats
    measured: Floats
    path: Floats
    balance: Floats
    relaxation: float
    lag: Lag | None

    @property
    def off(self) -> float | None:
        """By what share |w| was off the balance at the end; None where there was no balance."""
        off = self._off()
        return float(off[-1]) if len(off) else None

    @property
    def in_balance(self) -> float | None:
        """The share of the steps at which |w| is within ``WITHIN`` of the balance; None where there is none."""
        off = self._off()
        return float(np.mean(np.abs(off) <= WITHIN)) if len(off) else None

    @property
    def settled(self) -> int | None:
        """The first step from which |w| stays within ``WITHIN`` of the balance; None where it does not."""
        outside = np.flatnonzero(np.abs(self._off()) > WITHIN)
        first = outside[-1] + 1 if len(outside) else 0
        steps = self.step[np.isfinite(self.balance)]
        return int(steps[first]) if first < len(steps) else None

    @property
    def path_error(self) -> float:
        """By what share the path is off, root mean square over the run."""
        return _rms(self.measured / self.path - 1)

    @property
    def balance_error(self) -> float | None:
        """The same of the balance, as if |w| were there at every step; None where there is none."""
        off = self._off()
        return _rms(off) if len(off) else None

    def to_json(self) -> dict[str, Any]:
        """Return plain data for strict JSON, without the steps."""
        return {
            "off_at_end": self.off,
            "in_balance": self.in_balance,
            "settled_at_step": self.settled,
            "relaxation_steps": self.relaxation if np.isfinite(self.relaxation) else None,
            "path_error": self.path_error,
            "balance_error": self.balance_error,
            "lag": self.lag and vars(self.lag),
        }

    def _off(self) -> Floats:
        there = np.isfinite(self.balance)
        return self.measured[there] / self.balance[there] - 1


def layer_norms(rows: pd.DataFrame, window: int) -> Norms:
    """Return the length of a tensor by its ``rows`` in order of steps, with gradients smoothed over ``window`` rows."""
    rule, size = str(rows["rule"].iloc[0]), float(rows["size"].iloc[0])
    step, measured, lr, decay, momentum, lengths = (
        rows[name].to_numpy(float) for name in ("step", "weight_norm", "lr", "weight_decay", "momentum", "grad_norm")
    )
    gradient = smooth(lengths * measured, window)
    path = momentum_path(rule, step, lr, decay, momentum, gradient, size, float(measured[0]))
    balance = equilibrium_norm(rule, lr, decay, momentum, gradient, size)
    balance[balance == 0] = np.nan
    relaxation = relaxation_steps(rule, lr, decay, momentum)
    with np.errstate(divide="ignore"):
        mean = float(1 / np.mean(1 / relaxation))
    lag = lag_of(step, measured, path, balance, relaxation, RULES[rule].power)
    return Norms(step, lr, measured, path, balance, mean, lag)


def smooth(values: Floats, window: int) -> Floats:
    """Return the root mean squares of ``values`` over ``window`` of them, around each; over fewer at the ends."""
    squares = pd.Series(values**2).rolling(window, center=True, min_periods=1).mean()
    return np.asarray(np.sqrt(squares))


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(values**2)))
