"""Whatever trials are written, the same trials come back."""

import math
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpsearch.space.parameters import Choice, Constant, Integer, Parameter, Real
from hpsearch.space.spec import Space
from hpsearch.store.reader import open_study
from hpsearch.store.writer import StudyWriter
from hpsearch.trial import EpochReport, FinishedTrial, PendingTrial, Status

from .examples import make_reports, make_space, make_trial, run_trial

NUMBERS = st.floats(-1e6, 1e6)
VALUES = st.one_of(st.booleans(), st.integers(-(2**62), 2**62), NUMBERS, st.text(max_size=5))
NAMES = st.sampled_from(
    ["lr", "seed", "status", "val_loss", "epoch", "config.seed", "metric.x", "augment.cutout", "note"]
)
METRIC_NAMES = st.sampled_from(
    ["val_loss", "val_accuracy", "test_accuracy", "train_loss", "lr", "seed", "metric.lr", "x"]
)
METRICS = st.dictionaries(METRIC_NAMES, st.floats(), max_size=4)


def unique_values(values: list[Any]) -> list[Any]:
    return [value for position, value in enumerate(values) if value not in values[:position]]


PARAMETERS = st.one_of(
    st.tuples(NUMBERS, NUMBERS).map(lambda ends: {"type": "real", "low": min(ends), "high": max(ends)}),
    st.tuples(st.integers(-99, 99), st.integers(0, 99)).map(
        lambda ends: {"type": "integer", "low": ends[0], "high": ends[0] + ends[1]}
    ),
    st.lists(VALUES, min_size=1, max_size=4).map(lambda values: {"type": "choice", "values": unique_values(values)}),
    VALUES.map(lambda value: {"type": "constant", "value": value}),
)


def values_of(parameter: Parameter) -> st.SearchStrategy[Any]:
    match parameter:
        case Real() | Integer():
            return st.floats(0, 1, exclude_max=True).map(parameter.from_unit)
        case Choice():
            return st.sampled_from(parameter.values)
        case Constant():
            return st.just(parameter.value)


@st.composite
def trials(draw: st.DrawFn, space: Space, number: int) -> tuple[FinishedTrial, list[EpochReport]]:
    present = draw(st.sets(st.sampled_from(sorted(space.parameters))))  # the others are inactive
    config = {name: draw(values_of(parameter)) for name, parameter in space.parameters.items() if name in present}
    reports = [
        EpochReport(epoch, draw(METRICS), draw(st.floats(0, 1e4)), draw(st.booleans()))
        for epoch in draw(st.sets(st.integers(1, 30), max_size=4).map(sorted))
    ]
    moment = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
    trial = FinishedTrial(
        number=number,
        config=config,
        seed=draw(st.integers(0, 2**32 - 1)),
        status=draw(st.sampled_from(Status)),
        objective=draw(st.none() | st.floats(allow_nan=False, allow_infinity=False)),
        curve=tuple((r.epoch, r.metrics["val_loss"]) for r in reports if "val_loss" in r.metrics),
        metrics=draw(METRICS),
        epochs=len(reports),
        train_seconds=draw(st.floats(0, 1e6)),
        started_at=draw(moment),
        finished_at=draw(moment),
        notes=draw(st.dictionaries(st.sampled_from(["device", "note", "stop_reason"]), st.text())),
        error=draw(st.none() | st.text()),
    )
    return trial, reports


@st.composite
def studies(draw: st.DrawFn) -> tuple[Space, list[tuple[FinishedTrial, list[EpochReport]]]]:
    space = make_space(draw(st.dictionaries(NAMES, PARAMETERS, min_size=1, max_size=4)))
    numbers = draw(st.lists(st.sampled_from([0, 1, 499, 500, 999, 1000, 2500]), unique=True, max_size=5))
    return space, [draw(trials(space, number)) for number in numbers]


def same(one: Any, other: Any) -> bool:
    """Equality in which NaN equals itself and 1 differs from 1.0 and True."""
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


@given(studies())
@settings(max_examples=40, deadline=None)
def test_trials_come_back_as_they_were(study: tuple[Space, list[tuple[FinishedTrial, list[EpochReport]]]]) -> None:
    space, written = study
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder)
        with StudyWriter.create(results, "s", space, {}) as writer:
            for trial, reports in written:
                run_trial(writer, trial, reports)
        expected = sorted((trial for trial, _ in written), key=lambda trial: trial.number)
        with StudyWriter.open(results, "s") as writer:
            assert len(writer.history) == len(expected)
            for one, other in zip(writer.history, expected, strict=True):
                assert same(vars(one), vars(other)), (one, other)
            assert writer.pending == ()
            assert writer.record["space"] == space.dump()
        frame = pd.read_parquet(results / "s" / "trials")
        assert list(frame["number"]) == [trial.number for trial in expected]
        epochs = pd.read_parquet(results / "s" / "epochs")
        assert len(epochs) == sum(len(reports) for _, reports in written)


def test_pending_trials_come_back_in_the_order_of_their_start(tmp_path: Path) -> None:
    pending = [
        PendingTrial(3, {"lr": 0.1 + 0.2, "batch_size": 128, "momentum": 0.9}, 2**32 - 1),
        PendingTrial(1, {"lr": 1 / 3}, 0),
    ]
    with StudyWriter.create(tmp_path, "s", make_space(), {}) as writer:
        for trial in pending:
            writer.started(trial)
    with StudyWriter.open(tmp_path, "s") as writer:
        assert writer.pending == tuple(pending)


def test_a_rerun_replaces_the_rows_and_forgets_the_reports_of_the_run_before(tmp_path: Path) -> None:
    with StudyWriter.create(tmp_path, "s", make_space(), {}) as writer:
        for report in make_reports([3.0, 2.0, 1.0]):
            writer.reported(make_trial(0), report)
        second = make_reports([9.0])
        run_trial(writer, make_trial(0, second), second)
        again = make_reports([8.0, 7.0])
        run_trial(writer, make_trial(0, again), again)
    study = open_study(tmp_path, "s")
    assert list(study.epochs["val_loss"]) == [8.0, 7.0]
    assert list(study.trials["objective"]) == [7.0]


def test_a_trial_that_a_worker_starts_again_keeps_the_later_reports(tmp_path: Path) -> None:
    with StudyWriter.create(tmp_path, "s", make_space(), {}) as writer:
        writer.started(make_trial(0))
        for report in [*make_reports([5.0, 4.0, 3.0]), *make_reports([2.0, 1.0])]:
            writer.reported(make_trial(0), report)
        writer.finished(make_trial(0, make_reports([2.0, 1.0])))
    assert list(open_study(tmp_path, "s").epochs["objective"]) == [2.0, 1.0]


def test_a_trial_that_is_started_again_and_fails_at_once_has_no_epochs(tmp_path: Path) -> None:
    with StudyWriter.create(tmp_path, "s", make_space(), {}) as writer:
        writer.started(make_trial(0))
        for report in make_reports([2.0, 1.0]):
            writer.reported(make_trial(0), report)
        run_trial(writer, make_trial(0, status=Status.FAILED, error="boom"))
    assert open_study(tmp_path, "s").epochs.empty


def test_forgotten_trials_are_pending_with_the_same_setting_and_leave_no_rows(tmp_path: Path) -> None:
    tables = {"dynamics": {"norm": [1.0]}}
    with StudyWriter.create(tmp_path, "s", make_space(), {}) as writer:
        for number in range(4):
            reports = make_reports([1.0], tables=tables)
            failed = {"status": Status.FAILED, "error": "boom"} if number in (1, 3) else {}
            run_trial(writer, make_trial(number, reports, **failed), reports)
        writer.forget([1, 3])
        assert [trial.number for trial in writer.history] == [0, 2]
    with StudyWriter.open(tmp_path, "s") as writer:
        assert [trial.number for trial in writer.history] == [0, 2]
        assert [(trial.number, trial.config, trial.seed) for trial in writer.pending] == [
            (number, make_trial(number).config, 1000 + number) for number in (1, 3)
        ]
    for table in ("trials", "epochs", "dynamics"):
        assert set(pd.read_parquet(tmp_path / "s" / table)["trial_id"]) == {"00000", "00002"}


def test_an_error_that_is_not_unicode_is_kept_readable(tmp_path: Path) -> None:
    with StudyWriter.create(tmp_path, "s", make_space(), {}) as writer:
        run_trial(writer, make_trial(0, status=Status.FAILED, error="no file \udcff.png"))
    assert open_study(tmp_path, "s").trials["error"][0] == "no file \\udcff.png"


@pytest.mark.parametrize("metric", ["objective", "epochs", "train_seconds"])
def test_a_metric_named_as_a_column_gets_one_of_its_own(tmp_path: Path, metric: str) -> None:
    space = make_space(objective={"metric": metric, "mode": "max"})
    with StudyWriter.create(tmp_path, "s", space, {}) as writer:
        report = EpochReport(1, {metric: 7.0}, seconds=1.0)
        run_trial(writer, make_trial(0, epochs=1, objective=5.0, metrics={metric: 7.0}, curve=((1, 5.0),)), [report])
    study = open_study(tmp_path, "s")
    assert study.trials[f"metric.{metric}"][0] == study.epochs[f"metric.{metric}"][0] == 7.0
    assert study.trials["objective"][0] == study.epochs["objective"][0] == 5.0
    assert study.history[0].metrics == {metric: 7.0}
