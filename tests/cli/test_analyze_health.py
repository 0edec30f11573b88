"""``hpsearch analyze health`` and what of it ``show`` prints."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from hpsearch.analysis.importance import Importance, Importances
from hpsearch.analysis.next_step import next_step
from hpsearch.analysis.search_health import health
from hpsearch.analysis.summary import Edge
from hpsearch.cli.health_words import edge_words, health_facts, health_notes, print_importances
from hpsearch.store.reader import open_study
from hpsearch.store.writer import StudyWriter
from hpsearch.trial import FinishedTrial, Status
from tests.cli.command import space_file
from tests.store.examples import make_space, make_trial

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture(autouse=True)
def small_forests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hpsearch.analysis.forest.TREES", 4)


def trial(number: int, objective: float | None, **changes: Any) -> FinishedTrial:
    return make_trial(number, objective=objective, train_seconds=60.0, **changes)


def write(results: Path, trials: Sequence[FinishedTrial]) -> Path:
    with StudyWriter.create(results, "s", make_space(), {}) as writer:
        for finished in trials:
            writer.finished(finished)
    return results


AGAIN = {"lr": 0.102, "batch_size": 128, "momentum": 0.9}
SEARCHED = [trial(number, 2.0 - number / 10) for number in range(12)]
LOST = [
    trial(12, 0.5, status=Status.STOPPED),
    trial(13, None, status=Status.DIVERGED),
    trial(14, None, status=Status.FAILED, error="boom"),
    trial(15, None, status=Status.DIVERGED, config=AGAIN),
    trial(16, 1.5, config=AGAIN),
]


def test_it_says_all_in_words(tmp_path: Path, in_process: Run) -> None:
    done = in_process("analyze", "health", "s", "--results", write(tmp_path, SEARCHED + LOST))
    assert done.returncode == 0
    for words in (
        "13 completed, 1 stopped, 2 diverged, 1 failed; interrupted",
        "infeasible  12% of the trials diverged (2 settings, of which 1 completed other runs)\n",
        "1 of 17 trials failed, the training function raised boom; after mending it: `hpsearch resume s --retry-",
        "17 min 0 s of training; 24% without a result (6% stopped, 12% diverged, 6% failed)",
        "a run lies 0.21 (0.095 to 6.8) from the mean of its setting",
        "the last 4 of 12 settings improved the best by 0.4, more than the noise of one run (0.21)",
        "half as many, in any order, would on average have ended",
        "parameter  share  90% interval  chance up to",
    ):
        assert words in done.stdout
    assert "13 settings; 2 without a full run are not among them" in done.stderr


def test_a_study_without_a_result_is_told_and_not_drawn(tmp_path: Path, in_process: Run) -> None:
    failed = [trial(number, None, status=Status.FAILED, error="boom") for number in range(3)]
    results, picture = write(tmp_path, failed), tmp_path / "health.png"
    done = in_process("analyze", "health", "s", "--results", results, "--plot", picture)
    assert done.returncode == 2
    assert "infeasible  no trial diverged" in done.stdout
    assert "all trials failed, the training function raised boom; after mending it:" in done.stdout
    assert "not known: no full run has completed" in done.stdout
    assert "--repeats" not in done.stdout
    assert "needs at least 10 settings with a result" in done.stderr
    assert "there is no picture: no trial has run to its end" in done.stderr
    assert not picture.exists()


def test_fewer_than_three_trials_are_refused(tmp_path: Path, in_process: Run) -> None:
    done = in_process("analyze", "health", "s", "--results", write(tmp_path, SEARCHED[:2]))
    assert (done.returncode, done.stdout) == (2, "")
    assert "too few trials have ended to analyse the study" in done.stderr


def test_an_unknown_study_and_a_wrong_suffix_are_refused(tmp_path: Path, in_process: Run) -> None:
    results = write(tmp_path, SEARCHED)
    assert "did you mean 's'?" in in_process("analyze", "health", "ss", "--results", results).stderr
    wrong = in_process("analyze", "health", "s", "--results", results, "--plot", tmp_path / "health.pdf")
    assert (wrong.returncode, wrong.stdout) == (2, "")


def test_json_and_picture(tmp_path: Path, in_process: Run) -> None:
    results, picture = write(tmp_path, SEARCHED + LOST), tmp_path / "health.svg"
    done = in_process("analyze", "health", "s", "--results", results, "--json", "--plot", picture)
    data = json.loads(done.stdout)
    assert data["shares"]["completed"]["trials"] == 13
    assert data["importance"]["parameters"][0]["name"] == "lr"
    assert data["no_importance"] is None
    assert picture.read_text().startswith("<?xml")


def test_a_real_study_that_was_run_by_the_command(tmp_path: Path, in_process: Run, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    space = space_file(tmp_path, budget="{trials: 14}")
    in_process("run", "--space", space, "--name", "toy", "--inline")
    done = in_process("analyze", "health", "toy", "--plot", "toy.png")
    assert done.returncode == 0
    assert "14 completed; finished" in done.stdout
    assert Path("toy.png").stat().st_size > 5000


def test_show_says_what_is_worth_saying(tmp_path: Path) -> None:
    few = write(tmp_path / "few", SEARCHED[:2])
    assert health_notes(open_study(few, "s")) == []
    quiet = write(tmp_path / "quiet", SEARCHED[:4])
    assert health_notes(open_study(quiet, "s")) == []
    lost = [trial(number, None, status=Status.DIVERGED) for number in range(12, 18)]
    notes = health_notes(open_study(write(tmp_path / "lost", SEARCHED + lost), "s"))
    assert notes == [
        "33% of the trials diverged (6 settings): a narrower space would spend less on them",
        "the last 4 of 12 settings improved the best by 0.4, how much of that is noise is not known",
    ]
    improving = open_study(write(tmp_path / "improving", [*SEARCHED, LOST[-1]]), "s")
    assert health_notes(improving)[0].endswith(f"(0.21): {next_step(improving)}, which may find better ones")
    still = [*SEARCHED[:6], *(trial(number, 3.0) for number in range(6, 12))]
    assert health_notes(open_study(write(tmp_path / "still", still), "s")) == [
        "the last 4 of 12 settings did not improve the best"
    ]


def test_where_the_seed_decides_the_advice_is_one(tmp_path: Path) -> None:
    lost = [trial(number, None, status=Status.DIVERGED) for number in range(12, 18)]
    again = trial(18, None, status=Status.DIVERGED, config=AGAIN)
    notes = health_notes(open_study(write(tmp_path, [*SEARCHED, *lost, again]), "s"))
    assert [note for note in notes if "diverged" in note] == [
        "37% of the trials diverged (7 settings, of which 1 completed other runs): "
        "a narrower space would spend less on them"
    ]


def test_a_running_study_gets_no_advice_to_go_on(tmp_path: Path) -> None:
    with StudyWriter.create(tmp_path, "s", make_space(), {}) as writer:
        for finished in SEARCHED:
            writer.finished(finished)
        study = open_study(tmp_path, "s")
        assert health_facts(study, health(study))["noise"] == "not known: no setting has been run twice so far"
        writer.finished(LOST[-1])
        assert health_notes(open_study(tmp_path, "s"))[0].endswith("more than the noise of one run (0.21)")


def test_the_table_tells_what_chance_reaches_and_who_is_not_beyond_it(capsys: pytest.CaptureFixture[str]) -> None:
    acting, idle = Importance("lr", 0.6, 0.4, 0.8, 0.2, 12), Importance("momentum", 0.15, 0.1, 0.3, 0.25, 12)
    print_importances(Importances(12, 0, (acting, idle)))
    *_, first, second = (line.split() for line in capsys.readouterr().out.splitlines())
    assert first == ["lr", "60%", "40%", "to", "80%", "20%"]
    assert second == ["momentum", "15%", "10%", "to", "30%", "25%", "within", "chance"]


def test_an_edge_in_words() -> None:
    assert edge_words(Edge("lr", 0.99, 0.01, 1.0, "high")) == (
        "the best lr, 0.99, lies at the high end of its range 0.01 .. 1: the optimum may be outside"
    )
