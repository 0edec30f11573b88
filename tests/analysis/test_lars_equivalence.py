"""LARS against SGD: pairs of groups, means and intervals against SciPy's, rotations against theory."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from hpsearch.analysis.lars_equivalence import lars_equivalence, welch
from hpsearch.analysis.weight_decay import lars_rate
from hpsearch.trial import Status
from tests.analysis.traced_studies import Traced, write

SGD = {"rule": "sgd_nesterov", "lr": 0.2, "weight_decay": 5e-3}
LARS = {"rule": "lars", "lr": float(lars_rate(0.2, 5e-3, 0.9)), "weight_decay": 0.0}
ACCURACIES = {"sgd_nesterov": (0.60, 0.62, 0.65), "lars": (0.61, 0.66)}


def runs(settings, ends=None, **config):
    rule = settings["rule"]
    return [
        Traced({"optimizer.name": rule, **config}, **settings, accuracy=(0.2 + end / 100, 0.4, end))
        for end in ends or ACCURACIES[rule]
    ]


def test_curves_are_means_over_runs_with_standard_errors(tmp_path):
    found = lars_equivalence(write(tmp_path, [*runs(SGD), *runs(LARS)]))
    (pair,) = found.pairs
    accuracy, loss = pair.metrics
    assert (pair.sgd, pair.config, accuracy.metric, loss.metric) == ("sgd_nesterov", {}, "val_accuracy", "val_loss")
    assert accuracy.epochs.tolist() == [1, 2, 3]
    assert accuracy.sgd.n == 3
    assert accuracy.sgd.mean[-1] == pytest.approx(np.mean(ACCURACIES["sgd_nesterov"]))
    assert accuracy.sgd.standard_error[-1] == pytest.approx(stats.sem(ACCURACIES["sgd_nesterov"]))
    assert accuracy.lars.mean[1] == pytest.approx(0.4)
    assert loss.difference.value == pytest.approx(-accuracy.difference.value)


def test_the_difference_at_the_end_is_welchs(tmp_path):
    found = lars_equivalence(write(tmp_path, [*runs(SGD), *runs(LARS)]))
    difference = found.pairs[0].metrics[0].difference
    expected = stats.ttest_ind(ACCURACIES["lars"], ACCURACIES["sgd_nesterov"], equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert difference.freedom == pytest.approx(expected.df)
    assert (difference.interval.low, difference.interval.high) == pytest.approx((interval.low, interval.high))
    assert difference.verdict == "agree within the noise"


def test_a_difference_beyond_the_noise_is_said():
    assert welch(np.array([0.5, 0.51, 0.49]), np.array([0.6, 0.61, 0.59])).verdict == "differ"
    assert welch(np.array([0.5, 0.5]), np.array([0.6, 0.6])).verdict == "differ"
    assert welch(np.array([0.5, 0.5]), np.array([0.5, 0.5])).verdict == "agree within the noise"


def test_the_widest_gap_on_the_way_is_found(tmp_path):
    trials = [replace(runs(SGD)[0], accuracy=(0.2, 0.3, 0.6)), replace(runs(LARS)[0], accuracy=(0.25, 0.5, 0.6))]
    accuracy = lars_equivalence(write(tmp_path, trials)).pairs[0].metrics[0]
    assert accuracy.widest == pytest.approx(0.2)
    assert accuracy.widest_epoch == 2


def test_one_run_of_each_is_not_enough(tmp_path):
    (pair,) = lars_equivalence(write(tmp_path, [runs(SGD)[0], runs(LARS)[0]])).pairs
    difference = pair.metrics[0].difference
    assert (difference.interval, difference.freedom) == (None, None)
    assert difference.verdict == "not enough data: a side has one run"
    assert math.isnan(pair.metrics[0].lars.standard_error[0])
    json.dumps(pair.to_json(), allow_nan=False)


def test_lars_at_the_equivalent_rate_turns_as_sgd_does(tmp_path):
    (pair,) = lars_equivalence(write(tmp_path, [*runs(SGD), *runs(LARS)])).pairs
    assert pair.turning.ratio == pytest.approx(1, abs=0.01)
    fast = {**LARS, "lr": 2 * LARS["lr"]}
    (pair,) = lars_equivalence(write(tmp_path / "fast", [*runs(SGD), *runs(fast, ACCURACIES["lars"])])).pairs
    assert pair.turning.ratio == pytest.approx(2, abs=0.02)
    assert pair.turning.lars / pair.turning.sgd == pytest.approx(2, abs=0.1)


def test_only_runs_of_the_same_setting_are_compared(tmp_path):
    trials = [
        *runs(SGD, (0.5, 0.52), batch_size=128),
        *runs(LARS, (0.5, 0.51), batch_size=128),
        *runs(SGD, (0.6, 0.62), batch_size=256),
        *runs(LARS, (0.7, 0.71), batch_size=256),
        *runs({**SGD, "rule": "sgd"}, (0.65, 0.66), batch_size=256),
        *runs(SGD, (0.8,), batch_size=512),
    ]
    found = lars_equivalence(write(tmp_path, trials)).pairs
    assert [(pair.config["batch_size"], pair.sgd) for pair in found] == [
        (128, "sgd_nesterov"),
        (256, "sgd"),
        (256, "sgd_nesterov"),
    ]
    ends = [pair.metrics[0].difference.value for pair in found]
    assert ends == pytest.approx([-0.005, 0.05, 0.095])


def test_a_trial_that_diverged_is_left_out_and_counted(tmp_path):
    diverged = replace(runs(SGD)[0], status=Status.DIVERGED, accuracy=(0.2, 0.1, 0.0))
    found = lars_equivalence(write(tmp_path, [*runs(SGD), diverged, *runs(LARS)]))
    assert found.left_out == {"diverged": 1}
    assert found.pairs[0].metrics[0].sgd.n == 3


def test_lars_with_decay_and_sgd_without_are_not_the_comparison(tmp_path):
    trials = [*runs({**LARS, "weight_decay": 5e-3}), *runs({**SGD, "weight_decay": 0.0}), *runs(SGD)]
    found = lars_equivalence(write(tmp_path, trials))
    assert found.pairs == ()
    assert found.left_out == {"LARS with weight decay, or SGD without": 5}
    found = lars_equivalence(write(tmp_path / "both", [*trials, *runs(LARS)]))
    assert (found.pairs[0].metrics[0].lars.n, found.pairs[0].metrics[0].sgd.n) == (2, 3)


def test_a_study_without_lars_has_no_pairs(tmp_path):
    found = lars_equivalence(write(tmp_path, runs(SGD)))
    assert found.pairs == ()
    assert found.to_json() == {"pairs": [], "left_out": {}}


def test_the_result_is_strict_json(tmp_path):
    found = lars_equivalence(write(tmp_path, [*runs(SGD), *runs(LARS)])).to_json()
    (pair,) = json.loads(json.dumps(found, allow_nan=False))["pairs"]
    assert pair["rules"] == ["lars", "sgd_nesterov"]
    assert pair["metrics"]["val_accuracy"]["lars"] == {"n": 2, "mean": pytest.approx(0.635)}
