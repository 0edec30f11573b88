"""When lengths from several scales are one: against the differential equation and a walk of random gradients."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from hpsearch.analysis.merging import SCALE, merging
from hpsearch.analysis.merging_layers import WITHIN, closed_form, step_of_merging
from hpsearch.trial import Status
from tests.analysis.traced_studies import START, Traced, write

SCALES = (0.25, 1.0, 4.0)
DELTA = 0.2 * 5e-3 / (1 - 0.9)


def runs(scales=SCALES, **changes):
    config = changes.pop("config", {})
    return [replace(Traced({SCALE: scale, **config}, scale=scale), **changes) for scale in scales]


def balance(gradient):
    """Of the settings of ``Traced``: |w|^4 = eta gt^2 / (2 alpha (1 - rho))."""
    return (0.2 * gradient**2 / (2 * 5e-3 * 0.1)) ** 0.25


def test_merged_is_from_where_on_all_are_within_a_factor():
    step = np.array([0.0, 10, 20, 30])
    one = np.ones(4)
    assert step_of_merging(step, [one, np.array([4, 1.1, 1, 1])]) < 10
    assert step_of_merging(step, [one, np.array([1.1, 4, 1.1, 1])]) == pytest.approx(
        10 + 10 * math.log(4 / 1.2) / math.log(4 / 1.1)
    )
    assert step_of_merging(step, [one, 1.2 * one]) == 0
    assert step_of_merging(step, [one, np.array([1, 1, 1, 1.3])]) is None
    assert step_of_merging(step, [one, one, np.array([1, 1, 1, 0.8])]) is None
    assert step_of_merging(step, [one, np.full(4, np.nan)]) is None


@pytest.mark.parametrize("power", [4, 2])
@pytest.mark.parametrize("starts", [(1.0, 4.0, 16.0), (0.1, 1.0), (3.0, 30.0)])
def test_the_closed_form_solves_the_differential_equation(power, starts):
    step = np.linspace(0, 1500, 3001)
    paths = [
        solve_ivp(
            lambda _, x: -DELTA * x + DELTA * 5.0**power * x ** (1 - power),
            (0, 1500),
            [start],
            t_eval=step,
            rtol=1e-9,
            method="LSODA",
        ).y[0]
        for start in starts
    ]
    assert closed_form(starts, 5.0, DELTA, power) == pytest.approx(step_of_merging(step, paths), rel=1e-3, abs=0.5)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.01, 100), min_size=2, max_size=4), st.floats(0.1, 10), st.floats(0.1, 10))
def test_merging_knows_no_unit_of_length_or_time(starts, length, time):
    found = closed_form(starts, 1.0, DELTA, 4)
    scaled = closed_form([length * start for start in starts], length, DELTA / time, 4)
    assert scaled == pytest.approx(time * found, rel=1e-6, abs=1e-6)


def test_from_far_above_weights_fall_as_the_decay_says():
    """From 4 times the balance: ln(4) / delta, less what is within 20% already."""
    steps = closed_form([5.0, 20.0], 5.0, DELTA, 4)
    expected = math.log((4**4 - 1) / (WITHIN**4 - 1)) / (4 * DELTA)
    assert steps == pytest.approx(expected)
    assert steps < math.log(4) / DELTA


def test_walks_of_random_gradients_merge_when_they_are_predicted_to(tmp_path):
    gradients = {"a": 1.0, "b": 3.0, "c": 10.0}
    found = merging(write(tmp_path, runs(walk=True, layers=gradients)))
    (one,) = found.settings
    assert [layer.name for layer in one.layers] == ["a", "b", "c"]
    for layer in one.layers:
        assert layer.measured / layer.predicted == pytest.approx(1, abs=0.15)
    assert one.ratio == pytest.approx(1, abs=0.1)
    assert one.closed_form_ratio == pytest.approx(1, abs=0.15)
    # b begins near its balance: it is the scales of 1/4 and 4 that merge
    expected = closed_form([START * scale for scale in SCALES], balance(3.0), DELTA, 4)
    assert one.layers[1].closed_form == pytest.approx(expected, rel=0.05)
    assert one.layers[1].relaxation == pytest.approx(1 / (4 * DELTA))


def test_the_effective_rate_merges_later(tmp_path):
    (one,) = merging(write(tmp_path, runs(noise=0))).settings
    assert all(layer.effective > layer.measured for layer in one.layers)
    layer = one.layers[0]
    ratio = [max(some) / min(some) for some in zip(*layer.norms.values(), strict=True)]
    after = layer.step > layer.effective
    assert max(np.square(ratio)[after]) <= WITHIN < max(np.square(ratio)[~after])


def test_seeds_of_a_scale_are_combined_by_their_geometric_mean(tmp_path):
    (one,) = merging(write(tmp_path, [*runs(noise=0), *runs(scales=(16.0,), config={SCALE: 4.0}, noise=0)])).settings
    first = {scale: norms[0] for scale, norms in one.layers[0].norms.items()}
    assert first == pytest.approx({0.25: START / 4, 1.0: START, 4.0: START * 8})
    assert one.results[4.0].n == 2


def test_every_other_setting_is_a_comparison_of_its_own(tmp_path):
    trials = [
        *runs(config={"lr": 0.2}),
        *runs(config={"lr": 0.1}, lr=0.1, accuracy=(0.1, 0.2)),
        *runs(scales=(1.0,), config={"lr": 0.3}),
    ]
    first, second = merging(write(tmp_path, trials)).settings
    assert (first.config, second.config) == ({"lr": 0.2}, {"lr": 0.1})
    assert second.layers[0].relaxation == pytest.approx(2 * first.layers[0].relaxation)
    assert second.results[1.0].mean == pytest.approx(0.2)


def test_a_trial_that_diverged_is_left_out_and_counted(tmp_path):
    found = merging(write(tmp_path, [*runs(), *runs(scales=(8.0,), status=Status.DIVERGED)]))
    assert found.left_out == {"diverged": 1}
    assert [*found.settings[0].results] == [*SCALES]


def test_weights_that_stay_apart_never_merge(tmp_path):
    (one,) = merging(write(tmp_path, runs(weight_decay=1e-6, layers={"a": 0.01, "b": 0.01, "c": 10.0}))).settings
    assert one.layers[0].measured is None
    assert one.layers[0].predicted is None
    assert one.measured is None
    json.dumps(one.to_json(), allow_nan=False)


def test_under_a_schedule_there_is_no_closed_form(tmp_path):
    (one,) = merging(write(tmp_path, runs(ramp=True))).settings
    assert one.closed_form is None
    assert one.closed_form_ratio is None
    assert one.ratio == pytest.approx(1, abs=0.05)


def test_a_rule_without_theory_is_measured_only(tmp_path):
    (one,) = merging(write(tmp_path, runs(rule="adam", walk=True))).settings
    assert one.measured is not None
    assert (one.predicted, one.closed_form, one.ratio) == (None, None, None)
    assert json.loads(json.dumps(one.to_json(), allow_nan=False))["layers"][0]["relaxation"] is None


def test_a_study_of_one_scale_has_nothing_to_compare(tmp_path):
    assert merging(write(tmp_path, [Traced({"lr": 0.2}), Traced({"lr": 0.1})])).settings == ()


def test_tensors_that_never_merge_are_not_left_out_of_the_ratio(tmp_path):
    """Measured by hand: of three tensors one merges as predicted, one not at all, and one though it should not."""
    (one,) = merging(write(tmp_path, runs())).settings
    first, second, third = one.layers
    as_predicted = replace(first, measured=100.0, predicted=100.0)
    never, surprise = replace(second, measured=None, predicted=100.0), replace(third, measured=100.0, predicted=None)
    neither = replace(third, measured=None, predicted=None)
    assert replace(one, layers=(as_predicted, never, surprise)).ratio == 1
    assert replace(one, layers=(as_predicted, never, never)).ratio is None
    assert replace(one, layers=(as_predicted, surprise, surprise)).ratio == 0
    assert replace(one, layers=(as_predicted, as_predicted, neither)).ratio == 1
    assert replace(one, layers=(as_predicted, neither)).ratio is None


def test_a_tensor_that_was_not_scale_invariant_in_all_runs_is_left_out(tmp_path):
    odd = replace(runs(scales=(4.0,))[0], layers={"prep.conv.weight": 10.0})
    (one,) = merging(write(tmp_path / "part", [*runs(scales=(0.25, 1.0)), odd])).settings
    assert [layer.name for layer in one.layers] == ["prep.conv.weight"]
    assert (
        merging(write(tmp_path / "none", [*runs(scales=(0.25,)), replace(odd, layers={"other": 1.0})])).settings == ()
    )


@pytest.mark.parametrize("changes", [{"weight_decay": 0.0}, {"rule": "lars", "weight_decay": 0.0, "lr": 0.02}])
def test_without_a_balance_there_is_no_closed_form(tmp_path, changes):
    (one,) = merging(write(tmp_path, runs(**changes))).settings
    assert {layer.closed_form for layer in one.layers} == {None}
    assert one.closed_form is one.closed_form_ratio is None
    json.dumps(one.to_json(), allow_nan=False)


def test_the_result_is_strict_json(tmp_path):
    found = json.loads(json.dumps(merging(write(tmp_path, runs())).to_json(), allow_nan=False))
    (one,) = found["settings"]
    assert [*one["results"]] == ["0.25", "1", "4"]
    assert one["ratio"] == pytest.approx(1, abs=0.1)
    assert {"name", "measured", "predicted", "closed_form", "effective", "relaxation"} == {*one["layers"][0]}
