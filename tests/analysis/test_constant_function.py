"""Correlations in wide ReLU networks: against integrals, simulated networks and the asymptotics."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import dblquad

from hpsearch.analysis.constant_function import GROWTH_PER_LAYER, growth, mean_over_spread, relu_correlation

CORRELATIONS = st.floats(-1, 1)


def relu_layers(inputs, layers, width, generator):
    """Outputs (n, width) of every layer of a fully connected net of He's initialisation, before the activation."""
    active, found = inputs, []
    for _ in range(layers):
        gain = 2 / active.shape[1] if found else 1 / active.shape[1]
        found.append(active @ generator.normal(scale=np.sqrt(gain), size=(active.shape[1], width)))
        active = np.maximum(found[-1], 0)
    return found


def measured(outputs):
    return np.sqrt((outputs.mean(0) ** 2).sum() / outputs.var(0).sum())


def correlated(c, n, features, generator):
    """Inputs (n, features) of which each pair has the correlation c."""
    common, own = generator.normal(size=(1, features)), generator.normal(size=(n, features))
    return np.sqrt(c) * common + np.sqrt(1 - c) * own


@pytest.mark.parametrize("c", [-0.7, 0.0, 0.3, 0.9])
def test_the_map_is_the_integral_over_two_normal_numbers(c):
    def product(v, u):  # both are positive there
        density = np.exp(-(u * u - 2 * c * u * v + v * v) / (2 * (1 - c * c))) / (2 * np.pi * np.sqrt(1 - c * c))
        return 2 * u * v * density

    assert relu_correlation(c) == pytest.approx(dblquad(product, 0, 9, 0, 9)[0], rel=1e-6)


def test_the_map_at_points_that_are_known():
    np.testing.assert_allclose(relu_correlation([-1, 0, 1]), [0, 1 / np.pi, 1], atol=1e-15)


@given(CORRELATIONS, CORRELATIONS, st.floats(0, 1))
def test_the_map_is_convex_and_never_below_the_correlation(a, b, share):
    mean = share * a + (1 - share) * b
    assert relu_correlation(a) >= a - 1e-15
    assert relu_correlation(mean) <= share * relu_correlation(a) + (1 - share) * relu_correlation(b) + 1e-12


def simulated(width, layers, nets):
    """Mean over spread in each layer over theory, the mean of several networks."""
    generator = np.random.default_rng(0)
    inputs = [correlated(0.1, 100, width, generator) for _ in range(nets)]
    ratios = [[measured(z) for z in relu_layers(each, layers, width, generator)] for each in inputs]
    mean = np.mean(ratios, axis=0)
    return mean / growth(mean[0], layers)


def test_a_wide_network_grows_as_theory_has_it():
    assert growth(mean_over_spread(0.1), 20)[-1] > 10 * mean_over_spread(0.1)
    np.testing.assert_allclose(simulated(1500, 20, 3), 1, atol=0.04)


def test_a_narrow_network_grows_less_the_deeper_it_is():
    over_theory = simulated(200, 50, 10)
    assert over_theory[5] > 0.9 and 0.65 < over_theory[20] < 0.95 and 0.35 < over_theory[-1] < 0.6


def test_pairs_of_different_correlation_grow_faster_than_their_mean():
    generator = np.random.default_rng(1)
    alike = correlated(0.95, 100, 2000, generator)
    inputs = np.concatenate([alike, correlated(0.95, 100, 2000, generator)])  # two groups: 0.95 within, 0 between
    ratios = np.array([measured(z) for z in relu_layers(inputs, 6, 2000, generator)])
    theory = growth(ratios[0], 6)
    assert ratios[0] == pytest.approx(mean_over_spread(0.475), rel=0.05)
    assert np.all(ratios[1:] > theory[1:])
    one = relu_correlation(np.array([0.95, 0.0])).mean()
    assert ratios[1] == pytest.approx(mean_over_spread(one), rel=0.05)


def test_in_the_end_it_grows_linearly_with_depth():
    ratios = growth(0.3, 10_001)
    assert round(GROWTH_PER_LAYER, 5) == 0.15005
    assert np.diff(ratios)[1000] == pytest.approx(GROWTH_PER_LAYER, rel=2e-3)
    assert ratios[-1] / 10_000 == pytest.approx(GROWTH_PER_LAYER, rel=2e-3)
    assert 10_000**2 / (1 + ratios[-1] ** 2) == pytest.approx(9 * np.pi**2 / 2, rel=4e-3)  # 1 - c = 1 / (1 + ratio^2)


@given(st.floats(0, 1e3), st.integers(0, 60))
def test_it_never_falls(first, layers):
    ratios = growth(first, layers)
    assert ratios.shape == (layers,)
    assert np.all(np.diff(ratios) >= 0)
    assert layers == 0 or ratios[0] == pytest.approx(first, rel=1e-6, abs=1e-150)


@given(st.floats(0, 0.999))
def test_mean_over_spread_and_back(c):
    ratio = mean_over_spread(c)
    assert ratio**2 / (1 + ratio**2) == pytest.approx(c, abs=1e-12)


def test_what_cannot_be_is_refused():
    assert mean_over_spread(1.0) == np.inf
    for wrong, call in ((1.1, relu_correlation), (np.nan, relu_correlation), (-0.1, mean_over_spread)):
        with pytest.raises(ValueError, match="correlation"):
            call(wrong)
    for wrong in (-1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="finite number"):
            growth(wrong, 3)
