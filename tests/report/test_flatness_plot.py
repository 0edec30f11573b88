"""The data of the picture against the surface it shows; drawing takes nothing but these."""

import numpy as np
import pytest

from hpsearch.analysis.flat_directions import flatness
from hpsearch.errors import StudyError
from hpsearch.report.flatness_plot import MOST_OCTAVES, draw, panels
from tests.analysis.flat_studies import drawn, grid, study


def loss(z):
    return 0.05 * (z[:, 0] - z[:, 2]) ** 2 + 0.02 * (z[:, 1] ** 2 + z[:, 3] ** 2)


@pytest.fixture(scope="module")
def found():
    rng = np.random.default_rng(0)
    z = drawn(rng, 80)
    return flatness(study(z, loss(z) + rng.normal(0, 0.05, 80)))


def test_a_curve_is_the_surface_within_the_trials(found):
    for panel in panels(found):
        for curve, move in ((panel.along, panel.claim.along), (panel.across, panel.claim.across)):
            best = found.near.best
            back, forward = found.near.reach(move.step)
            along = (found.near.z - best) @ move.step / (move.step @ move.step)
            ends = [max(back, along.min()), min(forward, along.max())]
            assert curve.octaves[[0, -1]] == pytest.approx(np.clip(ends, -MOST_OCTAVES, MOST_OCTAVES))
            places = np.array([best, *(best + by * move.step for by in curve.octaves)])
            here, *there = found.near.surface.at(places)
            np.testing.assert_allclose(curve.change, np.array(there) - here, atol=1e-9)
            assert (curve.low <= curve.change).all() and (curve.change <= curve.high).all()
            bends = np.gradient(np.gradient(curve.change, curve.octaves), curve.octaves)[5:-5]
            np.testing.assert_allclose(bends, move.curvature.value, rtol=1e-6)


def test_points_lie_off_the_curve_by_their_residuals(found):
    near, panel = found.near, panels(found)[0]
    step = panel.claim.along.step
    along = (near.z - near.best) @ step / 2
    inside = (along >= panel.along.octaves[0]) & (along <= panel.along.octaves[-1])
    assert 10 < inside.sum() < len(along)
    np.testing.assert_allclose(panel.along.places, along[inside])
    off = panel.along.points - np.interp(panel.along.places, panel.along.octaves, panel.along.change)
    np.testing.assert_allclose(off, near.residuals[inside], atol=1e-9)


def test_pairs_stand_at_their_octaves():
    z = grid(2.0)
    rng = np.random.default_rng(1)
    found = flatness(study(z, loss(z) + rng.normal(0, 0.05, len(z))))
    panel = panels(found)[0]
    assert panel.along.pairs.keys() == {2.0, -2.0}
    assert panel.along.pairs[-2.0] is found.claims[0].along.pairs[-1]


def test_a_panel_for_each_claim_that_has_an_answer():
    rng = np.random.default_rng(2)
    z = drawn(rng, 60)
    z[:, 3] = 0
    found = flatness(study(z, loss(z) + rng.normal(0, 0.05, 60)))
    shown = panels(found)
    assert [panel.claim.law.held for panel in shown] == ["lr / batch_size", "lr * weight_decay"]
    figure = draw(shown, "val_loss")
    first, second = figure.axes
    assert first.get_title(loc="left").startswith("lr / batch_size: holds\nratio")
    assert first.get_ylabel() == "val_loss: worse by" and second.get_xlabel().startswith("weight_decay")
    assert first.get_ylim() == second.get_ylim() and first.get_ylim()[0] < 0
    assert [text.get_text() for text in first.get_legend().get_texts()] == [
        "lr against it",
        "lr by the rule",
        "lr kept",
    ]


def test_where_only_both_ways_together_are_known_there_is_no_curve():
    """One trial has another batch size, so the middle of the best has none that was tried: a way is not known there."""
    rng = np.random.default_rng(3)
    z = drawn(rng, 60)
    z[:, 2], z[:, 3] = 0, 0
    z[np.argmin(loss(z)), 2] = 1.0
    found = flatness(study(z, loss(z) - 0.05 * z[:, 2] + rng.normal(0, 0.01, 60)))
    claim = found.claims[2]
    assert claim.along.cost is not None and not claim.along.ways
    with pytest.raises(StudyError, match="no picture") as refusal:
        panels(found)
    assert "only both ways together are known" in refusal.value.problems[0].hint


def test_a_curve_ends_with_the_trials():
    """Where one of the trials lies far out on one axis and on another, the box that holds all is mostly empty."""
    rng = np.random.default_rng(5)
    z = drawn(rng, 60) / 2
    z[:, 2:] = 0
    z[0, :2], z[1, :2] = (-3, 0), (0, -3)
    found = flatness(study(z, (z**2).sum(axis=1) + rng.normal(0, 0.05, 60)), window=1)
    (panel,) = panels(found)
    for curve in (panel.along, panel.across, panel.kept):
        assert curve.octaves[0] >= curve.places.min() - 1e-9 and curve.octaves[-1] <= curve.places.max() + 1e-9


def test_a_surface_without_an_optimum_has_no_picture():
    z = drawn(np.random.default_rng(6), 60)
    with pytest.raises(StudyError, match="no picture") as refusal:
        panels(flatness(study(z, -loss(z) + np.random.default_rng(7).normal(0, 0.01, 60)), window=1))
    assert "no optimum" in refusal.value.problems[0].hint


def test_without_an_answer_there_is_no_picture():
    z = np.zeros((20, 4))
    with pytest.raises(StudyError, match="no picture") as refusal:
        panels(flatness(study(z, loss(z) + np.arange(20))))
    assert "lr and batch_size would have to vary" in refusal.value.problems[0].hint
