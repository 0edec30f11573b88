"""The data of the picture of tied settings, and that it is drawn as it is."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from hpsearch.analysis.tied import tied
from hpsearch.report.style import save
from hpsearch.report.tied_plot import MOST, Ranking, draw, ranking
from hpsearch.trial import FinishedTrial, Status
from tests.analysis.tied_studies import runs, study, trial

RESULTS = [(1, 0.10), (2, 0.12), (3, 0.50), (1, 0.14), (2, 0.11), (4, 0.13), (3, 0.53), (5, 99.0)]
DIVERGED = [*runs([*RESULTS, (6, 0.01)]), trial(9, 6, None, status=Status.DIVERGED)]


def data(trials: list[FinishedTrial], mode: str = "min") -> Ranking:
    a_study = study(trials, mode)
    found = tied(a_study)
    assert found is not None
    return ranking(a_study, found)


def points(figure: Figure, mark: str) -> list[tuple[float, float]]:
    (axes,) = figure.axes
    lines = [line for line in axes.get_lines() if line.get_marker() == mark]
    return [(float(x), float(y)) for line in lines for x, y in np.asarray(line.get_xydata())]


def test_every_setting_is_a_row_with_all_of_its_runs_the_best_mean_first() -> None:
    found = data(DIVERGED)
    assert found.header == ("lr", "seconds", "")
    assert [row.words[0] for row in found.rows] == ["2", "1", "4", "3", "5"]
    assert [row.runs for row in found.rows] == [(0.12, 0.11), (0.10, 0.14), (0.13,), (0.50, 0.53), (99.0,)]
    assert [row.mean for row in found.rows] == pytest.approx([0.115, 0.12, 0.13, 0.515, 99.0])
    members = {one.setting.config["lr"]: one for one in found.found.members}
    assert [row.tied for row in found.rows] == [members.get(lr) for lr in (2.0, 1.0, 4.0, 3.0, 5.0)]
    assert found.rows[0].words[-1].startswith("best") and found.rows[3].words[-1] == ""


def test_a_setting_of_which_a_run_diverged_has_words_and_no_number() -> None:
    found = data(DIVERGED)
    assert found.unstable == (("6", "0", "a run diverged"),)
    figure = draw(found)
    assert points(figure, "x") == [(found.worse, 5)]
    assert 0.01 not in [x for x, _ in points(figure, "o")]


@pytest.mark.parametrize(("mode", "arrow"), [("min", ">"), ("max", "<")])
def test_what_is_far_behind_the_tied_is_marked_at_the_worse_edge(mode: str, arrow: str) -> None:
    sign = 1 if mode == "min" else -1
    found = data(runs((setting, sign * value) for setting, value in RESULTS), mode)
    assert sign * found.better < 0.10
    assert 0.14 < sign * found.worse < 99
    figure = draw(found)
    beyond = [place for place, row in enumerate(found.rows) for value in row.runs if sign * value > sign * found.worse]
    assert beyond[-1] == 4
    assert points(figure, arrow) == [(found.worse, place) for place in beyond]
    assert figure.axes[0].get_xlim() == tuple(sorted((found.better, found.worse)))


def test_dots_are_runs_and_diamonds_what_is_to_be_expected() -> None:
    found = data(runs(RESULTS))
    figure = draw(found)
    drawn = sorted(x for x, y in points(figure, "o"))
    assert drawn == sorted(value for _, value in RESULTS)
    expected = {place: row.tied.expected for place, row in enumerate(found.rows) if row.tied}
    assert {round(y): x for x, y in points(figure, "D")} == pytest.approx(expected)
    (band,) = figure.axes[0].patches
    start, width = found.found.best.expected, found.found.shows
    assert band.get_xy()[0] == pytest.approx(start) and band.get_width() == pytest.approx(width)


def test_the_band_of_resolution_lies_on_the_worse_side() -> None:
    found = data(runs((setting, -value) for setting, value in RESULTS), "max")
    (band,) = draw(found).axes[0].patches
    ends = sorted((band.get_xy()[0], band.get_xy()[0] + band.get_width()))
    assert ends == pytest.approx([found.found.best.expected - found.found.shows, found.found.best.expected])


def test_of_many_settings_the_best_are_drawn_and_always_the_cheapest() -> None:
    seconds = {MOST + 20: 0.5}
    results = [(setting, 1 + 0.001 * setting) for setting in range(60)] + [(0, 3.0), (1, 0.0)]
    trials = [
        trial(n, setting, value, train_seconds=seconds.get(setting, 9.0)) for n, (setting, value) in enumerate(results)
    ]
    found = data(trials)
    assert found.found.cheapest.setting.config["lr"] == MOST + 20
    assert len(found.rows) == MOST + 1
    assert "cheapest" in found.rows[-1].words[-1]
    assert "60 settings (31 shown)" in draw(found).axes[0].get_title(loc="left")


def test_runs_that_are_all_equal_still_have_an_axis() -> None:
    found = data(runs([(1, 0.0), (1, 0.0), (2, 0.0)]))
    assert found.found.noise == 0
    assert found.better < 0 < found.worse
    draw(found)


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_it_becomes_a_file(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"tied.{suffix}"
    save(draw(data(DIVERGED)), file)
    assert file.stat().st_size > 5000


def test_names_lose_what_marks_a_technique() -> None:
    trials = [replace(one, config={"technique.muon": one.config["lr"] > 2}) for one in runs(RESULTS[:4])]
    assert data(trials).header == ("muon", "seconds", "")
