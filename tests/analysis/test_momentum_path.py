"""The length of a tensor from the first step of a run on, against random walks that begin without a velocity."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.analysis.momentum_path import momentum_path
from hpsearch.analysis.update_rules import RULES
from hpsearch.analysis.weight_decay import equilibrium_norm, norm_path
from tests.analysis.random_walks import walk

SIZE, GRADIENT = 2000, 3.0
SETTINGS = {
    "sgd": (0.2, 0.005, 0.9),
    "sgd_nesterov": (0.2, 0.005, 0.9),
    "sgdw": (0.2, 0.05, 0.9),
    "sgdw_nesterov": (0.2, 0.05, 0.9),
    "lars": (0.01, 0.0, 0.9),
}
"""Learning rate, decay, momentum: w relaxes in 25 steps, not much more than the 10 of the momentum."""


@pytest.mark.parametrize("rule", SETTINGS)
@pytest.mark.parametrize("start", [0.6, 2.3, 9.2])
def test_it_is_that_of_a_random_walk_from_its_first_step_on(rule, start):
    norms = walk(rule, *SETTINGS[rule], start, 300, GRADIENT, SIZE).norm
    path = momentum_path(rule, np.arange(300), *SETTINGS[rule], GRADIENT, SIZE, start)
    assert path == pytest.approx(norms, rel=0.015)


@pytest.mark.parametrize(("start", "within"), [(2.0, 0.03), (20.0, 0.01)])
def test_under_adamw_the_first_steps_are_as_long_as_later_ones(start, within):
    """Its second moment follows the gradients slowly, though: at first it knows few of them."""
    norms = walk("adamw", 0.01, 1.0, 0.9, start, 300, size=SIZE).norm
    path = momentum_path("adamw", np.arange(300), 0.01, 1.0, 0.9, 1.0, SIZE, start)
    assert path == pytest.approx(norms, rel=within)


def test_starts_merge_as_those_of_random_walks_do_and_later_than_without_the_time_of_the_momentum():
    setting, step = SETTINGS["sgd_nesterov"], np.arange(300)
    starts = (0.6, 2.3, 9.2)
    merged = [
        _merged([walk("sgd_nesterov", *setting, start, 300, GRADIENT).norm for start in starts]),
        _merged([momentum_path("sgd_nesterov", step, *setting, GRADIENT, SIZE, start) for start in starts]),
        _merged([norm_path("sgd_nesterov", step, *setting, GRADIENT, SIZE, start) for start in starts]),
    ]
    assert merged[1] == pytest.approx(merged[0], abs=3)
    assert merged[2] < 0.75 * merged[0]


def test_under_a_schedule_every_tenth_step_tells_the_path():
    step = np.arange(0, 401)
    lr, gradient = np.interp(step, [0, 80, 400], [0.0, 0.4, 0.0]), 2 + np.sin(step / 60)
    norms = walk("sgd_nesterov", tuple(lr), 0.005, 0.9, 2.0, 401, tuple(gradient)).norm
    sparse = step[::10]
    path = momentum_path("sgd_nesterov", sparse, lr[::10], 0.005, 0.9, gradient[::10], SIZE, 2.0)
    assert path == pytest.approx(norms[::10], rel=0.02)


def test_noisy_gradients_of_every_tenth_step_tell_the_path_without_bias():
    """Those between count by the mean of the squares; the square of the mean would make |w| 4% too short."""
    gradient = 1 + 0.9 * np.random.default_rng(0).choice([-1, 1], (40, 1001))
    at, setting = np.arange(0, 1001, 10), (0.1, 0.02, 0.9)
    ratios = [
        momentum_path("sgd_nesterov", at, *setting, each[at], SIZE, 2.0)[50:]
        / momentum_path("sgd_nesterov", np.arange(1001), *setting, each, SIZE, 2.0)[at][50:]
        for each in gradient
    ]
    assert np.mean(ratios) == pytest.approx(1, abs=0.02)


@given(st.sampled_from(["sgd", "sgdw", "adamw"]), st.floats(0.5, 2.0), st.floats(0.001, 0.01))
def test_without_momentum_and_with_little_decay_it_is_the_path_of_the_ode(rule, factor, lr):
    setting, steps = (lr, 0.1, 0.0), np.arange(0, 3000, 100)
    start = factor * float(equilibrium_norm(rule, *setting, 1.0, 9))
    ode = norm_path(rule, steps, *setting, 1.0, 9, start)
    assert momentum_path(rule, steps, *setting, 1.0, 9, start) == pytest.approx(ode, rel=0.01)


@pytest.mark.parametrize("rule", RULES)
def test_without_a_learning_rate_nothing_moves(rule):
    assert momentum_path(rule, [0, 10, 20], 0.0, 0.0, 0.9, 1.0, 9, 2.0) == pytest.approx([2.0] * 3)


@pytest.mark.parametrize(("rule", "decay"), [("muon", 0.01), ("adam", 0.01), ("lars", 0.01)])
def test_where_there_is_no_theory(rule, decay):
    path = momentum_path(rule, [5, 10, 20], 0.1, decay, 0.9, 1.0, 9, 2.0)
    assert path[0] == 2 and np.isnan(path[1:]).all()


def test_after_a_gradient_that_is_not_a_number_there_is_no_path():
    path = momentum_path("sgd", [0, 10, 20], 0.1, 0.01, 0.9, [1.0, 1.0, np.nan], 9, 2.0)
    assert np.isfinite(path[:2]).all() and np.isnan(path[2])
    assert np.isnan(momentum_path("sgd", [0, 10], 0.1, 0.01, 0.9, 1.0, 9, 0.0)[1])
    assert momentum_path("sgd", [7], 0.1, 0.01, 0.9, 1.0, 9, 2.0) == pytest.approx([2.0])


def _merged(paths):
    apart = np.max(paths, axis=0) / np.min(paths, axis=0) > 1.2
    return int(np.flatnonzero(apart)[-1]) + 1
