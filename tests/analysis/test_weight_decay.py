"""The theory of weight decay against random walks under every update rule, and its laws."""

import warnings
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.analysis.update_rules import RULES
from hpsearch.analysis.weight_decay import (
    decay_rate,
    equilibrium_norm,
    equilibrium_rotation,
    lars_rate,
    memory_steps,
    norm_path,
    relaxation_steps,
    rotation_at,
)
from tests.analysis.random_walks import walk

GRADIENT, SIZE = 0.7, 2000
SETTINGS = {
    "sgd": (0.01, 0.005, 0.8),
    "sgd_nesterov": (0.02, 0.00625, 0.5),
    "sgdw": (0.01, 0.025, 0.9),
    "sgdw_nesterov": (0.01, 0.025, 0.9),
    "adamw": (0.0005, 0.5, 0.9),
}
"""Learning rate, decay and momentum of a slow decay: delta is 0.00025."""
SGD = [rule for rule in SETTINGS if rule != "adamw"]
POWER = {**dict.fromkeys(SGD, 4), "adamw": 2}

rules = st.sampled_from(list(SETTINGS))
positive = st.floats(1e-4, 1.0)
momenta = st.floats(0.0, 0.99)


def balance(rule, size=SIZE):
    return float(equilibrium_norm(rule, *SETTINGS[rule], GRADIENT, size))


@pytest.mark.parametrize("rule", SETTINGS)
def test_in_balance_norm_and_rotation_are_those_of_a_random_walk(rule):
    measured = walk(rule, *SETTINGS[rule], balance(rule), 4000, GRADIENT)
    assert measured.norm[2000:].mean() == pytest.approx(balance(rule), rel=0.01)
    rotation = np.sqrt(np.mean(measured.rotation[2000:] ** 2))
    assert rotation == pytest.approx(equilibrium_rotation(rule, *SETTINGS[rule]), rel=0.01)


@pytest.mark.parametrize(("rule", "start"), [*product(SGD, [0.8, 2.0]), ("adamw", 0.5), ("adamw", 2.0)])
def test_a_random_walk_comes_e_times_nearer_to_the_balance_in_the_relaxation_time(rule, start):
    """From below and from above, when the momentum has filled."""
    size, relaxation = 10_000, float(relaxation_steps(rule, *SETTINGS[rule]))
    final, filled = balance(rule, size), 100
    norms = walk(rule, *SETTINGS[rule], start * final, filled + round(1.1 * relaxation), GRADIENT, size).norm[filled:]
    away = np.abs(norms ** POWER[rule] - final ** POWER[rule])
    assert np.argmax(away < away[0] / np.e) == pytest.approx(relaxation, rel=0.01)
    path = norm_path(rule, np.arange(len(norms)), *SETTINGS[rule], GRADIENT, size, norms[0])
    assert norms == pytest.approx(path, rel=0.01)


@pytest.mark.parametrize("rule", SETTINGS)
def test_far_above_the_balance_the_norm_falls_by_e_in_the_memory(rule):
    memory = round(float(memory_steps(rule, *SETTINGS[rule])))
    norms = walk(rule, *SETTINGS[rule], 30 * balance(rule), memory + 101, GRADIENT).norm[100:]
    assert norms[-1] / norms[0] == pytest.approx(np.exp(-1), rel=0.01)


@pytest.mark.parametrize("rule", [*SETTINGS, "lars"])
def test_the_path_is_that_of_a_random_walk_under_a_triangular_schedule_and_changing_gradients(rule):
    steps, every, start, rho = 4000, 10, 1.2, 0.5
    alpha = {"lars": 0.0, "adamw": 0.5, "sgd": 0.01, "sgd_nesterov": 0.01}.get(rule, 0.02)
    peak = {"lars": 0.01, "adamw": 0.002}.get(rule, 0.05)
    time = np.arange(steps)
    lr = peak * np.interp(time, [0, 800, steps], [0, 1, 0])
    gradient = np.full(steps, 1.0) if rule == "adamw" else 1 + 0.5 * np.sin(time / 200)
    norms = walk(rule, lr, alpha, rho, start, steps, gradient).norm[::every]
    path = norm_path(rule, time[::every], lr[::every], alpha, rho, gradient[::every], SIZE, start)
    assert max(norms) > 1.01 * start
    assert norms == pytest.approx(path, rel=0.01)


def test_without_decay_the_norm_grows_as_the_fourth_root_of_the_steps():
    norms, time = walk("sgd", 0.1, 0.0, 0.5, 2.0, 2000).norm, np.arange(2000)
    expected = (2**4 + 2 * (0.1 / 0.5) ** 2 * time) ** 0.25
    assert norms == pytest.approx(expected, rel=0.01)
    assert norm_path("sgd", time, 0.1, 0.0, 0.5, 1.0, SIZE, 2.0) == pytest.approx(expected)


def test_lars_turns_w_at_a_constant_rate_while_it_grows():
    measured = walk("lars", 0.002, 0.0, 0.9, 1.0, 2500)
    rotation = np.sqrt(np.mean(measured.rotation[500:] ** 2))
    assert rotation == pytest.approx(equilibrium_rotation("lars", 0.002, 0.0, 0.9), rel=0.01)
    growth = np.log(measured.norm[2400] / measured.norm[400]) / 2000
    assert growth == pytest.approx(decay_rate("lars", 0.002, 0.0, 0.9), rel=0.02)


def test_the_table_of_the_design():
    setting = (0.1, 0.02, 0.9)
    assert equilibrium_rotation("sgd", *setting) == pytest.approx(0.0459, abs=5e-5)
    assert equilibrium_rotation("sgd_nesterov", *setting) == pytest.approx(0.0532, abs=5e-5)
    assert equilibrium_norm("sgd", *setting, 1.0, 1) == pytest.approx(2.236, abs=5e-4)
    assert lars_rate(*setting) == pytest.approx(0.02) and lars_rate(0.1, 0.02, 0.0) == pytest.approx(0.004**0.5)
    assert memory_steps("sgd", 0.4, 5e-4, 0.9) == pytest.approx(500)
    assert relaxation_steps("sgd", 0.4, 5e-4, 0.9) == pytest.approx(125)
    assert equilibrium_rotation("adamw", 0.01, 1.0, 0.9) == pytest.approx((2 * 0.01 * 0.1 / 1.9) ** 0.5)
    assert equilibrium_norm("adamw", 0.01, 1.0, 0.9, 5.0, 2000) == pytest.approx(10**0.5)


@given(positive, positive, momenta)
def test_lars_at_the_equivalent_rate_turns_and_forgets_as_sgd_in_balance(lr, decay, momentum):
    rate = lars_rate(lr, decay, momentum)
    turned = equilibrium_rotation("sgd_nesterov", lr, decay, momentum)
    assert equilibrium_rotation("lars", rate, 0.0, momentum) == pytest.approx(turned)
    assert memory_steps("lars", rate, 0.0, momentum) == pytest.approx(memory_steps("sgd", lr, decay, momentum))


@given(rules, positive, positive, momenta, positive, st.floats(0.1, 10))
def test_rotation_knows_only_the_product_of_rate_and_decay(rule, lr, decay, momentum, gradient, c):
    def of(lr, decay, gradient):
        rotation, norm = (
            equilibrium_rotation(rule, lr, decay, momentum),
            equilibrium_norm(rule, lr, decay, momentum, gradient, 9),
        )
        return float(rotation), float(norm)

    rotation, norm = of(lr, decay, gradient)
    assert of(c * lr, decay / c, gradient) == pytest.approx((rotation, c ** (2 / POWER[rule]) * norm))
    assert of(lr, decay, c * gradient) == pytest.approx((rotation, norm if rule == "adamw" else c**0.5 * norm))


@given(rules, positive, positive, momenta, positive)
def test_in_balance_the_rotation_is_that_of_uncorrelated_gradients_at_this_norm(rule, lr, decay, momentum, gradient):
    norm = equilibrium_norm(rule, lr, decay, momentum, gradient, 9)
    turned = rotation_at(rule, norm, lr, momentum, gradient, 9)
    assert turned == pytest.approx(equilibrium_rotation(rule, lr, decay, momentum))


@pytest.mark.parametrize("rule", RULES)
def test_out_of_balance_too(rule):
    """Without decay, when the momentum has filled; under LARS as at any other norm."""
    measured = walk(rule, 0.001, 0.0, 0.9, 0.3, 1000, GRADIENT)
    predicted = rotation_at(rule, measured.norm, 0.001, 0.9, GRADIENT, SIZE)[100:]
    assert np.sqrt(np.mean(measured.rotation[100:] ** 2)) == pytest.approx(np.sqrt(np.mean(predicted**2)), rel=0.01)


@given(rules, positive, positive, momenta, positive, st.lists(st.integers(1, 1000), min_size=1, max_size=20))
def test_the_balance_is_where_the_norm_stays(rule, lr, decay, momentum, gradient, spans):
    final = float(equilibrium_norm(rule, lr, decay, momentum, gradient, 9))
    steps = np.cumsum([0, *spans])
    path = norm_path(rule, steps, lr, decay, momentum, gradient, 9, final)
    assert path == pytest.approx(np.full(len(steps), final))


@given(st.sampled_from(list(RULES)), positive, positive, momenta, st.floats(0.1, 10), st.sets(st.integers(1, 99)))
def test_steps_in_between_change_nothing_where_nothing_changes(rule, lr, decay, momentum, start, between):
    setting = (lr / 100, 0.0 if rule == "lars" else decay, momentum / 2, 1.0, 9, start)
    whole, split = (norm_path(rule, steps, *setting) for steps in ([0, 100], [0, *sorted(between), 100]))
    assert split[-1] == pytest.approx(whole[-1])


def test_under_a_ramp_every_50th_step_tells_the_path():
    step = np.arange(0, 2001)
    lr = np.interp(step, [0, 500, 2000], [0.0, 0.1, 0.0])
    exact, sparse = (norm_path("sgd", step[::k], lr[::k], 0.005, 0.5, 1.0, 1, 1.0)[:: 50 // k] for k in (1, 50))
    assert sparse == pytest.approx(exact, rel=0.005)


def test_a_path_forgets_its_start_and_holds_over_long_gaps():
    ends = [norm_path("sgd", [0, 10**9], 0.1, 0.02, 0.9, 1.0, 1, start)[-1] for start in (1e-3, 1.0, 1e3)]
    assert ends == pytest.approx([5**0.25 * 5**0.25] * 3)


def test_arrays_broadcast():
    lr, decay = np.array([[0.1], [0.2]]), np.array([0.01, 0.02, 0.04])
    norms = equilibrium_norm("sgd", lr, decay, 0.9, 1.0, 1)
    assert norms.shape == (2, 3)
    assert norms[1, 2] == equilibrium_norm("sgd", 0.2, 0.04, 0.9, 1.0, 1)
    assert equilibrium_rotation("sgd_nesterov", lr, decay, 0.9).shape == (2, 3)


@pytest.mark.parametrize("rule", ["adam", "muon", "one of one's own"])
def test_of_other_rules_theory_says_nothing(rule):
    assert rule not in RULES
    for function in (decay_rate, memory_steps, relaxation_steps, equilibrium_rotation):
        assert np.isnan(function(rule, [0.1, 0.0], 0.01, 0.9)).all()
    assert np.isnan(equilibrium_norm(rule, 0.1, 0.01, 0.9, 1.0, 1))
    assert np.isnan(rotation_at(rule, 2.0, 0.1, 0.9, 1.0, 1))
    assert np.isnan(norm_path(rule, [0, 10, 20], 0.1, 0.01, 0.9, 1.0, 1, 2.0)[1:]).all()


def test_where_there_is_no_balance():
    """Without decay the norm grows for ever; without a learning rate nothing moves."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(equilibrium_norm("sgd", [0.1, 0.0], [0.0, 0.1], 0.9, 1.0, 1)).all()
        assert np.isnan(equilibrium_rotation("sgd", 0.1, 0.0, 0.9))
        assert equilibrium_rotation("sgd", 0.0, 0.1, 0.9) == equilibrium_rotation("lars", 0.0, 0.0, 0.9) == 0
        assert np.isinf(memory_steps("sgd", 0.1, 0.0, 0.9)) and np.isinf(relaxation_steps("adamw", 0.0, 0.1, 0.9))
        assert np.isnan(equilibrium_norm("lars", 0.1, 0.0, 0.9, 1.0, 1))
        assert np.isinf(relaxation_steps("lars", 0.1, 0.0, 0.9))
        assert np.isnan(equilibrium_rotation("lars", 0.1, 0.01, 0.9))
        assert norm_path("sgd", [0, 10], 0.0, 0.1, 0.9, 1.0, 1, 2.0) == pytest.approx([2.0, 2.0])
        assert equilibrium_norm("sgd", 0.1, 0.1, 0.9, 0.0, 1) == 0
