"""Whether SGD with weight decay is LARS without it: runs of both that share all other settings.

In balance a scale-invariant tensor turns by the same angle in every step, whatever its gradient. LARS without decay, at
the rate sqrt(2 eta alpha (1 - rho)), turns it by that angle from the start (D. Page, "How to Train Your ResNet 6",
2018). If the angle is all that matters, accuracies agree. Means are over runs. The difference at the end has a 95%
interval for unequal variances (B. L. Welch, Biometrika 34, 1947); the widest gap has none: it is the widest of many.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from hpsearch.analysis.means import CONFIDENCE, Interval
from hpsearch.analysis.traced_trials import alike, invariant_rows, traced_trials
from hpsearch.contract import Config
from hpsearch.space.axes import Floats
from hpsearch.store.reader import Study
from hpsearch.trial import FinishedTrial

RULE = "optimizer.name"
LARS = "lars"
SGD = ("sgd", "sgd_nesterov", "sgdw", "sgdw_nesterov")
OTHERS = "LARS with weight decay, or SGD without"
"""Why a trial is left out."""
METRICS = ("val_accuracy", "val_loss")
LAST = 1 / 3
"""The share of the run, at its end, over which rotations are compared."""


@dataclass(frozen=True)
class Curve:
    """A metric after every epoch, (m,) each: the mean over ``n`` runs and its standard error, NaN for a single one."""

    n: int
    mean: Floats
    standard_error: Floats


@dataclass(frozen=True)
class Difference:
    """LARS minus SGD; interval and degrees of freedom are None where a side has a single run."""

    value: float
    standard_error: float | None
    freedom: float | None
    interval: Interval | None

    @property
    def verdict(self) -> str:
        """The comparison in words."""
        if self.interval is None:
            return "not enough data: a side has one run"
        return "agree within the noise" if self.interval.low <= 0 <= self.interval.high else "differ"


@dataclass(frozen=True)
class Compared:
    """A metric under both rules: the ``difference`` at the end, and the widest gap on the way with its epoch."""

    metric: str
    epochs: Floats
    lars: Curve
    sgd: Curve
    difference: Difference
    widest: float
    widest_epoch: int


@dataclass(frozen=True)
class Turning:
    """Rotation per step (radians), (s,) each: over runs the rms of the median over the scale-invariant tensors.

    ``ratio`` is LARS over SGD, the rms of both over the last third of the run.
    """

    step: Floats
    lars: Floats
    sgd: Floats
    ratio: float


@dataclass(frozen=True)
class Equivalence:
    """One setting under LARS and under ``sgd``, one of the rules of SGD; ``config`` is the rest of it."""

    sgd: str
    config: Config
    metrics: tuple[Compared, ...]
    turning: Turning

    def to_json(self) -> dict[str, Any]:
        """Return plain data for strict JSON, without the curves."""
        return {
            "rules": [LARS, self.sgd],
            "config": dict(self.config),
            "metrics": {one.metric: _plain(one) for one in self.metrics},
            "rotation_ratio": self.turning.ratio if math.isfinite(self.turning.ratio) else None,
        }


@dataclass(frozen=True)
class Equivalences:
    """All pairs of a study; ``left_out`` counts the trials that are not compared, by the reason."""

    pairs: tuple[Equivalence, ...]
    left_out: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return plain data for strict JSON."""
        return {"pairs": [pair.to_json() for pair in self.pairs], "left_out": dict(self.left_out)}


def lars_equivalence(study: Study) -> Equivalences:
    """Compare the traced full runs of ``study`` under LARS without weight decay with those under SGD with it.

    A pair is a setting that has both.
    Raises StudyError where no trial, or no scale-invariant tensor, was traced.
    """
    chosen = traced_trials(study)
    rows = invariant_rows(study, chosen.trials, ("trial_id", "layer", "step", "weight_decay", "rotation"))
    turned = rows.groupby(["trial_id", "step"])["rotation"].median()
    decays = {str(trial): float(some.max()) for trial, some in rows.groupby("trial_id")["weight_decay"]}
    others = [trial for trial in chosen.trials if trial.config.get(RULE) in (LARS, *SGD) and not _fits(trial, decays)]
    pairs = []
    for setting, trials in alike((trial for trial in chosen.trials if _fits(trial, decays)), RULE):
        by_rule = {rule: [trial for trial in trials if trial.config.get(RULE) == rule] for rule in (LARS, *SGD)}
        for rule in SGD:
            lars, sgd = by_rule[LARS], by_rule[rule]
            if lars and sgd:
                metrics = tuple(one for name in METRICS if (one := _compared(study, name, lars, sgd)) is not None)
                pairs.append(Equivalence(rule, setting, metrics, _turning(turned, lars, sgd)))
    return Equivalences(tuple(pairs), Counter(chosen.left_out) + Counter({OTHERS: len(others)}))


def _fits(trial: FinishedTrial, decays: Mapping[str, float]) -> bool:
    """Whether the scale-invariant tensors of a trial have no decay under LARS, or decay under another rule."""
    decay = decays.get(trial.trial_id)
    return decay is not None and (decay == 0) == (trial.config.get(RULE) == LARS)


def welch(first: Floats, second: Floats) -> Difference:
    """Return the mean of ``first`` minus that of ``second``, one or more values each."""
    value = float(first.mean() - second.mean())
    if min(len(first), len(second)) < 2:
        return Difference(value, None, None, None)
    squares = [float(side.var(ddof=1)) / len(side) for side in (first, second)]
    total = sum(squares)
    spread = sum(square**2 / (len(side) - 1) for square, side in zip(squares, (first, second), strict=True))
    freedom = total**2 / spread if spread else float(len(first) + len(second) - 2)
    half = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * math.sqrt(total)
    return Difference(value, math.sqrt(total), freedom, Interval(value - half, value + half))


def _compared(
    study: Study, metric: str, lars: Sequence[FinishedTrial], sgd: Sequence[FinishedTrial]
) -> Compared | None:
    """Return what becomes of ``metric``, None where the trials do not report it."""
    if metric not in study.epochs:
        return None
    table = study.epochs.pivot(index="epoch", columns="trial_id", values=metric)
    sides = [table[[trial.trial_id for trial in side]] for side in (lars, sgd)]
    table = pd.concat(sides, axis="columns").dropna()
    if table.empty:
        return None
    first, second = (table[side.columns].to_numpy() for side in sides)
    curves, gaps = (_curve(first), _curve(second)), first.mean(axis=1) - second.mean(axis=1)
    widest = int(np.abs(gaps).argmax())
    epochs = table.index.to_numpy(dtype=np.float64)
    return Compared(
        metric=metric,
        epochs=epochs,
        lars=curves[0],
        sgd=curves[1],
        difference=welch(first[-1], second[-1]),
        widest=float(gaps[widest]),
        widest_epoch=int(epochs[widest]),
    )


def _curve(values: Floats) -> Curve:
    """Return the curve of runs (m, n)."""
    n = values.shape[1]
    error = values.std(axis=1, ddof=1) / math.sqrt(n) if n > 1 else np.full(len(values), np.nan)
    return Curve(n, values.mean(axis=1), error)


def _turning(turned: "pd.Series[float]", lars: Sequence[FinishedTrial], sgd: Sequence[FinishedTrial]) -> Turning:
    table = turned.unstack("trial_id")
    sides = [(table[[trial.trial_id for trial in side]] ** 2).mean(axis=1) ** 0.5 for side in (lars, sgd)]
    both = pd.concat(sides, axis="columns").dropna()
    values, last = both.to_numpy(dtype=np.float64), max(1, round(len(both) * LAST))
    ends = np.sqrt((values[-last:] ** 2).mean(axis=0))
    ratio = float(ends[0] / ends[1]) if ends[1] > 0 else math.nan
    return Turning(both.index.to_numpy(dtype=np.float64), values[:, 0], values[:, 1], ratio)


def _plain(of: Compared) -> dict[str, Any]:
    ends = {side: {"n": curve.n, "mean": float(curve.mean[-1])} for side, curve in ((LARS, of.lars), ("sgd", of.sgd))}
    difference = {**asdict(of.difference), "verdict": of.difference.verdict}
    return {**ends, "difference": difference, "widest_gap": of.widest, "widest_gap_epoch": of.widest_epoch}
