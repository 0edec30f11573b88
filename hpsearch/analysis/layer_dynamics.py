"""How the weights of one trial moved, tensor by tensor, beside what theory says (post 6).

Questions 1 and 2 of the theory of weight decay: do norms come to their balance, and do all tensors turn at one rate?
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hpsearch.analysis.layer_norms import Norms, layer_norms
from hpsearch.analysis.layer_rotation import Rotations, layer_rotation
from hpsearch.analysis.update_rules import RULES

LEAST_ROWS = 5
"""Over at least so many rows gradients are smoothed, where an epoch has fewer."""

LENGTH_MATTERS = {
    "norm scale": "it sets the size of what follows, so its length matters",
    "norm bias": "it is added to what has a size of its own, so its length matters",
    "bias": "it is added to what has a size of its own, so its length matters",
    "linear": "no norm follows, so its length sets the size of the outputs",
}


@dataclass(frozen=True)
class Layer:
    """A tensor whose length does not change the loss, under a rule that theory knows."""

    name: str
    kind: str
    rule: str
    norms: Norms
    rotations: Rotations

    def to_json(self) -> dict[str, Any]:
        """Return plain data for strict JSON."""
        named = {"layer": self.name, "kind": self.kind, "rule": self.rule}
        return {**named, "norm": self.norms.to_json(), "rotation": self.rotations.to_json()}


@dataclass(frozen=True)
class Apart:
    """A tensor of which theory says nothing, and why."""

    name: str
    kind: str
    why: str


@dataclass(frozen=True)
class TrialDynamics:
    """The dynamics of a trial.

    ``diverged_at_step``  the first traced step at which a norm was not finite: rows from there on are left out
    ``steps_per_epoch``   for an axis of epochs
    """

    trial_id: str
    diverged_at_step: int | None
    steps_per_epoch: float
    layers: tuple[Layer, ...]
    apart: tuple[Apart, ...]

    @property
    def ratios(self) -> tuple[float, ...]:
        """Measured over predicted rotation in the last third, by layer, where there is a prediction."""
        ratios = (layer.rotations.late.ratio for layer in self.layers)
        return tuple(ratio for ratio in ratios if np.isfinite(ratio))

    def to_json(self) -> dict[str, Any]:
        """Return plain data for strict JSON."""
        ratios = self.ratios
        rotation = {"median": float(np.median(ratios)), "least": min(ratios), "most": max(ratios)} if ratios else None
        return {
            "trial_id": self.trial_id,
            "diverged_at_step": self.diverged_at_step,
            "steps_per_epoch": self.steps_per_epoch,
            "measured_over_predicted_rotation": rotation,
            "layers": [layer.to_json() for layer in self.layers],
            "apart": [vars(one) for one in self.apart],
        }


def trial_dynamics(rows: pd.DataFrame) -> TrialDynamics:
    """Return the dynamics of the one trial whose ``rows`` (of ``hpsearch.store.dynamics``) these are."""
    trial_id, diverged = str(rows["trial_id"].iloc[0]), _diverged(rows)
    if diverged is not None:
        rows = rows[rows["step"] < diverged]
    tensors = [some for _, some in rows.groupby("layer", sort=False)]
    window = max([LEAST_ROWS, *(int(some.groupby("epoch").size().median()) for some in tensors)])
    whys = [_why_apart(some) for some in tensors]
    layers = [_layer(some, window) for some, why in zip(tensors, whys, strict=True) if why is None]
    apart = [Apart(*_named(some)[:2], why) for some, why in zip(tensors, whys, strict=True) if why is not None]
    return TrialDynamics(trial_id, diverged, steps_per_epoch(rows), tuple(layers), tuple(apart))


def steps_per_epoch(rows: pd.DataFrame) -> float:
    """Return how many steps an epoch has, as near as the traced ones tell; of a single epoch, its traced length.

    Step s lies in epoch e: (e - 1) n <= s < e n.
    """
    step, epoch = rows["step"].to_numpy(float), rows["epoch"].to_numpy(float)
    later = epoch > 1
    least = np.max((step + 1) / epoch, initial=1)
    most = np.min(step[later] / (epoch[later] - 1), initial=np.inf)
    return float((least + most) / 2 if np.isfinite(most) else least)


def _diverged(rows: pd.DataFrame) -> int | None:
    finite = np.isfinite(rows[["weight_norm", "grad_norm", "update_norm"]].to_numpy()).all(axis=1)
    return None if finite.all() else int(rows["step"].to_numpy()[~finite].min())


def _why_apart(rows: pd.DataFrame) -> str | None:
    """Return why theory says nothing of a tensor, None where it does."""
    rule, kind = rows["rule"].iloc[0], rows["kind"].iloc[0]
    if not rows["scale_invariant"].all():
        return LENGTH_MATTERS.get(kind, "the loss changes with its length")
    if (rows["weight_norm"] == 0).any():
        return "it is zero, and has no direction"
    if rule not in RULES:
        return f"there is no theory of {rule}"
    return "there is no theory of lars with weight decay" if rule == "lars" and rows["weight_decay"].any() else None


def _named(rows: pd.DataFrame) -> tuple[str, str, str]:
    name, kind, rule = (str(rows[column].iloc[0]) for column in ("layer", "kind", "rule"))
    return name, kind, rule


def _layer(rows: pd.DataFrame, window: int) -> Layer:
    return Layer(*_named(rows), layer_norms(rows, window), layer_rotation(rows))
