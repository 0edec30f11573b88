"""The tables of docs/weight_decay.md, from the stored studies: how far theory holds, and where it does not.

    python -m benchmarks.weight_decay

It trains nothing. Rotations and balances are over the last third of the runs of ``norm_reset``, whose learning rate is
constant, and along the ramps of the runs of SGD in ``lars_equivalent``. Medians are over tensors and runs.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from hpsearch.analysis.layer_dynamics import trial_dynamics
from hpsearch.analysis.layer_rotation import LATE
from hpsearch.analysis.merging import merging
from hpsearch.analysis.weight_decay import equilibrium_norm, equilibrium_rotation
from hpsearch.store.dynamics import read_dynamics, traced
from hpsearch.store.reader import Study, open_study

REFERENCE = Path(__file__).parents[1] / "results" / "reference"
SCALE, RULE = "model.weight_scale", "optimizer.name"
PLACES = ((70, 90), (150, 170), (230, 250), (310, 330), (350, 370), (380, 391))
"""Steps of the run, from and to: the learning rate is highest at 79 and 0 at 395."""


def rotations(study: Study) -> list[str]:
    """Return a row for each run: scale, seed, measured over predicted rotation and what it is made of."""
    rows = []
    for trial in study.history:
        found = trial_dynamics(read_dynamics(study, [trial.trial_id]))
        late = [layer.rotations.late for layer in found.layers]
        parts = [np.median([getattr(one, name) for one in late]) for name in ("by_norm", "by_correlation", "alike")]
        low, high = min(found.ratios), max(found.ratios)
        ratio, by_norm, by_correlation, alike = np.median(found.ratios), *parts
        cells = (f"{ratio:.2f} ({low:.2f} to {high:.2f})", f"{by_norm:.2f}", f"{by_correlation:.2f}", f"{alike:.2f}")
        rows.append(row(f"{trial.config[SCALE]:g}", trial.trial_id, *cells))
    return rows


def kinds(study: Study) -> list[str]:
    """Return a row for each kind of tensor, scale invariant or not, by the formulas of those that are."""
    runs = [trial.trial_id for trial in study.history if trial.config[SCALE] == 1.0]
    rows = read_dynamics(study, runs)
    late = rows[rows["step"] >= LATE * rows["step"].max()]
    tensors = pd.DataFrame(
        {"kind": one["kind"].iloc[0], "norm": over_balance(one), "rotation": over_prediction(one), "cos": cosine(one)}
        for _, one in late.groupby(["trial_id", "layer"], sort=False)
    )
    return [
        row(
            kind,
            *(
                f"{one[name].median():.2f} ({one[name].min():.2f} to {one[name].max():.2f})"
                for name in ("norm", "rotation")
            ),
            f"{one['cos'].median():.2f}",
        )
        for kind, one in tensors.groupby("kind", sort=False)
    ]


def ramps(study: Study) -> list[str]:
    """Return a row for each weight decay: |w| over its balance, and measured over predicted rotation, along the run."""
    rows = []
    for decay in sorted({float(str(trial.config["weight_decay"])) for trial in study.history}):
        runs = [t.trial_id for t in study.history if t.config["weight_decay"] == decay and t.config[RULE] != "lars"]
        moves = read_dynamics(study, runs, invariant=True)
        cells = []
        for first, last in PLACES:
            here = moves[moves["step"].between(first, last)].groupby(["trial_id", "layer"])
            norm, turn = (np.median([of(one) for _, one in here]) for of in (over_balance, over_prediction))
            cells.append(f"{norm:.2f}, {turn:.2f}")
        rows.append(row(f"{decay:g}", *cells))
    return rows


def merged(study: Study) -> list[str]:
    """Return a row for each tensor: from which step its lengths are one, measured and by theory."""
    (found,) = merging(study).settings
    rows = [
        row(
            layer.name,
            *(f"{step:.0f}" for step in (layer.measured, layer.predicted)),
            ratio(layer.measured, layer.predicted),
        )
        for layer in found.layers
        if layer.measured and layer.predicted
    ]
    assert len(rows) == len(found.layers) and found.measured and found.predicted
    return [*rows, row("median", f"{found.measured:.0f}", f"{found.predicted:.0f}", f"{found.ratio:.2f}")]


def ratio(measured: float, predicted: float) -> str:
    """Return how many times as long it took."""
    return f"{measured / predicted:.2f}"


def over_balance(rows: pd.DataFrame) -> float:
    """Return |w| over the balance for gradients of this root mean square, at the mean learning rate."""
    gradient = np.sqrt(((rows["grad_norm"] * rows["weight_norm"]).astype(float) ** 2).mean())
    lr, decay, momentum = (float(rows[name].mean()) for name in ("lr", "weight_decay", "momentum"))
    balance = equilibrium_norm(rows["rule"].iloc[0], lr, decay, momentum, gradient, float(rows["size"].iloc[0]))
    return float(rows["weight_norm"].mean() / balance)


def over_prediction(rows: pd.DataFrame) -> float:
    """Return measured over predicted rotation, root mean squares."""
    rates = (rows[name].to_numpy() for name in ("lr", "weight_decay", "momentum"))
    predicted = equilibrium_rotation(rows["rule"].iloc[0], *rates)
    return float(np.sqrt((rows["rotation"].astype(float) ** 2).mean() / (predicted**2).mean()))


def cosine(rows: pd.DataFrame) -> float:
    """Return the mean size of the cosine between w and g, which is 0 where the length of w does not matter."""
    return float(rows["cos_weight_gradient"].abs().mean())


def row(*cells: str) -> str:
    """Return a row of a table in Markdown."""
    return f"| {' | '.join(cells)} |"


def tables() -> dict[str, list[str]]:
    """Return the rows of each table."""
    reset, lars = (open_study(REFERENCE, name) for name in ("norm_reset", "lars_equivalent"))
    assert all(len(traced(study)) == len(study.history) for study in (reset, lars))
    return {"merged": merged(reset), "rotations": rotations(reset), "kinds": kinds(reset), "ramps": ramps(lars)}


if __name__ == "__main__":
    for name, rows in tables().items():
        print(f"\n{name}", *rows, sep="\n")
