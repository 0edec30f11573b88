"""The figures of a study, on studies whose figures are known."""

import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hpsearch.analysis.summary import State, Summary, summarise
from hpsearch.space.spec import Space
from hpsearch.store.reader import open_study
from hpsearch.store.writer import StudyWriter
from hpsearch.trial import FinishedTrial, PendingTrial, Status
from tests.store.examples import START, make_space, make_trial


def trial(number: int, objective: float | None, epochs: int = 10, **changes: Any) -> FinishedTrial:
    return make_trial(number, objective=objective, epochs=epochs, train_seconds=60.0, **changes)


def write(
    results: Path,
    trials: Sequence[FinishedTrial],
    space: Space | None = None,
    pending: Sequence[PendingTrial] = (),
    sessions: Sequence[dict[str, Any]] = (),
) -> Summary:
    with StudyWriter.create(results, "s", space or make_space(), {}) as writer:
        for finished in trials:
            writer.finished(finished)
        for waiting in pending:
            writer.started(waiting)
        writer.update(sessions=list(sessions))
    return summarise(open_study(results, "s"))


def session(start: float, seconds: float | None, reason: str | None = None) -> dict[str, Any]:
    """A session that began ``start`` seconds after START and was ended, or killed (None)."""
    started = START + timedelta(seconds=start)
    finished = None if seconds is None else (started + timedelta(seconds=seconds)).isoformat()
    return {"started_at": started.isoformat(), "finished_at": finished, "seconds": seconds, "reason": reason}


MIXED = [
    trial(0, 3.0),
    trial(1, 2.0),
    trial(2, 0.5, epochs=4, status=Status.STOPPED),
    trial(3, 0.1, epochs=2, status=Status.DIVERGED),
    trial(4, None, epochs=0, status=Status.FAILED, error="boom"),
    trial(5, 4.0, epochs=7, status=Status.STOPPED),
    trial(6, None),
    trial(7, 2.0),
]


def test_counts_and_best_compare_completed_trials_only(tmp_path: Path) -> None:
    summary = write(tmp_path, MIXED, pending=[make_trial(8)])
    assert summary.counts == {"completed": 4, "stopped": 2, "diverged": 1, "failed": 1, "pending": 1}
    assert [setting.trial_id for setting in summary.top] == ["00001", "00007", "00000"]
    assert summary.best is not None
    assert summary.best.objective == 2.0
    assert summary.best.config == MIXED[1].config
    assert summary.epochs_saved == 6 + 3
    assert summary.train_seconds == 8 * 60


def test_the_largest_is_best_where_the_mode_is_max(tmp_path: Path) -> None:
    summary = write(tmp_path, MIXED, make_space(objective={"metric": "val_accuracy", "mode": "max"}))
    assert [setting.trial_id for setting in summary.top] == ["00000", "00001", "00007"]
    assert (summary.metric, summary.mode) == ("val_accuracy", "max")


def test_a_study_without_trials_has_no_best(tmp_path: Path) -> None:
    summary = write(tmp_path, [])
    assert summary.best is None
    assert summary.top == summary.edges == ()
    assert (summary.wall_seconds, summary.trials_per_hour, summary.epochs_saved) == (0, None, 0)
    assert summary.to_json()["best"] is None


def test_time_is_that_in_which_a_driver_was_at_work(tmp_path: Path) -> None:
    # trial n ends n + 1 s after START: the killed session from 2 s on lasts until trial 7 ended, at 8 s
    killed_then_ended = [session(2, None), session(100, 50.0)]
    summary = write(tmp_path, MIXED, sessions=killed_then_ended)
    assert summary.wall_seconds == pytest.approx(6 + 50)
    assert summary.trials_per_hour == pytest.approx(8 * 3600 / 56)


def test_a_killed_session_does_not_count_the_time_of_the_next(tmp_path: Path) -> None:
    summary = write(tmp_path, MIXED, sessions=[session(0, None), session(4.5, None)])
    assert summary.wall_seconds == pytest.approx(4 + 3.5)


def test_state(tmp_path: Path) -> None:
    assert write(tmp_path / "a", MIXED, sessions=[session(0, 9.0, "finished")]).state is State.FINISHED
    assert write(tmp_path / "b", MIXED, sessions=[session(0, None)]).state is State.INTERRUPTED
    assert write(tmp_path / "d", MIXED, sessions=[session(0, 9.0, "interrupted")]).state is State.INTERRUPTED
    assert write(tmp_path / "e", MIXED, sessions=[session(0, 9.0, "aborted")]).state is State.ABORTED
    waiting = write(tmp_path / "c", MIXED, pending=[make_trial(8)], sessions=[session(0, 9.0, "finished")])
    assert waiting.state is State.INTERRUPTED
    with StudyWriter.open(tmp_path / "a", "s") as writer:
        writer.begin_session([])
        summary = summarise(open_study(tmp_path / "a", "s"))
        assert summary.state is State.RUNNING
        assert 9 <= summary.wall_seconds < 69


@pytest.mark.parametrize(
    ("lr", "epochs", "expected"),
    [
        (0.0125, 5, [("lr", "low")]),  # log: 4.8% of the way from 0.01 to 1
        (0.0130, 5, []),  # 5.7%
        (0.8, 10, [("lr", "high"), ("n", "high")]),
        (0.7, 0, [("n", "low")]),
    ],
)
def test_a_best_setting_near_a_bound_is_pointed_out(
    tmp_path: Path, lr: float, epochs: int, expected: list[tuple[str, str]]
) -> None:
    parameters = {
        "lr": {"type": "real", "low": 0.01, "high": 1.0, "scale": "log"},
        "n": {"type": "integer", "low": 0, "high": 10},
        "fixed": {"type": "real", "low": 2.0, "high": 2.0},
        "batch_size": {"type": "choice", "values": [1, 2]},
    }
    config = {"lr": lr, "n": epochs, "fixed": 2.0, "batch_size": 1}
    summary = write(tmp_path, [trial(0, 1.0, config=config)], make_space(parameters))
    assert [(edge.parameter, edge.end) for edge in summary.edges] == expected


def test_it_is_strict_json_and_survives_numbers_that_are_not(tmp_path: Path) -> None:
    summary = write(tmp_path, [trial(0, 1.0, metrics={"val_loss": 1.0, "x": float("nan")})])
    data = json.loads(json.dumps(summary.to_json(), allow_nan=False))
    assert data["best"]["metrics"] == {"val_loss": 1.0, "x": None}
    assert data["state"] == "interrupted"
    assert data["top"][0] == data["best"]


def test_analysis_and_store_import_neither_ray_nor_torch() -> None:
    code = "import sys, hpsearch.analysis.summary, hpsearch.store.writer; print({'ray', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
