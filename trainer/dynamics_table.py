"""The table ``dynamics`` of a run, a row for every traced step and tensor; its columns: ``hpsearch.store.dynamics``.

With w a tensor before a step, w' after it and g the gradient of the mean loss, without weight decay:

rotation             angle between w and w' = 2 asin(|w/|w| - w'/|w'|| / 2)
cos_weight_gradient  1 - |w/|w| - g/|g||^2 / 2
cos_descent_update   the same of -g and w' - w: how much of a step is of its own gradient
effective_lr         lr / |w|^2, by which a step turns a scale-invariant w per gradient at |w| = 1; of LARS, whose step
                     is lr |w| g/|g|, that is lr / (|w| |g|); of Adam and Muon, whose steps do not follow |g|, lr / |w|

The predictions beside them are those of ``hpsearch.analysis.weight_decay`` for the gradient of that one batch.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hpsearch.analysis import weight_decay as theory
from trainer.optim.update import Setting

Columns = dict[str, npt.NDArray[Any]]

MEASURED = ("weight_norm", "grad_norm", "update_norm", "weight_gradient", "weight_weight", "gradient_update")
"""What is measured of a tensor: |w|, |g|, |w' - w|, and the distances of unit vectors: of w and g, of w and w', of -g
and w' - w."""

_SETTINGS = ("rule", "lr", "weight_decay", "momentum")


def table(
    steps: Columns, tensors: Columns, settings: Sequence[Sequence[Setting]], measured: npt.NDArray[np.float64]
) -> Columns:
    """Return the columns, sorted by step.

    ``steps``     columns with a value for each step
    ``tensors``   columns with a value for each tensor
    ``settings``  of each step, those of each tensor
    ``measured``  (steps, len(MEASURED), tensors)
    """
    rows = [setting for each in settings for setting in each]
    known = {
        **{name: np.repeat(values, measured.shape[2]) for name, values in steps.items()},
        **{name: np.tile(values, len(measured)) for name, values in tensors.items()},
        **{name: np.array([getattr(row, name) for row in rows]) for name in _SETTINGS},
    }
    found = {name: measured[:, place].ravel() for place, name in enumerate(MEASURED)}
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        derived = _derived(known, found) | _predicted(known, found["weight_norm"] * found["grad_norm"])
        return known | {name: values.astype(np.float32) for name, values in derived.items()}


def _derived(known: Columns, found: Columns) -> Columns:
    weight, gradient = found["weight_norm"], found["grad_norm"]
    return {
        "weight_norm": weight,
        "grad_norm": gradient,
        "update_norm": found["update_norm"],
        "cos_weight_gradient": 1 - found["weight_gradient"] ** 2 / 2,
        "cos_descent_update": 1 - found["gradient_update"] ** 2 / 2,
        "rotation": 2 * np.arcsin(np.minimum(1, found["weight_weight"] / 2)),
        "relative_update": found["update_norm"] / weight,
        "effective_lr": known["lr"] / weight / _divisor(known["rule"], weight, gradient),
    }


def _divisor(
    rule: npt.NDArray[np.str_], weight: npt.NDArray[np.float64], gradient: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return what the effective rate is smaller by than lr / |w|."""
    return np.select([rule == "lars", np.isin(rule, ("adam", "adamw", "muon"))], [gradient, 1.0], weight)


def _predicted(known: Columns, gradient: npt.NDArray[np.float64]) -> Columns:
    """Return the balance of decay and gradients of scale-invariant tensors; NaN elsewhere."""
    norm, rotation = np.full(len(gradient), np.nan), np.full(len(gradient), np.nan)
    for rule in np.unique(known["rule"]):
        here = (known["rule"] == rule) & known["scale_invariant"]
        lr, decay, momentum = (known[name][here] for name in ("lr", "weight_decay", "momentum"))
        norm[here] = theory.equilibrium_norm(str(rule), lr, decay, momentum, gradient[here], known["size"][here])
        rotation[here] = theory.equilibrium_rotation(str(rule), lr, decay, momentum)
    return {"equilibrium_norm": norm, "equilibrium_rotation": rotation}
