"""Whether runs of equal decay are one run: their effective learning rates over time, and where they end.

decay           delta, the share of its direction that a weight tensor forgets in a step: eta alpha / (1 - rho) for SGD
                (``weight_decay.decay_rate``), at the peak of eta
ratio           eta / alpha, there
effective rate  eta / |w|^2, under AdamW, whose steps do not shrink as |w| grows, eta / |w|: the median over the
                scale-invariant tensors; its logarithm is compared

Once |w| has come to its balance the effective rate depends on the decay alone (D. Page, "How to Train Your ResNet 6",
2018), so of the variance between trials the decay should explain all and the ratio nothing, while both matter early.
That holds for trials that differ in learning rate and weight decay only; ``others`` names what else was varied.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from hpsearch.analysis.decay_and_ratio import (
    Cell,
    Run,
    Shares,
    Spread,
    missing,
    plane,
    spread,
    variance,
    variance_over_run,
)
from hpsearch.analysis.peak_rates import commonest_power, run_at, why_left_out
from hpsearch.analysis.traced_trials import invariant_rows, result, result_metric, traced_trials
from hpsearch.space.axes import Floats
from hpsearch.store.reader import Study

POINTS = 101
LATER = 0.5
"""The numbers for a whole run are over what comes after this share of it."""

_COLUMNS = ("trial_id", "step", "rule", "lr", "weight_decay", "momentum", "weight_norm")


@dataclass(frozen=True)
class Collapse:
    """What the traced trials of a study say of decay and ratio.

    ``metric``           of the results;  ``left_out`` counts the trials that are not compared, by the reason
    ``rules``            the update rules that the tensors of the compared trials follow
    ``others``           parameters that differ between the trials beside learning rate and weight decay
    ``grid`` (m,)        shares of the run;  ``curves`` (n, m) the log of the effective rate of each run there
    ``power``            the effective rate is eta over |w| to this power
    ``effective``        shares of the variance of its log, over the later half of the run
    ``over_run``         the same at every point of the grid, (m,) each, by the names in ``Shares``
    ``results``          shares of the variance of the results
    ``missing``          what the study would need to tell decay and ratio apart, None where it does
    """

    metric: str
    runs: tuple[Run, ...]
    left_out: Mapping[str, int]
    rules: tuple[str, ...]
    others: tuple[str, ...]
    grid: Floats
    curves: Floats
    power: float
    effective: Shares
    over_run: Mapping[str, Floats]
    results: Shares
    spread: Spread | None
    plane: tuple[Cell, ...]
    missing: str | None

    def to_json(self) -> dict[str, Any]:
        """Return plain data for strict JSON, without the curves."""
        spread = self.spread and {name: value for name, value in asdict(self.spread).items() if name != "curve"}
        return {
            "metric": self.metric,
            "trials": [asdict(run) for run in self.runs],
            "left_out": dict(self.left_out),
            "others": list(self.others),
            "power": self.power,
            "effective_lr": asdict(self.effective),
            "results": asdict(self.results),
            "spread": spread,
            "plane": [asdict(cell) for cell in self.plane],
            "missing": self.missing,
        }


def collapse(study: Study) -> Collapse:
    """Compare the traced full runs of ``study``. Raises StudyError where no trial, or no such tensor, was traced."""
    chosen = traced_trials(study)
    metric = result_metric(study, chosen.trials)
    rows = invariant_rows(study, chosen.trials, _COLUMNS)
    peaks = rows.loc[rows.groupby("trial_id")["lr"].idxmax()].set_index("trial_id").to_dict("index")
    power = commonest_power(peaks.values())
    reasons = [why_left_out(peaks.get(trial.trial_id), power) for trial in chosen.trials]
    compared = [trial for trial, reason in zip(chosen.trials, reasons, strict=True) if reason is None]
    kept = tuple(run_at(peaks[trial.trial_id], trial.trial_id, result(trial, metric)) for trial in compared)
    grid, curves = _curves(rows, [run.trial_id for run in kept], power)
    return Collapse(
        metric=metric,
        runs=kept,
        left_out=Counter(chosen.left_out) + Counter(reason for reason in reasons if reason is not None),
        rules=tuple(rows["rule"][rows["trial_id"].isin([run.trial_id for run in kept])].unique()),
        others=_others(study, kept),
        grid=grid,
        curves=curves,
        power=power,
        effective=variance(kept, curves[:, grid >= LATER]),
        over_run=variance_over_run(kept, curves),
        results=variance(kept, np.array([[run.result] for run in kept]).reshape(-1, 1)),
        spread=spread(kept, curves),
        plane=plane(kept),
        missing=missing(kept),
    )


def _curves(rows: pd.DataFrame, trials: Sequence[str], power: float) -> tuple[Floats, Floats]:
    """Return the part of the grid (m,) on which all of ``trials`` move, and their curves (n, m) there."""
    moving = rows[(rows["lr"] > 0) & (rows["weight_norm"] > 0)]
    rates = np.log(moving["lr"]) - power * np.log(moving["weight_norm"].astype(float))
    logs = rates.groupby([moving["trial_id"], moving["step"]]).median()
    grid = np.linspace(0, 1, POINTS)
    ends = rows.groupby("trial_id")["step"].max()
    curves = np.array([_on_grid(logs[trial], ends[trial], grid) for trial in trials]).reshape(-1, POINTS)
    known = np.isfinite(curves).all(axis=0)
    return grid[known], curves[:, known]


def _on_grid(log: "pd.Series[float]", end: int, grid: Floats) -> Floats:
    return np.interp(grid, log.index.to_numpy() / max(end, 1), log.to_numpy(), left=np.nan, right=np.nan)


def _others(study: Study, runs: Sequence[Run]) -> tuple[str, ...]:
    names, kept = study.space.coordinates, {run.trial_id for run in runs}
    own = {names.lr, names.weight_decay, names.rate, names.tau}
    configs = [trial.config for trial in study.history if trial.trial_id in kept]
    found = dict.fromkeys(name for config in configs for name in config if name not in own)
    return tuple(name for name in found if len({config.get(name) for config in configs}) > 1)
