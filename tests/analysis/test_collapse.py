"""Runs of equal decay: their effective rates, what explains them and the results, and what a study lacks for that."""

import json
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from hpsearch.analysis.collapse import collapse
from hpsearch.errors import StudyError
from hpsearch.trial import Status
from tests.analysis.traced_studies import SIZE, Traced, write

DECAYS, RATIOS = (3e-3, 1e-2, 3e-2), (3.0, 30.0, 300.0, 3000.0)
RHO = 0.9


def run(decay, ratio, result=0.6, **changes):
    """A trial of SGD with eta alpha / (1 - rho) = decay and eta / alpha = ratio."""
    lr = float(np.sqrt(decay * (1 - RHO) * ratio))
    one = Traced({"lr": lr, "weight_decay": lr / ratio}, lr=lr, weight_decay=lr / ratio, momentum=RHO)
    return replace(one, accuracy=(0.3, 0.5, result), **{"steps": 1500, "every": 25, **changes})


def plane(results=lambda decay, ratio: 0.6, **changes):
    return [run(decay, ratio, results(decay, ratio), **changes) for decay, ratio in product(DECAYS, RATIOS)]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A full grid of decays and ratios under a schedule."""
    return write(tmp_path_factory.mktemp("grid"), plane(ramp=True))


def noise(decay, ratio):
    """A number that depends on neither in a simple way."""
    return 1e-3 * np.sin(1e4 * decay * ratio)


def test_the_decay_explains_the_effective_rate_once_the_weights_have_come_to_their_balance(study):
    found = collapse(study)
    assert found.missing is None
    first = found.runs[0]
    assert (first.decay, first.ratio) == pytest.approx((DECAYS[0], RATIOS[0]))
    assert first.lr == pytest.approx(np.sqrt(DECAYS[0] * (1 - RHO) * RATIOS[0]))
    assert found.effective.decay.share > 0.97
    assert found.effective.decay.p_value == pytest.approx(0.001)
    assert abs(found.effective.ratio.share) < 0.02
    start = {name: shares[0] for name, shares in found.over_run.items()}
    # The weights begin as they are: log(lr) = (log decay + log ratio) / 2 + const counts both by their variances.
    logs = [np.var(np.log(values)) for values in (DECAYS, RATIOS)]
    assert start["decay"] == pytest.approx(logs[0] / sum(logs), abs=0.03)
    assert start["ratio"] == pytest.approx(logs[1] / sum(logs), abs=0.03)


def test_the_effective_rate_is_the_median_over_the_tensors_that_are_scale_invariant(tmp_path):
    found = collapse(write(tmp_path, plane(noise=0)))
    # block1 has the middle gradient; in balance lr / |w|^2 = sqrt(2 lr wd (1 - rho)) / gt
    assert np.exp(found.curves[:, -1]) == pytest.approx(
        [np.sqrt(2 * one.decay * (1 - RHO) ** 2) / 20 for one in found.runs], rel=0.05
    )


@pytest.mark.parametrize("by", ["decay", "ratio"])
def test_what_explains_the_results_is_told_apart(tmp_path, by):
    slope = {"decay": lambda decay, _: 0.01 * np.log(decay), "ratio": lambda _, ratio: 0.01 * np.log(ratio)}[by]
    found = collapse(write(tmp_path, plane(lambda *point: 0.6 + slope(*point) + noise(*point))))
    shares = {"decay": found.results.decay.share, "ratio": found.results.ratio.share}
    assert shares.pop(by) > 0.9
    assert abs(next(iter(shares.values()))) < 0.05
    assert found.results.both.share > 0.9


def test_runs_of_one_decay_say_how_they_come_together(tmp_path):
    ratios = np.geomspace(3, 3000, 7)
    found = collapse(write(tmp_path, [run(1e-2, ratio) for ratio in ratios]))
    assert found.missing == "all runs have one decay"
    assert found.results.decay is None
    assert found.spread.decades == pytest.approx(3)
    assert found.spread.start == pytest.approx(np.std(np.log(ratios) / 2, ddof=1))
    assert found.spread.end < 0.02 * found.spread.start
    assert (found.spread.runs, found.spread.decays) == (7, 1)


@pytest.mark.parametrize(
    ("trials", "missing"),
    [
        ([run(decay, 30.0) for decay in DECAYS], "all runs have one ratio"),
        ([run(decay, 1 / decay) for decay in (*DECAYS, *DECAYS)], "decay and ratio change only together"),
        ([run(3e-3, 3.0), run(1e-2, 30.0), run(1e-2, 3.0)], "3 runs are too few for so many decays and ratios"),
        ([run(3e-3, 3.0)], "there are not two full runs with weight decay"),
    ],
    ids=["one ratio", "confounded", "few", "one"],
)
def test_it_says_what_is_missing(tmp_path, trials, missing):
    found = collapse(write(tmp_path, trials))
    assert found.missing == missing
    assert found.effective.ratio is None
    json.dumps(found.to_json(), allow_nan=False)


def test_in_a_grid_of_rates_decay_and_ratio_go_together_and_decay_alone_explains_all(tmp_path):
    """At a decay of 1 / tau the ratio is that of lr^2 times tau."""
    trials = [run(decay, lr**2 / (decay * (1 - RHO))) for decay in DECAYS for lr in np.geomspace(0.05, 1.6, 5)]
    found = collapse(write(tmp_path, trials))
    assert found.missing is None
    assert found.effective.decay.share < 0.9
    assert found.effective.decay_alone.share > 0.98
    assert found.effective.ratio.share == pytest.approx(0, abs=0.01)


def test_settings_drawn_at_random_are_compared_by_regression(tmp_path):
    rng = np.random.default_rng(0)
    points = np.exp(rng.uniform(np.log([3e-3, 3]), np.log([3e-2, 300]), (24, 2)))
    trials = [run(decay, ratio, 0.6 - 0.05 * np.log10(decay / 1e-2) ** 2) for decay, ratio in points]
    found = collapse(write(tmp_path, trials))
    assert found.effective.decay.share > 0.9
    assert found.results.both.share > 0.99
    assert found.results.decay.share > 0.7  # beside ratio: in so few draws the two go together a little
    assert abs(found.effective.ratio.share) < 0.05
    assert len(found.plane) == 24


def test_what_is_not_compared_is_counted_by_the_reason(tmp_path):
    odd = [
        run(1e-2, 3.0, status=Status.DIVERGED),
        run(1e-2, 3.0, status=Status.STOPPED),
        run(1e-2, 3.0, schedule=2),
        run(1e-2, 3.0, layers={}),
        replace(run(1e-2, 3.0), weight_decay=0.0),
        replace(run(1e-2, 3.0), rule="adam"),
        replace(run(1e-2, 3.0), rule="adamw"),
        replace(run(1e-2, 3.0), invariant=False),
    ]
    found = collapse(write(tmp_path, [*plane(), *odd], fidelity={"epochs": [2, 3]}))
    assert len(found.runs) == 12
    early = {"diverged": 1, "stopped": 1, "shorter run": 1, "not traced": 1}
    rules = {"without weight decay": 1, "of a rule without theory": 1, "of a rule with another effective rate": 1}
    assert found.left_out == {**early, **rules, "without a scale-invariant tensor": 1}


def test_what_else_was_varied_is_named(tmp_path):
    trials = [
        replace(one, config={**one.config, "batch_size": 128 * (1 + place % 2)}) for place, one in enumerate(plane())
    ]
    assert collapse(write(tmp_path, trials)).others == ("batch_size",)


def test_runs_of_other_lengths_are_compared_by_their_share_of_the_run(tmp_path):
    trials = [replace(one, steps=1500 * (1 + place % 2), noise=0) for place, one in enumerate(plane(ramp=True))]
    found = collapse(write(tmp_path, trials))
    assert found.grid[0] == 0
    assert found.grid[-1] == 1
    assert found.effective.decay.share > 0.95


def test_the_plane_has_the_mean_of_the_runs_of_each_cell(tmp_path):
    trials = [run(1e-2, 3.0, 0.5), run(1e-2, 3.0, 0.7), run(3e-2, 3.0, 0.9)]
    first, second = collapse(write(tmp_path, trials)).plane
    assert (first.mean, first.n, first.std) == pytest.approx((0.6, 2, np.sqrt(0.02)))
    assert (second.mean, second.n, second.std) == (0.9, 1, None)
    assert (second.decay, second.ratio) == pytest.approx((3e-2, 3.0))


def test_adamw_forgets_at_a_rate_of_its_own(tmp_path):
    trials = [replace(one, rule="adamw") for one in plane()]
    found = collapse(write(tmp_path, trials))
    assert [one.decay for one in found.runs] == pytest.approx([one.lr * one.weight_decay for one in trials])


def test_under_adamw_the_effective_rate_is_of_the_first_power(tmp_path):
    """In balance |w|^2 = lr size / (2 wd), so lr / |w| = sqrt(2 decay / size): of the decay alone."""
    trials = [replace(run(decay, ratio), rule="adamw") for decay, ratio in product((0.03, 0.06, 0.1), (0.03, 0.3, 3.0))]
    found = collapse(write(tmp_path, trials))
    assert found.power == 1
    assert np.exp(found.curves[:, -1]) == pytest.approx([np.sqrt(2 * one.decay / SIZE) for one in found.runs], rel=0.05)
    assert found.effective.decay_alone.share > 0.97


def test_a_study_without_accuracy_is_compared_by_its_objective(tmp_path):
    study = write(tmp_path, plane()[:3], objective={"metric": "val_loss", "mode": "min"})
    history = [replace(one, metrics={"val_loss": one.metrics["val_loss"]}) for one in study.history]
    found = collapse(replace(study, history=tuple(history)))
    assert found.metric == "val_loss"
    assert found.runs[0].result == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("trials", "words"),
    [
        ([run(1e-2, 3.0, layers={})], "no trial of the study was traced"),
        ([run(1e-2, 3.0, status=Status.DIVERGED)], "came to the end of a full run"),
        ([run(1e-2, 3.0, invariant=False)], "none of the traced tensors is scale invariant"),
    ],
)
def test_where_nothing_was_recorded_the_error_says_so(tmp_path, trials, words):
    with pytest.raises(StudyError, match=words):
        collapse(write(tmp_path, trials))


def test_the_result_is_strict_json(study):
    found = json.loads(json.dumps(collapse(study).to_json(), allow_nan=False))
    assert found["effective_lr"]["decay"]["share"] > 0.9
    assert len(found["plane"]) == 12
    assert "curve" not in found["spread"]
