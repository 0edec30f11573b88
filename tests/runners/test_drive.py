import math
import time

import numpy as np
import pytest

from hpsearch.contract import Trial
from hpsearch.runners.drive import Drive
from hpsearch.trial import Status, headline


def drive(function, diverges=lambda value: False):
    return Drive(function, Trial(config={"lr": 0.1}), "val_loss", diverges)


def pull(driven):
    """All reports of a drive and its outcome."""
    reports = []
    while True:
        step = driven.step()
        if step.report is not None:
            reports.append(step.report)
        if step.outcome is not None:
            return reports, step.outcome


def yielding(*reports):
    def train(trial):
        yield from reports

    return train


def test_a_generator_gives_its_reports_and_completes():
    reports, outcome = pull(drive(yielding({"val_loss": 2}, {"val_loss": np.float32(1.5), "val_accuracy": True})))
    assert [report.epoch for report in reports] == [1, 2]
    assert reports[1].metrics == {"val_loss": 1.5, "val_accuracy": 1.0}
    assert all(type(value) is float for value in reports[1].metrics.values())
    assert outcome.status is Status.COMPLETED and outcome.error is None


def test_a_returned_dict_is_the_only_report():
    reports, outcome = pull(drive(lambda trial: {"val_loss": trial.config["lr"]}))
    assert [report.metrics["val_loss"] for report in reports] == [0.1]
    assert outcome.status is Status.COMPLETED


def test_reserved_keys_are_no_metrics():
    table = {"norms": {"layer": np.arange(2)}}
    report = {"val_loss": 1.0, "epoch": 7, "device": "cpu", "note": "n", "stop_reason": "done", "tables": table}
    (first, second), _ = pull(drive(yielding(report, {"val_loss": 1.0})))
    assert (first.epoch, second.epoch) == (7, 8)
    assert first.metrics == {"val_loss": 1.0}
    assert first.notes == {"device": "cpu", "note": "n", "stop_reason": "done"}
    assert list(first.tables) == ["norms"] and list(first.tables["norms"]["layer"]) == [0, 1]


@pytest.mark.parametrize("value", [math.nan, math.inf, 11.0])
def test_a_loss_out_of_bounds_is_diverged_and_closes_the_function(value):
    closed = []

    def train(trial):
        try:
            yield {"val_loss": value}
            yield {"val_loss": 0.0}
        finally:
            closed.append(True)

    reports, outcome = pull(drive(train, diverges=lambda loss: loss > 10))
    assert len(reports) == 1 and reports[0].diverged
    assert outcome.status is Status.DIVERGED
    assert closed == [True]


def test_a_function_may_call_itself_diverged_without_a_loss():
    _, outcome = pull(drive(yielding({"diverged": True})))
    assert outcome.status is Status.DIVERGED


def test_an_exception_is_a_failure_that_starts_in_the_users_code():
    def train(trial):
        yield {"val_loss": 1.0}
        raise KeyError("no such layer")

    reports, outcome = pull(drive(train))
    assert len(reports) == 1
    assert outcome.status is Status.FAILED
    assert headline(outcome.error) == "KeyError: 'no such layer'"
    assert outcome.error.lstrip().startswith(f'File "{__file__}"') and "runners/drive.py" not in outcome.error


def test_two_failures_at_one_place_have_the_same_cause_whatever_they_say():
    def train(trial):
        raise ValueError(time.perf_counter())

    first, second = (pull(drive(train))[1] for _ in range(2))
    assert first.error != second.error
    assert first.cause == second.cause


@pytest.mark.parametrize("error", [SystemExit(3), RuntimeError("boom")])
def test_sys_exit_is_a_failure_too(error):
    def train(trial):
        raise error

    assert pull(drive(train))[1].status is Status.FAILED


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda trial: 3, "must yield or return dicts"),
        (yielding([1, 2]), "must be a dict"),
        (yielding({"loss": 1.0}), "no 'val_loss', which the search optimises; it has loss"),
        (yielding({"val_loss": "low"}), "'val_loss' must be a number, got 'low'"),
    ],
)
def test_a_report_of_the_wrong_form_fails_the_trial_and_says_why(function, says):
    _, outcome = pull(drive(function))
    assert outcome.status is Status.FAILED
    assert says in outcome.error


def test_only_time_inside_the_function_counts():
    def train(trial):
        time.sleep(0.05)
        yield {"val_loss": 1.0}
        yield {"val_loss": 1.0}

    driven = drive(train)
    first = driven.step().report
    time.sleep(1.0)
    second = driven.step().report
    assert 0.05 <= first.seconds < 0.9
    assert second.seconds < 0.9


def test_closing_stops_the_function_and_later_steps_say_it_is_over():
    events = []

    def train(trial):
        try:
            while True:
                yield {"val_loss": 1.0}
        finally:
            events.append("closed")

    driven = drive(train)
    driven.step()
    driven.close()
    assert events == ["closed"]
    assert driven.step().outcome is not None


def test_an_exception_while_closing_stays_out_of_the_search(capsys):
    def train(trial):
        try:
            yield {"val_loss": 1.0}
        finally:
            raise RuntimeError("cannot clean up")

    driven = drive(train)
    driven.step()
    driven.close()
    assert "cannot clean up" in capsys.readouterr().err


def test_the_headline_of_an_error_of_several_lines_is_its_first():
    def train(trial):
        raise ValueError("too large\n  got 3\nsee the manual")

    _, outcome = pull(drive(train))
    assert headline(outcome.error) == "ValueError: too large"


@pytest.mark.parametrize(
    "tables",
    [
        {"norms": {"a": np.zeros(2), "b": np.zeros(3)}},
        {"norms": {"a": np.zeros((2, 2))}},
        {"norms": {"epoch": np.zeros(2)}},
        {"trials": {"a": np.zeros(2)}},
        {"../norms": {"a": np.zeros(2)}},
    ],
)
def test_a_table_that_cannot_be_kept_fails_the_trial_not_the_store(tables):
    _, outcome = pull(drive(yielding({"val_loss": 1.0, "tables": tables})))
    assert outcome.status is Status.FAILED and "table" in outcome.error


def test_a_function_that_ends_without_a_report_has_failed():
    reports, outcome = pull(drive(yielding()))
    assert not reports and outcome.status is Status.FAILED
    assert headline(outcome.error).endswith("the training function ended without a report")


def test_a_function_may_say_itself_how_long_an_epoch_took():
    (first,), _ = pull(drive(yielding({"val_loss": 1.0, "seconds": 12.5})))
    assert first.seconds == 12.5 and "seconds" not in first.metrics
