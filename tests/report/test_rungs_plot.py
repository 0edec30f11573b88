"""The data of the picture of shorter runs, and that it is drawn as it is."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes

from hpsearch.errors import StudyError
from hpsearch.report.rungs_plot import Step, draw, steps
from hpsearch.report.style import save
from hpsearch.trial import FinishedTrial, Status
from tests.analysis.tied_studies import study, trial

FIDELITY = {"epochs": [2, 6]}
SHORT = {0: 3.0, 1: 1.0, 2: 2.0, 3: 40.0, 4: 0.5, 5: 5.0, 6: 2.5}
LATER = {4: 0.4, 1: 0.9, 2: 0.8, 0: 1.5, 9: 0.7}


def rung(first: int, losses: dict[int, float], schedule: int | None) -> list[FinishedTrial]:
    return [trial(first + n, one, loss, schedule=schedule) for n, (one, loss) in enumerate(losses.items())]


TRIALS = [
    *rung(0, SHORT, 2),
    trial(7, 7, None, schedule=2, status=Status.DIVERGED),
    *rung(8, LATER, None),
    trial(13, 6, None, status=Status.DIVERGED),
    trial(14, 4, 0.2),
]


def only(trials: list[FinishedTrial] = TRIALS, mode: str = "min") -> Step:
    (step,) = steps(study(trials, mode, fidelity=FIDELITY))
    return step


def points(axes: Axes, mark: str) -> list[list[float]]:
    lines = [np.asarray(line.get_xydata()).tolist() for line in axes.get_lines() if line.get_marker() == mark]
    return [point for line in lines for point in line]


def test_a_setting_has_one_place_by_the_means_of_its_runs() -> None:
    step = only()
    assert dict(step.pairs) == pytest.approx({3.0: 1.5, 1.0: 0.9, 2.0: 0.8, 0.5: 0.3})  # the last: mean of 0.4 and 0.2
    assert set(step.shorter) == {40.0, 5.0}
    assert (step.longer, step.diverged) == ((0.7,), (2.5,))


def test_values_are_those_of_the_objective_where_the_mode_is_max() -> None:
    assert set(only(mode="max").pairs) == set(only().pairs)


@pytest.mark.parametrize(("mode", "edge"), [("min", 1.0), ("max", 0.0)])
def test_what_has_no_number_stands_at_an_edge(mode: str, edge: float) -> None:
    (axes,) = draw([only(mode=mode)], "val_loss").axes
    assert sorted(points(axes, "o")) == sorted(map(list, only(mode=mode).pairs))
    assert points(axes, "x") == [[2.5, edge]]
    assert {x for x, _ in points(axes, "|")} == {40.0, 5.0}
    assert {y for _, y in points(axes, "_")} == {0.7}


def test_one_hopeless_setting_does_not_take_all_the_width() -> None:
    (axes,) = draw([only()], "val_loss").axes
    low, high = axes.get_xlim()
    assert low < 0.5 < 5.0 < high < 40
    assert "5 settings went on, 2 did not (1 worse than the panel)" in axes.get_title(loc="left")


def test_the_title_has_the_rank_correlation_and_whether_it_misleads() -> None:
    agreement = only().lower.agreement
    assert agreement is not None
    (axes,) = draw([only()], "val_loss").axes
    assert f"rank correlation {agreement.value:.2f}" in axes.get_title(loc="left")
    losses = {one: float(one) for one in range(8)}
    backwards = [*rung(0, losses, 2), *rung(8, {one: -loss for one, loss in losses.items()}, None)]
    (axes,) = draw([only(backwards)], "val_loss").axes
    assert "misleads" in axes.get_title(loc="left")
    (axes,) = draw([only([*rung(0, SHORT, 2), *rung(7, {4: 0.4}, None)])], "val_loss").axes
    assert "too few for a rank correlation" in axes.get_title(loc="left")


def test_there_is_a_panel_for_every_two_lengths(tmp_path: Path) -> None:
    trials = [*rung(0, SHORT, 2), *rung(7, LATER, 6)]
    shown = steps(study(trials, fidelity={"epochs": [2, 6, 18]}))
    assert [(step.lower.epochs, step.upper.epochs) for step in shown] == [(2, 6), (6, 18)]
    figure = draw(shown, "val_loss")
    assert [axes.get_xlabel() for axes in figure.axes] == ["val_loss after 2 epochs", "val_loss after 6 epochs"]
    for suffix in ("png", "svg"):
        file = tmp_path / f"rungs.{suffix}"
        save(figure, file)
        assert file.stat().st_size > 5000


def test_there_is_no_picture_before_a_setting_went_on() -> None:
    with pytest.raises(StudyError, match="no setting has a result at two lengths"):
        only(rung(0, SHORT, 2))
