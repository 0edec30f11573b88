"""The data of the picture of rotations, and that it is drawn as it is."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hpsearch.analysis.layer_dynamics import trial_dynamics
from hpsearch.errors import StudyError
from hpsearch.report.rotation_plot import MOST, draw, turning
from hpsearch.report.style import save
from tests.analysis.random_walks import traced


def table(name="a", decay=0.05, **columns):
    return traced(name, "sgd_nesterov", 0.1, decay, 0.5, 1.5, 400, size=50, **columns)


def found(*tables):
    return trial_dynamics(pd.concat(tables, ignore_index=True))


def test_the_data_are_those_of_the_layers_by_epoch():
    dynamics = found(table(), table("b", seed=1))
    data = turning(dynamics)
    assert data.names == ("a", "b") and list(data.epochs) == [1, 2, 3, 4]
    for row, layer in enumerate(dynamics.layers):
        epochs = layer.rotations.epochs.values()
        assert list(data.ratio[row]) == [one.ratio for one in epochs]
        assert list(data.correlation[row]) == [one.by_correlation for one in epochs]
    assert f"median {np.median(dynamics.ratios):.2f} of" in data.title


def test_both_panels_show_a_line_for_each_tensor_and_their_median():
    data = turning(found(table(), table("b", seed=1), table("c", seed=2)))
    left, right, *_ = draw(data).axes
    for axes, values in ((left, data.ratio), (right, data.correlation)):
        lines = {line.get_label(): line.get_ydata() for line in axes.get_lines()}
        assert [list(lines[name]) for name in data.names] == values.tolist()
        assert list(lines["median"]) == np.median(values, axis=0).tolist()


def test_an_epoch_without_a_row_of_a_tensor_is_a_gap():
    data = turning(found(table(), table("b").query("epoch != 2")))
    assert np.isnan(data.ratio[1]).tolist() == [False, True, False, False]
    left = draw(data).axes[0]
    (median,) = [line.get_ydata() for line in left.get_lines() if line.get_label() == "median"]
    assert median[1] == data.ratio[0, 1]


def test_the_axis_goes_only_so_far():
    far = table().assign(rotation=lambda rows: np.where(rows.epoch == 1, 100, 1e-6) * rows["rotation"])
    assert draw(turning(found(far))).axes[0].get_ylim() == MOST


def test_without_a_prediction_there_is_no_picture():
    with pytest.raises(StudyError, match="predicts no rotation"):
        turning(found(table(decay=0.0)))


def test_it_is_written(tmp_path: Path):
    save(draw(turning(found(table(), table("b")))), tmp_path / "rotation.png")
    assert (tmp_path / "rotation.png").stat().st_size > 10_000
