"""A driver that dies at any moment loses no finished trial, repeats none, and leaves a study that opens."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hpsearch.store import files, parts
from hpsearch.store.reader import open_study
from hpsearch.store.writer import StudyWriter

from .examples import make_space, make_trial, run_trial
from .loop import SMALL_PARTS, metrics_of

LOOP = [sys.executable, "-m", f"{__package__}.loop"]
ROOT = Path(__file__).parents[len(__package__.split("."))]


class Crash(BaseException):
    """The process dies here."""


def crash_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Let the ``step``-th replacement of a file never happen, nor anything after it."""
    real, count = files.replace, iter(range(10**6))

    def replace(path: Path, write: Any) -> None:
        if next(count) >= step:
            raise Crash
        real(path, write)

    monkeypatch.setattr(files, "replace", replace)


@pytest.mark.parametrize("step", range(12))
def test_a_crash_between_any_two_writes_leaves_a_whole_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    writer = StudyWriter.create(tmp_path, "s", make_space(), {})
    run_trial(writer, make_trial(0), [])
    with monkeypatch.context() as patch, pytest.raises(Crash), writer:
        crash_at(patch, step)
        for number in (1, 2):  # each: pending, [wider epochs, wider trials], epochs, dynamics, trials
            run_trial(writer, make_trial(number, metrics_of(number)), metrics_of(number))
        raise Crash
    trials = pd.read_parquet(tmp_path / "s" / "trials")
    study = open_study(tmp_path, "s")
    assert set(study.epochs["number"]) == set(trials["number"]) - {0}
    with StudyWriter.open(tmp_path, "s") as writer:
        finished = [trial.number for trial in writer.history]
        pending = [trial.number for trial in writer.pending]
        assert finished == list(trials["number"]) == list(range(len(finished)))
        assert pending in ([], [len(finished)])
        assert set(pd.read_parquet(tmp_path / "s" / "epochs")["number"]) == set(finished) - {0}
        if pending:
            assert writer.pending[0].config == make_trial(pending[0]).config
        for number in range(len(finished), 3):
            run_trial(writer, make_trial(number, metrics_of(number)), metrics_of(number))
    assert open_study(tmp_path, "s").history == tuple(make_trial(n, metrics_of(n) if n else ()) for n in range(3))
    for table in ("epochs", "dynamics"):
        frame = pd.read_parquet(tmp_path / "s" / table)
        assert list(frame["trial_id"].value_counts(sort=False).sort_index()) == [3 if table == "epochs" else 9] * 2


def test_a_crash_while_a_study_is_made_leaves_nothing_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in range(4):
        with monkeypatch.context() as patch, pytest.raises(Crash):
            crash_at(patch, step)
            StudyWriter.create(tmp_path, "s", make_space(), {})
        assert not (tmp_path / "s").exists()
    StudyWriter.create(tmp_path, "s", make_space(), {}).close()


def lines(process: subprocess.Popen[str]) -> Iterator[int]:
    assert process.stdout is not None
    for line in process.stdout:
        yield int(line)


def test_kill_9_under_a_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed five times in a loop of trials, while this process reads without a pause."""
    for table, size in SMALL_PARTS.items():
        monkeypatch.setitem(parts.TRIALS_PER_PART, table, size)
    said: set[int] = set()
    reads = 0
    for round_ in range(5):
        process = subprocess.Popen([*LOOP, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        said.add(next(lines(process)))
        before, deadline = 0, time.monotonic() + 0.7 + 0.13 * round_
        while time.monotonic() < deadline:
            trials = pd.read_parquet(tmp_path / "s" / "trials")
            epochs = pd.read_parquet(tmp_path / "s" / "epochs")
            assert len(trials) >= before, "a finished trial vanished"
            assert set(trials["number"]) <= set(epochs["number"])
            assert not open_study(tmp_path, "s").trials.empty
            before, reads = len(trials), reads + 1
        process.send_signal(signal.SIGKILL)
        said |= set(lines(process))
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
        numbers = list(pd.read_parquet(tmp_path / "s" / "trials")["number"])
        assert numbers == sorted(set(numbers)), "a trial is there twice"
        assert said <= set(numbers), "a finished trial is lost"
    assert reads > 20
    with StudyWriter.open(tmp_path, "s") as writer:
        known = [trial.number for trial in (*writer.history, *writer.pending)]
        assert known == list(range(len(known)))
        for trial in writer.history:
            assert trial == make_trial(trial.number, metrics_of(trial.number))
