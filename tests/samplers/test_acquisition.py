"""The log expected improvement against high precision and Monte Carlo, and where candidates lie."""

import mpmath
import numpy as np
import pytest

from hpsearch.samplers.acquisition import _log_h, candidates, log_expected_improvement, refined
from hpsearch.samplers.surrogate import Surrogate
from hpsearch.space.axes import Floats

ROUGH = np.concatenate([np.linspace(-60, 60, 481), [-1e3 - 1e-6, -1e3 + 1e-6, -1e6, -1e-12, 0.0, 1e-12, 1e6]])


def test_log_h_to_high_precision() -> None:
    with mpmath.workdps(400):
        expected = [float(mpmath.log(mpmath.npdf(z) + z * mpmath.ncdf(z))) for z in map(mpmath.mpf, ROUGH[:481])]
    np.testing.assert_allclose(_log_h(ROUGH[:481]), expected, rtol=1e-9, atol=1e-9)


def test_log_h_rises_everywhere_and_is_finite() -> None:
    z = np.sort(ROUGH)
    assert np.isfinite(_log_h(z)).all()
    assert (np.diff(_log_h(z)) >= 0).all()


def a_surrogate() -> Surrogate:
    x = np.random.default_rng(0).random((12, 2))
    values = ((x - 0.4) ** 2).sum(axis=1)
    return Surrogate.fit(x, (values - values.mean()) / values.std(), np.array([False, False]))


def test_the_expected_improvement_is_that_of_draws() -> None:
    surrogate, points = a_surrogate(), np.random.default_rng(1).random((6, 2))
    mean, std = surrogate.predict(points)
    drawn = mean + std * np.random.default_rng(2).normal(size=(400_000, 6))
    gains = np.maximum(surrogate.best - drawn, 0)
    error = gains.std(axis=0) / np.sqrt(len(gains))
    found = np.exp(log_expected_improvement(surrogate, points))
    assert (np.abs(found - gains.mean(axis=0)) < 5 * error + 1e-12).all()


def test_candidates_fill_the_cube_and_crowd_around_the_best() -> None:
    best = np.array([0.9, 0.2, 0.5])
    found = candidates(best, np.random.default_rng(0))
    assert ((found >= 0) & (found <= 1)).all()
    cells = {tuple(cell) for cell in (found * 4).clip(max=3.999).astype(int)}
    assert len(cells) == 64
    near = np.abs(found - best).max(axis=1) < 0.1
    assert near.mean() > 10 * 0.2**3
    assert ((found == best).sum(axis=1) == 2).any(), "along one coordinate"


@pytest.mark.parametrize("optimum", [np.array([0.31, 0.77]), np.array([1.0, 0.4]), np.array([0.0, 1.0])])
def test_refining_finds_the_top_of_a_hill_also_on_the_bound(optimum: Floats) -> None:
    score = lambda points: -((points - optimum) ** 2).sum(axis=1)  # noqa: E731
    rng = np.random.default_rng(0)
    points = candidates(np.array([0.5, 0.5]), rng)
    found = refined(points, score(points), score, lambda points: points, rng)
    assert np.abs(found[0] - optimum).max() < 0.005
    assert (np.diff(score(found)) <= 0).all()
