"""The Gaussian process against one written out with dense matrices, and what it makes of pending points."""

import numpy as np
import pytest

from hpsearch.samplers.surrogate import Surrogate
from hpsearch.space.axes import Floats

UNORDERED = np.array([False, False, True])
NEW = np.random.default_rng(1).random((7, 3)) * [1, 1, 0] + [0, 0, 0.25]


def fitted(n: int = 15) -> tuple[Surrogate, Floats]:
    """A surrogate of a noisy function of two numbers and a choice, and the values it was fitted to."""
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.random((n, 2)), rng.choice([0.25, 0.75], n)])
    values = (points[:, 0] - 0.3) ** 2 * 5 + np.sin(3 * points[:, 1]) + (points[:, 2] > 0.5) + rng.normal(size=n) * 0.1
    values = (values - values.mean()) / values.std()
    return Surrogate.fit(points, values, UNORDERED), values


def kernel(surrogate: Surrogate, one: Floats, other: Floats) -> Floats:
    """Matern 5/2, written out; the distance of two choices is 0 or 1."""
    gp = surrogate.regressor
    apart = (one[:, None] - other[None]) ** 2
    apart[..., UNORDERED] = apart[..., UNORDERED] > 0
    r = np.sqrt(5 * apart @ gp.inverse_squared_lengthscales.numpy())
    return float(gp.kernel_scale) * (1 + r + r**2 / 3) * np.exp(-r)


def posterior(surrogate: Surrogate, points: Floats, values: Floats, new: Floats) -> tuple[Floats, Floats]:
    """Mean and covariance by inverting the covariance of the data."""
    noise = float(surrogate.regressor.noise_var) * np.eye(len(points))
    inverse = np.linalg.inv(kernel(surrogate, points, points) + noise)
    across = kernel(surrogate, new, points)
    return across @ inverse @ values, kernel(surrogate, new, new) - across @ inverse @ across.T


def test_it_predicts_as_dense_matrices_do() -> None:
    surrogate, values = fitted()
    mean, covariance = posterior(surrogate, surrogate.seen, values, NEW)
    found = surrogate.predict(NEW)
    np.testing.assert_allclose(found[0], mean, atol=1e-8)
    np.testing.assert_allclose(found[1], np.sqrt(np.diag(covariance)), atol=1e-6)


def test_the_best_is_the_least_mean_and_not_the_luckiest_result() -> None:
    x = np.repeat([0.1, 0.4, 0.7], 8)
    values = np.repeat([1.0, -0.7, -0.3], 8) + np.random.default_rng(0).normal(size=24) * 0.3
    values[20] = -3.0
    surrogate = Surrogate.fit(x[:, None], (values - values.mean()) / values.std(), np.array([False]))
    assert surrogate.best_point == pytest.approx([0.4])
    assert surrogate.best == pytest.approx(surrogate.predict(np.array([[0.4]]))[0][0])


def test_assuming_what_is_expected_leaves_less_doubt_there_and_the_original_alone() -> None:
    surrogate, values = fitted()
    before = surrogate.predict(NEW)
    new = surrogate.assuming(NEW[:3])
    mean, std = new.predict(NEW)
    for again, first in zip(surrogate.predict(NEW), before, strict=True):
        np.testing.assert_array_equal(again, first)
    assert (std[:3] < before[1][:3]).all() and (std <= before[1] + 1e-9).all()
    all_points, all_values = np.vstack([surrogate.seen, NEW[:3]]), np.concatenate([values, before[0][:3]])
    expected, covariance = posterior(surrogate, all_points, all_values, NEW)
    np.testing.assert_allclose(mean, expected, atol=1e-8)
    np.testing.assert_allclose(std, np.sqrt(np.diag(covariance)), atol=1e-6)
    assert (new.best, new.best_point.tolist()) == (surrogate.best, surrogate.best_point.tolist())


def test_a_point_that_is_assumed_twice_is_no_harm() -> None:
    surrogate, _ = fitted()
    twice = surrogate.assuming(np.vstack([surrogate.seen[:1]] * 3))
    assert np.isfinite(twice.predict(NEW)).all()


def test_draws_have_the_mean_and_covariance_of_the_posterior() -> None:
    surrogate, values = fitted()
    mean, covariance = posterior(surrogate, surrogate.seen, values, NEW)
    drawn = surrogate.draws(NEW, np.random.default_rng(0).normal(size=(40_000, len(NEW))))
    scale = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose((drawn.mean(axis=0) - mean) / scale, 0, atol=0.03)
    np.testing.assert_allclose((np.cov(drawn.T) - covariance) / np.outer(scale, scale), 0, atol=0.04)


def test_draws_where_points_coincide_agree() -> None:
    surrogate, _ = fitted()
    drawn = surrogate.draws(np.vstack([NEW[:1], NEW[:1]]), np.random.default_rng(0).normal(size=(50, 2)))
    np.testing.assert_allclose(drawn[:, 0], drawn[:, 1], atol=1e-5)


@pytest.mark.parametrize("n", [2, 3])
def test_two_results_are_enough(n: int) -> None:
    surrogate = Surrogate.fit(np.linspace(0, 1, n)[:, None], np.linspace(-1, 1, n), np.array([False]))
    assert np.isfinite(surrogate.predict(np.array([[0.5]]))).all()
