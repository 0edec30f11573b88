"""Shorter runs, promotions and repeats in the tables."""

from pathlib import Path

import pandas as pd

from hpsearch.store.reader import open_study
from hpsearch.store.writer import StudyWriter
from hpsearch.trial import Origin, PendingTrial

from .examples import make_reports, make_space, make_trial, run_trial

KINDS = [
    {"schedule": 2},
    {"schedule": None, "origin": Origin.PROMOTION},
    {"schedule": None, "origin": Origin.REPEAT, "repeat": 1},
]


def test_kinds_come_back_and_the_table_names_them(tmp_path: Path) -> None:
    space = make_space(fidelity={"epochs": [2, 4]})
    trials = [make_trial(n, make_reports([1.0]), **kind) for n, kind in enumerate(KINDS)]
    with StudyWriter.create(tmp_path, "s", space, {}) as writer:
        for trial in trials:
            run_trial(writer, trial)
    study = open_study(tmp_path, "s")
    assert [trial.unfinished() for trial in study.history] == [trial.unfinished() for trial in trials]
    assert [trial.final for trial in study.history] == [None, 1.0, 1.0]
    table = pd.read_parquet(tmp_path / "s" / "trials")
    assert list(table["schedule"]) == [2, 4, 4]
    assert list(table["origin"]) == ["new", "promotion", "repeat"] and list(table["repeat"]) == [0, 0, 1]


def test_a_study_without_shorter_runs_has_no_column_for_them(tmp_path: Path) -> None:
    StudyWriter.create(tmp_path, "s", make_space(), {}).close()
    assert "schedule" not in pd.read_parquet(tmp_path / "s" / "trials")


def test_what_is_pending_stays_what_it_was(tmp_path: Path) -> None:
    pending = [PendingTrial(n, {"lr": 0.1}, n, **kind) for n, kind in enumerate(KINDS)]
    with StudyWriter.create(tmp_path, "s", make_space(fidelity={"epochs": [2, 4]}), {}) as writer:
        for trial in pending:
            writer.started(trial)
        writer.finished(make_trial(0, config={"lr": 0.1}, seed=0, schedule=2))
        writer.forget([0])
    with StudyWriter.open(tmp_path, "s") as writer:
        assert sorted(writer.pending, key=lambda trial: trial.number) == pending
