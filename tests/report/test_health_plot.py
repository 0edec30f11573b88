"""The data of the picture of a search, and that it is drawn as it is."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from hpsearch.analysis.importance import Importance, Importances
from hpsearch.analysis.search_health import Kind, health
from hpsearch.errors import StudyError
from hpsearch.report.health_plot import History, draw, heights, history
from hpsearch.report.style import save
from hpsearch.store.reader import open_study
from hpsearch.store.writer import StudyWriter
from hpsearch.trial import FinishedTrial, Status
from tests.store.examples import make_space, make_trial

NAN = float("nan")
IMPORTANCE = Importances(
    12, 0, (Importance("lr", 0.7, 0.5, 0.9, 0.2, 12), Importance("technique.muon", 0.3, 0.1, 0.5, 0.4, 12))
)
TRIALS = [
    make_trial(0, objective=2.0),
    make_trial(1, objective=0.5, status=Status.STOPPED),
    make_trial(2, objective=3.0),
    make_trial(3, objective=None, status=Status.DIVERGED),
    make_trial(4, objective=NAN),
    make_trial(5, objective=1.0),
    make_trial(6, objective=None, status=Status.FAILED, error="boom"),
    make_trial(7, objective=1.5, config={"lr": 0.105, "batch_size": 128, "momentum": 0.9}),  # as trial 5
]


def data(results: Path, trials: Sequence[FinishedTrial] = TRIALS, mode: str = "min") -> History:
    space = make_space(objective={"metric": "val_loss", "mode": mode})
    with StudyWriter.create(results, "s", space, {}) as writer:
        for finished in trials:
            writer.finished(finished)
    study = open_study(results, "s")
    return history(study, health(study))


def test_only_full_runs_have_a_height_and_the_others_a_place(tmp_path: Path) -> None:
    found = data(tmp_path)
    assert found.numbers.tolist() == [0, 2, 5, 7]
    assert found.values.tolist() == [2.0, 3.0, 1.0, 1.5]
    assert found.repeat.tolist() == [False, False, False, True]
    assert found.best.tolist() == [2.0, 2.0, 1.0, 1.0]
    assert found.others == {Kind.SHORTER: (), Kind.STOPPED: (1,), Kind.DIVERGED: (3, 4), Kind.FAILED: (6,)}
    assert found.noise == pytest.approx(np.std([1.0, 1.5], ddof=1))


def test_the_best_is_the_highest_where_the_mode_is_max(tmp_path: Path) -> None:
    assert data(tmp_path, mode="max").best.tolist() == [2.0, 3.0, 3.0, 3.0]


def test_there_is_no_picture_without_a_result(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no trial has run to its end"):
        data(tmp_path, [make_trial(number, objective=None, status=Status.DIVERGED) for number in range(4)])


@pytest.mark.parametrize("mode", ["min", "max"])
def test_one_hopeless_result_does_not_take_all_the_height(tmp_path: Path, mode: str) -> None:
    sign = 1 if mode == "min" else -1
    values = [*np.linspace(1, 2, 20).tolist(), 100.0]
    found = data(tmp_path, [make_trial(number, objective=sign * value) for number, value in enumerate(values)], mode)
    better, worse = heights(found)
    assert sign * better < 1
    assert 1.8 < sign * worse < 2.5


def test_all_results_are_inside_where_none_is_far_off(tmp_path: Path) -> None:
    found = data(tmp_path)
    better, worse = heights(found)
    assert better < found.values.min() - (found.noise or 0) < found.values.max() < worse
    equal = data(tmp_path / "equal", [make_trial(number, objective=0.0) for number in range(3)])
    assert heights(equal)[0] < 0 < heights(equal)[1]


def test_what_is_drawn_is_the_data(tmp_path: Path) -> None:
    found = data(tmp_path)
    left, right = draw(found, IMPORTANCE).axes
    points, repeats, best, *edge = left.get_lines()
    assert points.get_xydata().tolist() == [[0, 2.0], [2, 3.0], [5, 1.0]]
    assert repeats.get_xydata().tolist() == [[7, 1.5]]
    assert best.get_ydata().tolist() == [2.0, 2.0, 1.0, 1.0, 1.0]
    assert [line.get_label() for line in edge] == ["stopped (1)", "diverged (2)", "failed (1)"]
    assert {height for line in edge for height in line.get_ydata()} == {heights(found)[1]}
    assert [label.get_text() for label in right.get_yticklabels()] == ["muon", "lr"]
    assert [bar.get_width() for bar in right.patches] == [0.3, 0.7]
    assert right.patches[0].get_facecolor() != right.patches[1].get_facecolor()
    intervals, marks = ([line[:, 0].tolist() for line in lines.get_segments()] for lines in right.collections)
    assert intervals == [[0.1, 0.5], [0.5, 0.9]]
    assert marks == [[0.4, 0.4], [0.2, 0.2]]


@pytest.mark.parametrize("suffix", ["png", "svg"])
@pytest.mark.parametrize("importance", [None, IMPORTANCE])
def test_it_becomes_a_file(tmp_path: Path, suffix: str, importance: Importances | None) -> None:
    file = tmp_path / f"health.{suffix}"
    save(draw(data(tmp_path), importance), file)
    assert file.stat().st_size > 5000
