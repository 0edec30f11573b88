"""Surfaces against numpy.polyfit, exact quadratics and simulation; what cannot be known stays unknown."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hpsearch.analysis.quadratic import Quadratic, change, curvature

HESSIAN = np.array([[0.4, 0.1, 0.0], [0.1, 0.3, -0.2], [0.0, -0.2, 0.5]])
SLOPE = np.array([0.1, -0.2, 0.05])


def exact(z):
    return 1 + z @ SLOPE + np.einsum("ni,ij,nj->n", z, HESSIAN, z) / 2


@given(st.integers(0, 2**32 - 1), st.integers(4, 40))
def test_on_one_axis_it_is_polyfit(seed, n):
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(-2, 2, n), rng.normal(size=n)
    found = Quadratic.fit(x[:, None], y)
    expected, covariance = np.polyfit(x, y, 2, cov=True)
    np.testing.assert_allclose(found.coefficients, expected[::-1], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(found.covariance, covariance[::-1, ::-1], rtol=1e-5, atol=1e-8)
    bend = found.estimate(curvature(np.ones(1)))
    half = stats.t.ppf(0.975, n - 3) * 2 * np.sqrt(covariance[0, 0])
    assert (bend.value, bend.high - bend.value) == (pytest.approx(2 * expected[0]), pytest.approx(half, rel=1e-4))


@given(st.integers(0, 2**32 - 1))
def test_an_exact_quadratic_is_found_exactly(seed):
    rng = np.random.default_rng(seed)
    z, place, move = rng.uniform(-2, 2, (30, 3)), rng.normal(size=3), rng.normal(size=3)
    found = Quadratic.fit(z, exact(z))
    assert found.explained == pytest.approx(1) and found.residual_std < 1e-9 and found.freedom == 20
    bend = found.estimate(curvature(move))
    assert bend.value == pytest.approx(move @ HESSIAN @ move) == pytest.approx(bend.low) == pytest.approx(bend.high)
    expected = exact((place + move)[None])[0] - exact(place[None])[0]
    assert found.estimate(change(place, move)).value == pytest.approx(expected, abs=1e-9)


def test_what_the_trials_do_not_determine_is_not_estimated():
    rng = np.random.default_rng(0)
    two = rng.choice([-0.5, 0.5], 40)
    z = np.column_stack([rng.uniform(-2, 2, 40), two, np.zeros(40)])
    found = Quadratic.fit(z, exact(z))
    x, y, constant = np.eye(3)
    assert found.estimate(curvature(x)).value == pytest.approx(0.4)
    assert found.estimate(curvature(y)) is None, "two values have no curvature"
    assert found.estimate(curvature(constant)) is None and found.estimate(change(0 * x, constant)) is None
    between = found.estimate(change(-0.5 * y, y))
    assert between.value == pytest.approx(exact(0.5 * y[None])[0] - exact(-0.5 * y[None])[0])
    assert found.ratio(curvature(y), curvature(x)) is None and found.freedom == 40 - 5


def test_axes_that_move_together_are_not_told_apart():
    x = np.linspace(-2, 2, 30)
    found = Quadratic.fit(np.column_stack([x, x]), x**2)
    assert found.estimate(curvature(np.array([1.0, 1.0]))).value == pytest.approx(2)
    assert found.estimate(curvature(np.array([1.0, -1.0]))) is None


def test_without_degrees_of_freedom_nothing_is_known():
    z = np.arange(3.0)[:, None]
    found = Quadratic.fit(z, z[:, 0] ** 2)
    assert found.freedom == 0 and found.estimate(curvature(np.ones(1))) is None


def test_the_intervals_cover_at_their_rate():
    """2,000 studies of 25 trials: the cover of curvature and ratio is 95% within 2 points."""
    rng = np.random.default_rng(1)
    flat, steep = np.array([1.0, 1.0, 0.0]), np.array([0.0, 1.0, -1.0])
    truth = (flat @ HESSIAN @ flat, steep @ HESSIAN @ steep)
    covered = np.zeros(2)
    for _ in range(2000):
        z = rng.uniform(-2, 2, (25, 3))
        found = Quadratic.fit(z, exact(z) + rng.normal(0, 0.1, 25))
        bend = found.estimate(curvature(flat))
        ratio = found.ratio(curvature(flat), curvature(steep))
        covered += [bend.low <= truth[0] <= bend.high, ratio.low <= truth[0] / truth[1] <= ratio.high]
    assert (np.abs(covered / 2000 - 0.95) < 0.02).all(), covered


def test_the_ends_of_a_ratio_are_where_its_test_turns():
    """Fieller's definition: the ratios r for which above - r below lies within t standard errors of 0."""
    rng = np.random.default_rng(2)
    z = rng.uniform(-2, 2, (20, 3))
    found = Quadratic.fit(z, exact(z) + rng.normal(0, 0.1, 20))
    above, below = curvature(np.array([1.0, 0, 0])), curvature(np.array([0, 1.0, -1.0]))
    ratio = found.ratio(above, below)
    for end in (ratio.low, ratio.high):
        difference = found.estimate(above - end * below)
        assert min(abs(difference.low), abs(difference.high)) < 1e-9
    inside, outside = found.estimate(above - ratio.value * below), found.estimate(above - (ratio.high + 0.1) * below)
    assert inside.low < 0 < inside.high and outside.high < 0


def test_a_ratio_to_what_may_be_nothing_is_not_given():
    rng = np.random.default_rng(3)
    z = rng.uniform(-2, 2, (25, 2))
    found = Quadratic.fit(z, z[:, 0] ** 2 + rng.normal(0, 0.1, 25))
    x, y = (curvature(axis) for axis in np.eye(2))
    assert found.ratio(x, y) is None and found.ratio(y, x) is not None
    assert Quadratic.fit(z, -(z[:, 0] ** 2)).ratio(y, x) is None, "a hill is no valley"
