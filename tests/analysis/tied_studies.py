"""Studies of one parameter with given results, without a training."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from hpsearch.store.reader import Study
from hpsearch.trial import FinishedTrial, PendingTrial
from tests.store.examples import make_space, make_trial


def trial(number: int, setting: float, objective: float | None, **changes: Any) -> FinishedTrial:
    """A trial that is known by its setting: the learning rate."""
    return make_trial(number, config={"lr": float(setting)}, objective=objective, **changes)


def runs(results: Iterable[tuple[float, float]], **changes: Any) -> list[FinishedTrial]:
    """Completed trials from pairs of setting and objective, numbered in this order."""
    return [trial(number, *result, **changes) for number, result in enumerate(results)]


def study(
    trials: Iterable[FinishedTrial],
    mode: str = "min",
    pending: Iterable[PendingTrial] = (),
    running: bool = False,
    **blocks: Any,
) -> Study:
    """A study with these trials, in memory."""
    parameters = {"lr": {"type": "real", "low": -1e9, "high": 1e9}}
    objective = {"metric": "val_loss" if mode == "min" else "val_accuracy", "mode": mode}
    space = make_space(parameters, objective=objective, **blocks)
    frames = pd.DataFrame(), pd.DataFrame()
    record = {"sessions": [{"reason": "finished"}]}
    return Study("s", Path.cwd() / "results" / "s", record, space, *frames, tuple(trials), tuple(pending), running)
