"""The data of the picture of LARS and SGD, and that it is drawn as it is."""

from itertools import pairwise

import numpy as np
import pytest

from hpsearch.analysis.lars_equivalence import lars_equivalence
from hpsearch.errors import StudyError
from hpsearch.report.lars_plot import draw, pairs
from hpsearch.report.style import save
from tests.analysis.traced_studies import Traced, write


def runs(rule, ends, **config):
    lr, weight_decay = (0.0141, 0.0) if rule == "lars" else (0.2, 5e-3)
    settings = {"rule": rule, "lr": lr, "weight_decay": weight_decay}
    return [Traced({"optimizer.name": rule, **config}, **settings, accuracy=(0.2, 0.4, end)) for end in ends]


@pytest.fixture
def found(tmp_path):
    return lars_equivalence(write(tmp_path, [*runs("sgd_nesterov", (0.6, 0.62)), *runs("lars", (0.61, 0.64))]))


def test_every_metric_has_both_means_and_the_difference(found, tmp_path):
    (pair,) = pairs(found)
    figure = draw([pair])
    accuracy, loss, turning = figure.axes
    assert [axes.get_ylabel() for axes in (accuracy, loss)] == ["val_accuracy", "val_loss"]
    for line, curve in zip(accuracy.get_lines(), (pair.metrics[0].sgd, pair.metrics[0].lars), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), curve.mean)
    assert accuracy.get_title(loc="left").startswith("sgd_nesterov\nLARS - SGD +0.015 (")
    assert turning.get_title(loc="left").startswith("rotation: LARS / SGD 1.0")
    np.testing.assert_array_equal(turning.get_lines()[0].get_ydata(), pair.turning.sgd)
    np.testing.assert_array_equal(turning.get_lines()[1].get_ydata(), pair.turning.lars)
    save(figure, tmp_path / "lars.png")


def test_single_runs_are_drawn_and_said_to_be_no_evidence(tmp_path):
    found = lars_equivalence(write(tmp_path, [*runs("sgd_nesterov", (0.6,)), *runs("lars", (0.6123,))]))
    figure = draw(pairs(found))
    assert figure.axes[0].get_title(loc="left") == "sgd_nesterov\nLARS - SGD +0.0123 (a single run)"
    save(figure, tmp_path / "lars.svg")
    figure.draw_without_rendering()
    boxes = [axes._left_title.get_window_extent() for axes in figure.axes]
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes)), "titles keep apart"


def test_every_setting_has_a_row(tmp_path):
    trials = [
        one for size in (64, 128) for rule in ("sgd_nesterov", "lars") for one in runs(rule, (0.6,), batch_size=size)
    ]
    found = pairs(lars_equivalence(write(tmp_path, trials)))
    figure = draw(found)
    assert len(figure.axes) == 6
    assert "batch_size 128" in figure.axes[3].get_title(loc="left")


def test_a_study_without_pairs_has_no_picture(tmp_path):
    with pytest.raises(StudyError, match="no setting was run under LARS without weight decay and under SGD with it"):
        pairs(lars_equivalence(write(tmp_path, runs("lars", (0.6,)))))
