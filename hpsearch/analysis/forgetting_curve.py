"""Forgetting curves of a study: the loss of frozen networks by the age of what they learnt; what half the data cost.

A network forgets what it has not seen for long, and the more so the larger its steps are. Then only the latest batches
count, and half as many images, seen twice as often, teach as much (D. Page, "How to Train Your ResNet 2", 2018).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from hpsearch.analysis.forgetting_fit import Fit, Replays, fit
from hpsearch.analysis.means import CONFIDENCE, Interval, Moments, moments
from hpsearch.store.diagnostics import Diagnostics

METRICS = ("unseen_loss", "val_loss", "val_accuracy")


@dataclass(frozen=True)
class Condition:
    """The runs at one learning rate on full or half data.

    ``results``  each of METRICS over the runs that did not diverge; empty where all did
    ``memory_steps``, ``momentum_steps``  in which the decay (NaN without theory) and the momentum forget
    ``fit``  None where there is too little to fit; ``plain`` is the same without the momentum's part in the curve
    """

    factor: float
    lr: float
    data: str
    runs: int
    diverged: int
    images: int
    steps: int
    steps_per_epoch: int
    memory_steps: float
    momentum_steps: float
    results: dict[str, Moments]
    fit: Fit | None
    plain: Fit | None

    @property
    def name(self) -> str:
        """The condition in words."""
        return f"lr {self.lr:.3g}, {self.data} data"

    @property
    def better(self) -> Fit | None:
        """The one of ``fit`` and ``plain`` that leaves less unexplained: they have as many parameters."""
        return min((one for one in (self.fit, self.plain) if one), key=lambda one: one.squares, default=None)

    @property
    def known(self) -> dict[str, float]:
        """The times that are known and finite, in steps."""
        times = {"the momentum": self.momentum_steps, "the decay": self.memory_steps}
        return {name: steps for name, steps in times.items() if math.isfinite(steps)}

    def compatible(self) -> tuple[str, ...]:
        """Return which known times lie in the interval of the better timescale; none where no forgetting shows."""
        if self.better is None or self.better.is_flat:
            return ()
        interval = self.better.interval
        return tuple(name for name, steps in self.known.items() if interval.low <= steps <= interval.high)


@dataclass(frozen=True)
class Halving:
    """Half data minus full data at one learning rate; the interval is None where neither has two of its ``runs``."""

    lr: float
    metric: str
    value: float
    interval: Interval | None
    runs: tuple[int, int]

    @property
    def is_shown(self) -> bool:
        """Whether the difference is above the noise."""
        return self.interval is not None and not self.interval.low <= 0 <= self.interval.high


@dataclass(frozen=True)
class Forgetting:
    """All conditions, by rising learning rate and full data first, and what halving the data changed."""

    conditions: tuple[Condition, ...]
    halvings: tuple[Halving, ...]


def forgetting(study: Diagnostics) -> Forgetting:
    """Return the forgetting curves of the finished runs. Raises StudyError for damaged tables."""
    runs, replays = study.table("forgetting_runs"), study.table("replays")
    groups = runs.groupby(["factor", "data"], sort=True)
    conditions = tuple(_condition(of, replays) for _, of in groups)
    pairs = [
        (full, half)
        for full in conditions
        for half in conditions
        if (full.factor, full.data, half.data) == (half.factor, "full", "half") and full.results and half.results
    ]
    return Forgetting(conditions, tuple(_halving(*pair, metric) for pair in pairs for metric in METRICS[1:]))


def _condition(runs: pd.DataFrame, replays: pd.DataFrame) -> Condition:
    first, good = runs.iloc[0], runs[~runs["diverged"]]
    own = replays[(replays["factor"] == first["factor"]) & (replays["data"] == first["data"])]
    momentum, nesterov = float(first["momentum"]), bool(first["nesterov"])
    return Condition(
        factor=float(first["factor"]),
        lr=float(first["lr"]),
        data=str(first["data"]),
        runs=len(runs),
        diverged=int(runs["diverged"].sum()),
        images=int(first["images"]),
        steps=int(first["steps"]),
        steps_per_epoch=int(first["steps_per_epoch"]),
        memory_steps=float(first["memory_steps"]),
        momentum_steps=1 / (1 - momentum),
        results={name: moments(good[name].tolist()) for name in METRICS} if len(good) else {},
        fit=_fit(own, momentum, nesterov),
        plain=_fit(own, 0.0, nesterov),
    )


def _fit(rows: pd.DataFrame, momentum: float, nesterov: bool) -> Fit | None:
    """Fit the networks' losses on their own batches, with those of the other networks on the same as controls."""
    rows = rows[rows["images"] == rows["images"].max()]  # a last batch that is not full is noisier, and always youngest
    own = rows["seed"] == rows["order_seed"]
    batch = ["order_seed", "age"]
    controls = rows[~own].groupby(batch)["loss"].mean().rename("control")
    table = rows[own].join(controls, on=batch).sort_values(batch)
    control = table["control"] if table["control"].notna().all() else 0.0 * table["loss"]
    run = table["order_seed"].factorize()[0]
    columns = (run, table["age"], table["loss"], control)
    run_, age, loss, control_ = (np.asarray(column, float) for column in columns)
    try:
        return fit(Replays(run_, age, loss, control_, momentum, nesterov))
    except ValueError:
        return None


def _halving(full: Condition, half: Condition, metric: str) -> Halving:
    """Compare means whose runs are taken to have one spread (Student)."""
    a, b = full.results[metric], half.results[metric]
    value, freedom = b.mean - a.mean, a.n + b.n - 2
    if freedom == 0:
        return Halving(full.lr, metric, value, None, (a.n, b.n))
    variance = sum(_squares(one) for one in (a, b)) / freedom
    width = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * math.sqrt(variance * (1 / a.n + 1 / b.n))
    return Halving(full.lr, metric, value, Interval(value - width, value + width), (a.n, b.n))


def _squares(of: Moments) -> float:
    return 0.0 if of.std is None else of.std**2 * (of.n - 1)


def by_age(of: Fit) -> tuple[Sequence[float], Sequence[float]]:
    """Return the ages and the mean adjusted loss over the runs at each."""
    frame = pd.DataFrame({"age": of.replays.age, "loss": of.adjusted}).groupby("age")["loss"].mean()
    return frame.index.tolist(), frame.tolist()
