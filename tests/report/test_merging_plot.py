"""The data of the picture of merging lengths, and that it is drawn as it is."""

import numpy as np
import pytest

from hpsearch.analysis.merging import SCALE, merging
from hpsearch.errors import StudyError
from hpsearch.report.merging_plot import MOST, draw, panels
from hpsearch.report.style import save
from tests.analysis.traced_studies import Traced, write


def runs(scales=(0.25, 1.0, 4.0), **changes):
    return [Traced({SCALE: scale}, scale=scale, **changes) for scale in scales]


def test_every_tensor_has_its_lengths_the_paths_of_theory_and_the_steps_of_merging(tmp_path):
    data = panels(merging(write(tmp_path, runs())))
    assert data.scales == (0.25, 1.0, 4.0)
    assert data.title == "lengths within 20%, after 1.00 times the predicted steps (median)"
    figure = draw(data)
    assert len(figure.axes) == len(data.layers) == 3
    for axes, layer in zip(figure.axes, data.layers, strict=True):
        solid = [line for line in axes.get_lines() if line.get_linestyle() == "-" and len(line.get_xdata()) > 2]
        for line, norms in zip(solid, layer.norms.values(), strict=True):
            np.testing.assert_array_equal(line.get_ydata(), norms)
        marks = [line.get_xdata()[0] for line in axes.get_lines() if len(line.get_xdata()) == 2]
        assert marks == [layer.measured, layer.predicted]
        assert axes.get_title(loc="left").startswith(f"{layer.name}\nmerged at {layer.measured:.0f}, predicted at ")
        assert axes.get_yscale() == "log"
    save(figure, tmp_path / "merging.png")


def test_of_many_tensors_the_first_the_last_and_some_between_are_drawn(tmp_path):
    layers = {f"layer{place:02d}": 10.0 for place in range(20)}
    data = panels(merging(write(tmp_path, runs(layers=layers))))
    names = [layer.name for layer in data.layers]
    assert len(names) == MOST
    assert (names[0], names[-1]) == ("layer00", "layer19")


def test_a_rule_without_theory_is_drawn_without_paths(tmp_path):
    data = panels(merging(write(tmp_path, runs(rule="adam", walk=True, layers={"a": 10.0}))))
    assert data.title == "lengths within 20%"
    figure = draw(data)
    assert "--" not in {line.get_linestyle() for line in figure.axes[0].get_lines()}
    assert figure.axes[0].get_title(loc="left").endswith(", no theory")
    save(figure, tmp_path / "merging.svg")


def test_a_study_of_one_scale_has_no_picture(tmp_path):
    with pytest.raises(StudyError, match="initial weights of several scales"):
        panels(merging(write(tmp_path, [Traced({"lr": 0.2})])))
