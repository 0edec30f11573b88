"""The data of the pictures of decay and ratio, and that they are drawn as they are."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from hpsearch.analysis.collapse import collapse
from hpsearch.analysis.decay_and_ratio import Shares
from hpsearch.errors import StudyError
from hpsearch.report import collapse_plot, plane_plot
from hpsearch.report.style import save
from tests.analysis.traced_studies import Traced, write


def run(decay, ratio, result=0.6):
    lr = float(np.sqrt(decay * 0.1 * ratio))
    config = {"lr": lr, "weight_decay": lr / ratio}
    return Traced(config, lr=lr, weight_decay=lr / ratio, accuracy=(0.5, result), ramp=True)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Decays of 0.003 to 0.03, ratios of 3 to 300; accuracy rises with the decay, and one cell has two runs."""
    points = [*product((3e-3, 1e-2, 3e-2), (3.0, 30.0, 300.0)), (1e-2, 3.0)]
    trials = [run(decay, ratio, 0.6 + decay) for decay, ratio in points]
    return collapse(write(tmp_path_factory.mktemp("grid"), trials))


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    """One decay."""
    return collapse(write(tmp_path_factory.mktemp("flat"), [run(1e-2, ratio) for ratio in (3.0, 30.0, 300.0)]))


def test_the_curves_are_drawn_once_by_decay_and_once_by_ratio(found):
    data = collapse_plot.curves(found)
    assert [*data.colours] == ["decay", "ratio"]
    assert data.colours["ratio"][:3] == pytest.approx([3, 30, 300])
    figure = collapse_plot.draw(data)
    by_decay, by_ratio = figure.axes[:2]
    for axes, values in ((by_decay, data.colours["decay"]), (by_ratio, data.colours["ratio"])):
        assert len(axes.get_lines()) == 10
        drawn = {tuple(np.round(line.get_ydata(), 12)): line.get_color() for line in axes.get_lines()}
        colours = [drawn[tuple(np.round(rate, 12))] for rate in data.rates]
        same = [colours[0] == colour for colour in colours]
        assert same == [bool(np.isclose(value, values[0])) for value in values]
    assert by_decay.get_title(loc="left").startswith("by decay per step\ndecay alone explains 100.0% (chance: up to ")
    assert by_ratio.get_title(loc="left").startswith("by lr / weight decay\nratio adds 0.0% (chance: up to ")


def test_below_is_what_is_explained_and_how_runs_of_equal_decay_differ(found):
    figure = collapse_plot.draw(collapse_plot.curves(found))
    explained, spread = figure.axes[2:4]
    lines = {line.get_label(): line.get_ydata() for line in explained.get_lines()}
    np.testing.assert_array_equal(lines["decay alone"], found.over_run["decay_alone"])
    np.testing.assert_array_equal(lines["ratio adds"], found.over_run["ratio"])
    np.testing.assert_array_equal(spread.get_lines()[0].get_ydata(), found.spread.curve)
    assert "ratios over 2 decades" in spread.get_title(loc="left")


def test_runs_of_one_decay_are_drawn_by_ratio_only(flat):
    data = collapse_plot.curves(flat)
    assert [*data.colours] == ["ratio"]
    figure = collapse_plot.draw(data)
    assert figure.axes[0].get_title(loc="left") == "by lr / weight decay\nall runs have one decay"
    assert figure.axes[1].get_ylabel() == "std of log"


def test_values_are_rounded_to_what_counts():
    assert [collapse_plot.rounded(value) for value in (2999.9, 0.0123, 1.0)] == ["3000", "0.012", "1"]


def test_the_plane_has_a_square_with_its_mean_and_count_for_every_cell(found):
    data = plane_plot.plane(found, "max")
    figure = plane_plot.draw(data)
    (axes, *_) = figure.axes
    words = [text.get_text() for text in axes.texts]
    assert sum(word.startswith("0.") for word in words) == 9
    assert words.count("0.610\nn=2") == 1
    assert words.count("0.630") == 3
    squares = [line for line in axes.get_lines() if line.get_marker() == "s"]
    places = [(line.get_xdata()[0], line.get_ydata()[0]) for line in squares]
    assert places == [(cell.decay, cell.ratio) for cell in found.plane]
    assert axes.get_xscale() == axes.get_yscale() == "log"


def test_lines_of_one_learning_rate_run_through_the_plane(found):
    data = plane_plot.plane(found, "max")
    assert data.lines == (0.05, 0.1, 0.2, 0.5)
    assert data.lr_squared == pytest.approx(0.1)
    (axes, *_) = plane_plot.draw(data).axes
    line = next(line for line in axes.get_lines() if len(line.get_xdata()) == 2)
    assert np.prod(line.get_xydata(), axis=1) == pytest.approx([0.05**2 / 0.1] * 2)


def test_the_better_end_of_the_colours_is_that_of_the_mode(found):
    least, most = 0.603, 0.63
    data = plane_plot.plane(found, "max")
    assert data.better == pytest.approx(most)
    assert plane_plot.plane(found, "min").better == pytest.approx(least)


@pytest.mark.parametrize(("count", "why"), [(1, "there are not two full runs"), (3, "all runs have one decay")])
def test_a_single_cell_has_no_picture(tmp_path, count, why):
    found = collapse(write(tmp_path, [run(1e-2, 3.0)] * count))
    for refused in (collapse_plot.curves, lambda found: plane_plot.plane(found, "max")):
        with pytest.raises(StudyError, match=f"there is no picture: {why}"):
            refused(found)


@pytest.mark.parametrize(("mode", "extend"), [("max", "min"), ("min", "max")])
def test_the_colours_have_an_arrow_where_worse_cells_lie_beyond_them(found, mode, extend):
    cells = tuple(replace(cell, mean=float(place)) for place, cell in enumerate(found.plane))
    for plane, expected in ((cells, extend), (tuple(replace(cell, mean=0.5) for cell in cells), "neither")):
        *_, bar = plane_plot.draw(plane_plot.plane(replace(found, plane=plane), mode)).axes
        assert bar._colorbar.extend == expected


def test_labels_of_decays_do_not_meet(found):
    decays = (1e-3, 1.05e-3, 1.1e-3, 1e-2, 1e-1)
    cells = tuple(replace(found.plane[0], decay=decay) for decay in decays)
    axes = plane_plot.draw(plane_plot.plane(replace(found, plane=cells), "max")).axes[0]
    assert list(axes.get_xticks()) == list(decays)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0.001", "", "", "0.01", "0.1"]


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_the_pictures_are_written(found, flat, tmp_path, kind):
    for name, one in (("found", found), ("flat", flat)):
        save(collapse_plot.draw(collapse_plot.curves(one)), tmp_path / f"{name}-curves.{kind}")
        save(plane_plot.draw(plane_plot.plane(one, "max")), tmp_path / f"{name}-plane.{kind}")
    assert len([*tmp_path.iterdir()]) == 4


def test_equal_results_have_no_variance_to_explain(found):
    even = replace(found, results=Shares())
    assert plane_plot.plane(even, "max").title == "there is no variance to explain"


@pytest.mark.parametrize(("power", "label"), [(2.0, "effective rate  lr / |w|$^2$"), (1.0, "effective rate  lr / |w|")])
def test_the_axis_says_what_the_effective_rate_is(found, power, label):
    figure = collapse_plot.draw(collapse_plot.curves(replace(found, power=power)))
    assert figure.axes[0].get_ylabel() == label
