"""The data of the picture of norms, and that it is drawn as it is."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hpsearch.analysis.layer_dynamics import trial_dynamics
from hpsearch.errors import StudyError
from hpsearch.report.norms_plot import MOST, draw, norming
from hpsearch.report.style import save
from tests.analysis.random_walks import traced

RATES = tuple(0.1 * np.interp(np.arange(400), [0, 100, 400], [0, 1, 0]))


def table(name="a", lr=RATES, rule="sgd_nesterov", **columns):
    return traced(name, rule, lr, 0.05, 0.5, 1.5, 400, size=50, **columns)


def found(*tables):
    return trial_dynamics(pd.concat(tables, ignore_index=True))


def test_a_panel_has_the_measured_norm_theory_and_the_balance():
    data = norming(found(table()))
    (panel,) = data.panels
    assert panel.name == "a" and panel.note.startswith("theory off by ")
    assert panel.epochs == pytest.approx(np.arange(0, 400, 10) / 100, rel=0.02)
    axes = draw(data).axes[0]
    lines = {line.get_label(): line.get_ydata() for line in axes.get_lines()}
    assert list(lines["|w| measured"]) == list(panel.norms.measured)
    assert list(lines["by theory from the start"]) == list(panel.norms.path)
    assert len(lines) == 3 and axes.get_yscale() == "log"


def test_the_axis_fits_the_norm_and_not_the_balance_of_a_rate_of_nearly_zero():
    data = norming(found(table(lr=(*RATES[:390], *[1e-6] * 10))))
    norms = data.panels[0].norms
    low, high = draw(data).axes[0].get_ylim()
    assert np.nanmin(norms.balance) < low < norms.measured.min() and high > norms.measured.max()


def test_of_many_tensors_some_are_shown_from_the_first_to_the_last():
    tables = [table().assign(layer=f"{number:02}") for number in range(MOST + 8)]
    data = norming(found(*tables))
    assert len(data.panels) == MOST and data.title.endswith(f", {MOST} of {MOST + 8} tensors")
    assert (data.panels[0].name, data.panels[-1].name) == ("00", f"{MOST + 7}")
    assert len(draw(data).axes) == MOST


@pytest.mark.parametrize("number", [1, 3, 5])
def test_there_are_as_many_panels_as_tensors_and_those_at_the_bottom_are_labelled(number):
    figure = draw(norming(found(*(table().assign(layer=str(place)) for place in range(number)))))
    assert len(figure.axes) == number
    assert [axes.get_xlabel() for axes in figure.axes][-min(number, 4) :] == ["epochs"] * min(number, 4)
    first_in_row = [place % 4 == 0 for place in range(number)]
    assert [axes.get_ylabel() == "|w|" for axes in figure.axes] == first_in_row


def test_a_trial_that_diverged_is_said_to_have():
    data = norming(
        found(table(), table("b").assign(weight_norm=lambda rows: rows["weight_norm"].where(rows.step < 200)))
    )
    assert data.title.endswith("diverged at step 200") and len(data.panels[1].epochs) == 20


def test_without_theory_there_is_no_picture():
    with pytest.raises(StudyError, match="theory says nothing"):
        norming(found(table(scale_invariant=False)))


@pytest.mark.parametrize("tables", [(table(),), (table(), table("b", rule="lars", lr=0.01).assign(weight_decay=0.0))])
def test_it_is_written(tmp_path: Path, tables):
    save(draw(norming(found(*tables))), tmp_path / "norms.png")
    save(draw(norming(found(*(one.head(1) for one in tables)))), tmp_path / "norms.svg")
    assert (tmp_path / "norms.png").stat().st_size > 10_000
