"""Means over the repeats of a setting, against NumPy."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.analysis.repeats import Repeated, any_repeated, by_setting, varying
from hpsearch.space.spec import Space
from hpsearch.store.reader import open_study
from hpsearch.store.writer import StudyWriter
from hpsearch.trial import FinishedTrial, Status
from tests.store.examples import make_space, make_trial

A, B, C = ({"lr": lr, "batch_size": 128, "momentum": 0.9} for lr in (0.1, 0.2, 0.3))


def read(results: Path, trials: Sequence[FinishedTrial], space: Space | None = None) -> tuple[Repeated, ...]:
    with StudyWriter.create(results, "s", space or make_space(), {}) as writer:
        for trial in trials:
            writer.finished(trial)
    return by_setting(open_study(results, "s"))


def trial(number: int, config: dict[str, Any], objective: float | None, **changes: Any) -> FinishedTrial:
    return make_trial(number, config=config, objective=objective, **changes)


def test_means_are_over_the_completed_trials_of_a_setting(tmp_path: Path) -> None:
    accuracies = {0: 0.91, 2: 0.94, 5: 0.93}
    trials = [
        *(
            trial(n, A, 1 - accuracy, train_seconds=10.0 + n, metrics={"val_loss": 1.0, "test_accuracy": accuracy})
            for n, accuracy in accuracies.items()
        ),
        trial(1, B, 0.05, metrics={"val_loss": 1.0, "extra": 2.0}),
        trial(3, A, 0.01, status=Status.STOPPED),
        trial(4, A, None, status=Status.FAILED, error="boom"),
        trial(6, C, None),
        trial(7, B, 0.02, metrics={"val_loss": 3.0}),
    ]
    second, first = read(tmp_path, trials)[::-1]
    assert (first.config, first.trials, first.n) == (B, ("00001", "00007"), 2)
    assert first.metrics == {"val_loss": 2.0}, "a metric that only some of the trials have is left out"
    values = np.array(list(accuracies.values()))
    assert (second.config, second.trials) == (A, ("00000", "00002", "00005"))
    assert second.mean == pytest.approx(np.mean(1 - values))
    assert second.std == pytest.approx(np.std(1 - values, ddof=1))
    assert second.standard_error == pytest.approx(np.std(values, ddof=1) / np.sqrt(3))
    assert second.metrics["test_accuracy"] == pytest.approx(np.mean(values))
    assert second.train_seconds == pytest.approx(10 + (0 + 2 + 5) / 3)


def test_one_trial_has_no_spread(tmp_path: Path) -> None:
    (only,) = read(tmp_path, [trial(0, A, 0.5)])
    assert (only.mean, only.std, only.standard_error, only.n) == (0.5, None, None, 1)
    assert not any_repeated([only])


def test_a_study_without_trials_has_no_settings(tmp_path: Path) -> None:
    assert read(tmp_path, []) == ()
    assert not any_repeated(()) and varying(()) == []


@pytest.mark.parametrize(("mode", "expected"), [("min", [A, C, B]), ("max", [B, C, A])])
def test_the_best_mean_comes_first(tmp_path: Path, mode: str, expected: list[dict[str, Any]]) -> None:
    """B has the best single trial either way, but not the lowest mean."""
    values = [(A, 2.0), (A, 3.0), (B, 1.0), (B, 9.0), (C, 4.0)]
    trials = [trial(number, config, value) for number, (config, value) in enumerate(values)]
    space = make_space(objective={"metric": "val_loss", "mode": mode})
    assert [setting.config for setting in read(tmp_path, trials, space)] == expected


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=8))
def test_the_standard_error_is_that_of_the_mean(values: list[float]) -> None:
    std = float(np.std(values, ddof=1))
    setting = Repeated(A, tuple(map(str, values)), float(np.mean(values)), std, {}, 1.0)
    assert setting.standard_error == pytest.approx(std / math.sqrt(len(values)))


def test_what_varies_includes_what_is_sometimes_absent() -> None:
    configs: list[dict[str, Any]] = [
        {"kind": "a", "x": 1, "same": True, "some": 5},
        {"kind": "b", "x": 1, "same": True},
        {"kind": "b", "x": 2, "same": True},
    ]
    settings = [Repeated(config, ("0",), 0.0, None, {}, 1.0) for config in configs]
    assert varying(settings) == ["kind", "x", "some"]
    assert varying(settings[:1]) == []


def test_it_is_strict_json() -> None:
    setting = Repeated(A, ("0", "1"), 0.5, 0.2, {"x": math.nan, "y": 1.0}, 1.0)
    data = json.loads(json.dumps(setting.to_json(), allow_nan=False))
    assert data["metrics"] == {"x": None, "y": 1.0}
    assert (data["n"], data["standard_error"]) == (2, pytest.approx(0.2 / math.sqrt(2)))
    assert data["config"] == A
