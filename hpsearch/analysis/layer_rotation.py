"""By what angle one weight tensor turns in a step, beside what theory says, and why it differs (post 6).

In balance, and under uncorrelated gradients, all scale-invariant tensors of a rule turn alike. A tensor differs for two
reasons, whose factors multiply: |w| is off its balance (longer: the steps are relatively shorter), and gradients that
follow each other are alike, so that the momentum adds them up to more than random ones, or opposed, to less.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hpsearch.analysis.update_rules import RULES
from hpsearch.analysis.weight_decay import equilibrium_rotation, rotation_at

Floats = NDArray[np.float64]

LATE = 2 / 3
"""From this share of the run on a tensor has had time to come to its balance."""

AGREE = (0.9, 1.1)
"""Measured over predicted rotation: theory holds."""


@dataclass(frozen=True)
class Rotation:
    """Root mean square angles in radians per step; NaN where theory has none.

    ``measured``      of the steps that were taken
    ``balance``       in balance, under uncorrelated gradients
    ``uncorrelated``  at the measured |w|, under uncorrelated gradients of the measured lengths
    ``alike``         what a gradient g finds of itself in the velocity v, the mean of <g, v> / |g|^2: the sum of
                      rho^(k-1) times the correlation with the gradient k steps before; 0 where they are uncorrelated
    """

    measured: float
    balance: float
    uncorrelated: float
    alike: float

    @property
    def ratio(self) -> float:
        """Measured over predicted: the product of the two others."""
        return self.measured / self.balance if self.balance else np.nan

    @property
    def by_norm(self) -> float:
        """What is due to |w|, off its balance."""
        return self.uncorrelated / self.balance if self.balance else np.nan

    @property
    def by_correlation(self) -> float:
        """What is due to gradients that are alike, or opposed."""
        return self.measured / self.uncorrelated if self.uncorrelated else np.nan

    def to_json(self) -> dict[str, Any]:
        """Return plain data for strict JSON."""
        ratios = {name: getattr(self, name) for name in ("ratio", "by_norm", "by_correlation")}
        values = {**vars(self), **ratios}
        return {name: value if np.isfinite(value) else None for name, value in values.items()}


@dataclass(frozen=True)
class Rotations:
    """The rotation of one tensor: epoch by epoch, and over the last third of the run."""

    epochs: dict[int, Rotation]
    late: Rotation

    def to_json(self) -> dict[str, Any]:
        """Return plain data for strict JSON."""
        epochs = [{"epoch": epoch, **one.to_json()} for epoch, one in self.epochs.items()]
        return {"late": self.late.to_json(), "epochs": epochs}


def layer_rotation(rows: pd.DataFrame) -> Rotations:
    """Return the rotation of a tensor by its ``rows`` in order of steps, under a rule that theory knows."""
    known = _known(rows)
    late = rows["step"] >= rows["step"].iloc[0] + LATE * (rows["step"].iloc[-1] - rows["step"].iloc[0])
    epochs = {int(str(epoch)): _rotation(some) for epoch, some in known.groupby(rows["epoch"])}
    return Rotations(epochs, _rotation(known[late]))


def _known(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the angles of each row, and ``alike``."""
    rule = str(rows["rule"].iloc[0])
    norm, lr, decay, momentum, length, size = (
        rows[name].to_numpy(float) for name in ("weight_norm", "lr", "weight_decay", "momentum", "grad_norm", "size")
    )
    columns = {
        "measured": rows["rotation"].to_numpy(float),
        "balance": equilibrium_rotation(rule, lr, decay, momentum),
        "uncorrelated": rotation_at(rule, norm, lr, momentum, norm * length, size),
        "alike": _alike(rule, lr * norm if rule == "lars" else lr * length, momentum, rows),
    }
    return pd.DataFrame(columns, index=rows.index)


def _alike(rule: str, scale: Floats, momentum: Floats, rows: pd.DataFrame) -> Floats:
    """Return <g, v> / |g|^2 of each row, by how much of the step is along the gradient; NaN of AdamW.

    A step of ``scale`` (n,) times g/|g| and the velocity: g + rho v, under Nesterov (1 + rho) g + rho^2 v.
    """
    nesterov = RULES[rule].nesterov
    own, held = (1 + momentum, momentum**2) if nesterov else (1.0, momentum)
    along = (rows["update_norm"] * rows["cos_descent_update"]).to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        alike = (along / scale - own) / held
    return np.where(np.isfinite(alike) & (rule != "adamw"), alike, np.nan)


def _rotation(known: pd.DataFrame) -> Rotation:
    measured, balance, uncorrelated = (
        float(np.sqrt((known[name] ** 2).mean())) for name in ("measured", "balance", "uncorrelated")
    )
    return Rotation(measured, balance, uncorrelated, float(known["alike"].mean()))
