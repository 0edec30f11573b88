"""Adjusted losses against brute force and limits."""

import numpy as np
import pytest
from scipy.stats import norm

from hpsearch.statistics.adjusted import adjusted

MEANS = np.array([0.1, 0.4, 0.45, 1.3])
ERRORS = np.array([0.7, 0.4, 1.0, 0.5])


def test_they_are_the_posterior_of_a_hierarchy_of_normal_distributions() -> None:
    """The posterior of the first setting, summed over a fine lattice of (tau, mu, theta_1)."""
    std = 0.8
    tau = np.linspace(0.01, 4 * std, 160)[:, None, None]
    mu = np.linspace(-9, 10, 100)[:, None]
    theta = np.linspace(-6, 6, 601)
    others = norm.pdf(MEANS[1:], mu, np.hypot(ERRORS[1:], tau)).prod(axis=-1)
    density = norm.pdf(MEANS[0], theta, ERRORS[0]) * norm.pdf(theta, mu, tau) * others[..., None]
    density = (density / (1 + (tau / std) ** 2)).sum(axis=(0, 1))
    mean = (theta * density).sum() / density.sum()
    variance = ((theta - mean) ** 2 * density).sum() / density.sum()
    estimates, errors = adjusted(MEANS, ERRORS, std)
    assert estimates[0] == pytest.approx(mean, abs=0.01)
    assert errors[0] == pytest.approx(np.sqrt(variance), rel=0.02)


def test_settings_far_apart_keep_their_means() -> None:
    estimates, errors = adjusted(np.array([0.0, 300.0]), np.array([0.1, 0.1]), 1.0)
    assert estimates == pytest.approx([0.0, 300.0], abs=0.3)
    assert errors == pytest.approx([0.1, 0.1], rel=0.01)


def test_many_settings_that_are_alike_get_their_common_mean() -> None:
    means = np.random.default_rng(0).normal(5, 1, 200)
    estimates, errors = adjusted(means, np.ones(200), 1.0)
    assert np.ptp(estimates) < np.ptp(means) / 5
    assert estimates.mean() == pytest.approx(means.mean())
    assert errors.max() < 0.4


def test_a_single_setting_keeps_its_mean() -> None:
    estimates, errors = adjusted(np.array([2.0]), np.array([0.3]), 1.0)
    assert (estimates[0], errors[0]) == pytest.approx((2.0, 0.3))
