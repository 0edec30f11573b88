"""What is said of a trial's dynamics, on tensors that walk at random under a loss that does not see their length."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from hpsearch.analysis.layer_dynamics import steps_per_epoch, trial_dynamics
from hpsearch.analysis.layer_lag import lag_of
from hpsearch.analysis.layer_norms import Norms, smooth
from hpsearch.analysis.momentum_path import momentum_path
from hpsearch.analysis.weight_decay import equilibrium_norm
from tests.analysis.random_walks import traced

CONSTANT = (0.1, 0.01, 0.5)
"""Learning rate, decay, momentum: delta 0.002, relaxation 125 steps."""
BALANCE = 10**0.25
"""|w| at gradients of 1."""
STEPS = 1500


@cache
def rows(layer="a", start=BALANCE, rule="sgd_nesterov", setting=CONSTANT, **options):
    return traced(layer, rule, *setting, start, STEPS, **options)


def layer_of(*tables):
    (layer,) = trial_dynamics(pd.concat(tables, ignore_index=True)).layers
    return layer


def ramp():
    """A learning rate that rises and falls, slowly against the relaxation time."""
    return 0.1 * np.interp(np.arange(STEPS), [0, 500, STEPS], [0.1, 1, 0.1])


def test_a_tensor_that_starts_in_balance_stays_there():
    norms = layer_of(rows()).norms
    assert norms.settled == 0 and norms.relaxation == pytest.approx(125)
    assert abs(norms.off) < 0.03 and norms.balance_error < 0.03 and norms.path_error < 0.03
    assert norms.balance == pytest.approx(np.full(len(norms.balance), BALANCE))


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_one_that_starts_elsewhere_settles_when_theory_says(factor):
    norms = layer_of(rows(start=factor * BALANCE)).norms
    off = abs(1.1**4 - 1) if factor > 1 else abs(0.9**4 - 1)
    predicted = 125 * np.log(abs(factor**4 - 1) / off)
    assert norms.settled == pytest.approx(predicted, rel=0.15)
    assert norms.path_error < 0.03 < norms.balance_error


def test_one_that_never_settles():
    norms = layer_of(rows(start=20 * BALANCE)).norms
    assert norms.settled is None and norms.off > 0.1
    assert norms.path_error < 0.03


def test_a_tensor_follows_a_schedule_behind_its_balance():
    norms = layer_of(rows(setting=(tuple(ramp()), 0.05, 0.5), start=1.1)).norms
    assert norms.lag.steps == pytest.approx(norms.lag.by_theory, abs=15)
    assert 1 < norms.lag.steps / norms.lag.relaxation < 2
    assert norms.lag.factor == pytest.approx(1, abs=0.03) and norms.lag.rms < 0.03


def test_the_lag_behind_a_steady_movement_is_the_relaxation_time():
    """Of |w|^4 that moves at a steady rate; a factor between |w| and theory, of correlated gradients, does no harm."""
    step, relaxation = np.arange(0, 4000, 10.0), np.full(400, 80.0)
    balance = (10 + 50 * np.abs(np.sin(step / 1500))) ** 0.25
    late = np.maximum(step - 80, 0)
    norm = np.interp(late, step, balance)
    found = lag_of(step, 0.9 * norm, norm, balance, relaxation, 4)
    assert found.steps == pytest.approx(80, abs=1) and found.by_theory == pytest.approx(80, abs=1)
    assert found.factor == pytest.approx(0.9) and found.rms == pytest.approx(0, abs=1e-3)


def test_there_is_no_lag_where_nothing_moves_or_the_start_is_not_forgotten():
    step, balance = np.arange(0, 1000, 10.0), np.linspace(1, 2, 100)
    constant, relaxation = np.ones(100), np.full(100, 50.0)
    assert lag_of(step, constant, constant, constant, relaxation, 4) is None
    assert lag_of(step, balance, balance, balance, 100 * relaxation, 4) is None
    assert lag_of(step, balance, balance, np.full(100, np.nan), relaxation, 4) is None
    assert lag_of(step, balance, balance, balance, relaxation, 4).steps == 0


def test_a_norm_ahead_of_its_balance_has_no_lag():
    step = np.arange(0, 1000, 10.0)
    balance, ahead = np.exp(np.sin(step / 200)), np.exp(np.sin((step + 40) / 200))
    assert lag_of(step, ahead, ahead, balance, np.full(100, 50.0), 4) is None


@pytest.mark.parametrize("times", [0.25, 1.0, 20.0])
def test_a_lag_is_seen_only_once_a_long_start_is_forgotten(times):
    """From 20 times the balance, |w|^4 takes 2 + ln(20^4) = 14 relaxation times for it, of 80 steps each."""
    step, relaxation = np.arange(0, 4000, 10.0), 80.0
    balance = (10 + 5 * np.sin(step / 500)) ** 0.25
    powers = [(times * balance[0]) ** 4]
    for target in balance[1:] ** 4:
        powers.append(target + (powers[-1] - target) * np.exp(-10 / relaxation))
    norm = np.array(powers) ** 0.25
    found = lag_of(step, norm, norm, balance, np.full(400, relaxation), 4)
    assert found.steps == pytest.approx(77, abs=8)
    assert found.factor == pytest.approx(1, abs=0.01)


def test_where_hardly_anything_moves_the_balance_is_not_followed():
    step, frozen = np.arange(0, 4000, 10.0), np.arange(400) >= 350
    balance, norm = ((10 + 50 * np.abs(np.sin(np.maximum(step - late, 0) / 1500))) ** 0.25 for late in (0, 80))
    ending = np.where(frozen, balance * np.linspace(1, 0.01, 400), balance)
    found = lag_of(step, norm, norm, ending, np.where(frozen, 2000.0, 80.0), 4)
    assert found.steps == pytest.approx(80, abs=1) and found.factor == pytest.approx(1, abs=0.01)


def test_a_lag_beyond_what_can_be_tried_is_not_told():
    """Shifts reach to where the start is forgotten, here at step 100."""
    step = np.arange(0, 1000, 10.0)
    balance, late = np.exp((step / 1000) ** 2), np.exp(((step - 300) / 1000) ** 2)
    assert lag_of(step, late, late, balance, np.full(100, 50.0), 4) is None


def test_the_rotation_of_a_random_walk_in_balance_is_the_predicted_one():
    late = layer_of(rows(every=2)).rotations.late
    assert late.ratio == pytest.approx(1, abs=0.03)
    assert late.by_norm == pytest.approx(1, abs=0.03) and late.by_correlation == pytest.approx(1, abs=0.03)
    assert late.alike == pytest.approx(0, abs=0.03)


def test_a_norm_off_its_balance_is_told_from_correlated_gradients():
    long = layer_of(rows(start=20 * BALANCE)).rotations.late
    assert long.ratio < 0.5
    assert long.by_correlation == pytest.approx(1, abs=0.05)
    assert long.ratio == pytest.approx(long.by_norm * long.by_correlation)


@pytest.mark.parametrize("rule", ["sgd", "sgd_nesterov", "sgdw_nesterov", "lars"])
@pytest.mark.parametrize("alike", [0.3, -0.3])
def test_gradients_that_are_alike_or_opposed_are_seen(rule, alike):
    """The correlation with the gradient k steps before is alike^k; a gradient enters the steps by its shares."""
    setting = (0.01, 0.0 if rule == "lars" else 0.01, 0.5)
    late = layer_of(rows(rule=rule, setting=setting, start=1.0, every=2, alike=alike)).rotations.late
    assert late.alike == pytest.approx(alike / (1 - 0.5 * alike), abs=0.03)
    shares = 0.5 ** np.arange(30)
    shares = shares if rule == "sgd" else np.append(1.5, 0.5 * shares[1:])
    correlation = alike ** np.abs(np.subtract.outer(np.arange(30), np.arange(30)))
    expected = np.sqrt(shares @ correlation @ shares / (shares @ shares))
    assert late.by_correlation == pytest.approx(expected, rel=0.015) and abs(expected - 1) > 0.04


def test_rotations_are_told_by_epoch_and_over_the_last_third():
    found = layer_of(rows(every=2)).rotations
    table = rows(every=2)
    assert list(found.epochs) == list(range(1, 16))
    third = table[table["epoch"] == 3]
    assert found.epochs[3].measured == pytest.approx(np.sqrt(np.mean(third["rotation"] ** 2)))
    last = table[table["step"] >= 1000]
    assert found.late.measured == pytest.approx(np.sqrt(np.mean(last["rotation"] ** 2)))


def test_tensors_of_different_gradients_turn_alike():
    found = trial_dynamics(pd.concat([rows(layer=name, gradient=gt, every=2) for name, gt in (("a", 0.8), ("b", 1.2))]))
    assert len(found.ratios) == 2 and found.ratios == pytest.approx([1, 1], abs=0.05)
    summary = found.to_json()["measured_over_predicted_rotation"]
    assert summary["least"] <= summary["median"] <= summary["most"]


def test_under_lars_there_is_a_rotation_and_a_path_but_no_balance():
    layer = layer_of(rows(rule="lars", setting=(0.01, 0.0, 0.5), every=2))
    assert layer.norms.off is layer.norms.settled is layer.norms.balance_error is layer.norms.lag is None
    assert layer.norms.path_error < 0.01 and layer.rotations.late.ratio == pytest.approx(1, abs=0.03)


def test_without_decay_there_is_a_path_only():
    layer = layer_of(rows(setting=(0.1, 0.0, 0.5)))
    assert layer.norms.off is None and layer.norms.path_error < 0.02
    late = layer.rotations.late
    assert np.isnan(late.ratio) and late.by_correlation == pytest.approx(1, abs=0.05)
    json.dumps(layer.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"scale_invariant": False, "kind": "norm scale"}, "sets the size of what follows"),
        ({"scale_invariant": False, "kind": "linear"}, "size of the outputs"),
        ({"scale_invariant": False, "kind": "other"}, "the loss changes with its length"),
        ({"rule": "muon"}, "no theory of muon"),
        ({"rule": "lars"}, "no theory of lars with weight decay"),
        ({"weight_norm": 0.0}, "no direction"),
    ],
)
def test_tensors_of_which_theory_says_nothing_stand_apart(columns, why):
    found = trial_dynamics(pd.concat([rows(), rows(layer="b").assign(**columns)]))
    assert [layer.name for layer in found.layers] == ["a"]
    (apart,) = found.apart
    assert apart.name == "b" and why in apart.why


@pytest.mark.parametrize("column", ["weight_norm", "grad_norm", "update_norm"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_trial_that_diverged_is_cut_where_a_tensor_is_not_finite(column, value):
    whole, other = rows(), rows(layer="b").copy()
    other.loc[other["step"] == 700, column] = value
    found = trial_dynamics(pd.concat([whole, other]))
    assert found.diverged_at_step == 700
    assert [layer.norms.step[-1] for layer in found.layers] == [690, 690]
    cut = trial_dynamics(whole[whole["step"] < 700])
    assert found.layers[0].to_json() == cut.layers[0].to_json()
    json.dumps(found.to_json(), allow_nan=False)


def test_a_trial_that_diverged_at_once_has_no_layers():
    found = trial_dynamics(rows().assign(grad_norm=np.nan))
    assert found.diverged_at_step == 0 and found.layers == found.apart == ()
    assert json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.parametrize("start", [BALANCE, 0.5])
def test_a_single_row_is_a_trial(start):
    layer = layer_of(rows(start=start).head(1))
    assert layer.norms.path_error == 0 and layer.norms.lag is None
    assert list(layer.rotations.epochs) == [1]


@pytest.mark.parametrize(("every", "per_epoch"), [(10, 79), (7, 98), (100, 79), (3, 1)])
def test_the_length_of_an_epoch_is_found(every, per_epoch):
    step = np.arange(0, 5 * per_epoch, every)
    found = steps_per_epoch(pd.DataFrame({"step": step, "epoch": 1 + step // per_epoch}))
    assert found == pytest.approx(per_epoch, abs=max(1, every / 2))


def test_what_settled_means():
    """From the last step outside on, where there is a balance."""
    measured = np.array([1.0, 2.0, 1.05, 1.2, 1.05, 0.95, 1.0])
    balance = np.array([1, 1, 1, 1, np.nan, 1, 1])
    norms = Norms(np.arange(0.0, 70, 10), measured, measured, measured, balance, 1.0, None)
    assert norms.settled == 50 and norms.off == 0 and norms.in_balance == pytest.approx(4 / 6)
    nowhere = replace(norms, balance=np.full(7, np.nan))
    assert nowhere.settled is nowhere.in_balance is nowhere.off is None


def test_gradients_are_smoothed_around_each_row():
    assert smooth(np.array([0.0, 0, 0, 3, 0, 0]), 3) == pytest.approx(np.sqrt([0, 0, 3, 3, 3, 0]))
    assert smooth(np.array([2.0, 1, 1]), 3) == pytest.approx(np.sqrt([2.5, 2, 1]))


def test_the_path_is_that_of_the_theory_with_smooth_gradients():
    """Every window of rows has the same root mean square, so that smoothing is exact inside."""
    table = rows().assign(grad_norm=lambda each: 2 / each["weight_norm"])
    norms = layer_of(table).norms
    expected = momentum_path("sgd_nesterov", norms.step, *CONSTANT, 2.0, 2000, BALANCE)
    assert norms.path == pytest.approx(expected)
    assert norms.balance == pytest.approx(float(equilibrium_norm("sgd_nesterov", *CONSTANT, 2.0, 2000)))
