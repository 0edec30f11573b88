"""Where batch sizes part: simulated scans in which the step, the rate or nothing is limited."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hpsearch.analysis.curvature_limit import CurvatureLimit, curvature_limit
from hpsearch.store.reader import Study
from hpsearch.trial import FinishedTrial, Status
from tests.store.examples import make_space, make_trial

SIZES = (128, 256, 512, 1024)
RATES = tuple(0.001 * 2.0**k for k in range(7))
MOMENTUM = 0.9

Loss = Callable[[float, float], float]
"""Of rate and learning rate."""


def lr_of(size: int, rate: float) -> float:
    return rate * size * (1 - MOMENTUM)


def scan(loss: Loss, runs: int = 2, noise: float = 0.01, seed: int = 0, sizes: tuple[int, ...] = SIZES) -> Study:
    random = np.random.default_rng(seed)
    settings = [(size, rate) for size in sizes for rate in RATES] * runs
    trials = [
        trial(number, size, rate, loss(rate, lr_of(size, rate)) + noise * random.normal())
        for number, (size, rate) in enumerate(settings)
    ]
    return study(trials)


def trial(number: int, size: int, rate: float, loss: float, status: Status = Status.COMPLETED) -> FinishedTrial:
    known = {"objective": loss, "metrics": {"val_loss": loss, "val_accuracy": 1 - loss / 3}}
    return make_trial(number, config={"batch_size": size, "rate": rate}, status=status, **known)


def study(trials: Sequence[FinishedTrial], **known: float) -> Study:
    choices = {"batch_size": [*SIZES], "rate": [*RATES]}
    space = make_space(
        {name: {"type": "choice", "values": values} for name, values in choices.items()},
        coordinates={"optimizer": "sgd_nesterov", "reference": {"momentum": MOMENTUM}, **known},
    )
    return Study("s", Path("s"), {}, space, pd.DataFrame(), pd.DataFrame(), tuple(trials), (), running=False)


def valley(rate: float, _: float = 0.0) -> float:
    return 0.9 + 0.05 * math.log2(rate / 0.008) ** 2


def by_size(found: CurvatureLimit) -> dict[int, tuple[float | None, float | None]]:
    return {end.batch_size: (end.last and end.last.rate, end.first_off and end.first_off.rate) for end in found.ends}


def test_a_limit_of_the_step_is_found_at_one_learning_rate() -> None:
    limit = 1.0
    found = curvature_limit(scan(lambda rate, lr: valley(rate) + 0.5 * (lr > limit)))
    for size, ends in by_size(found).items():
        last = max((rate for rate in RATES if lr_of(size, rate) <= limit), default=None)
        first = min((rate for rate in RATES if lr_of(size, rate) > limit), default=None)
        assert ends == (last, first)
    common = found.common("lr")
    assert common is not None and common[0] <= limit < common[1]
    assert found.common("rate") is None
    for point in found.points:
        assert point.lr == pytest.approx(lr_of(point.batch_size, point.rate))


def test_a_limit_of_the_rate_is_no_curvature() -> None:
    def lost(rate: float, lr: float) -> float:
        return valley(rate) + 0.3 * (rate > 0.01) * math.log2(lr / rate / (128 * (1 - MOMENTUM)))

    found = curvature_limit(scan(lost))
    common = found.common("rate")
    assert common is not None and common == pytest.approx((0.008, 0.016))
    assert found.common("lr") is None


def test_what_the_noise_alone_parts_is_hardly_anything() -> None:
    studies = [curvature_limit(scan(valley, seed=seed)) for seed in range(100)]
    assert sum(bool(one.found) for one in studies) <= 10, "5 are expected"
    assert studies[0].noise is not None and studies[0].noise.std == pytest.approx(0.01, rel=0.5)


def test_the_turn_of_the_smallest_batches_is_where_their_loss_is_shown_to_rise() -> None:
    found = curvature_limit(scan(lambda rate, lr: 0.9 + 0.2 * (rate > 0.03) + 0.1 * (rate < 0.003)))
    assert [point.rate for point in found.turn] == [0.032, 0.064]
    best = found.best(128)
    assert best is not None and 0.003 < best.rate < 0.03


def test_excess_and_its_error_are_those_of_two_means() -> None:
    found = curvature_limit(scan(lambda rate, lr: 1.0, runs=8, noise=0.1))
    point = found.of(512)[3]
    reference = found.of(128)[3]
    assert point.loss and reference.loss and point.excess == pytest.approx(point.loss.mean - reference.loss.mean)
    assert point.error == pytest.approx(0.1 * math.sqrt(2 / 8), rel=0.4)
    assert (reference.excess, reference.follows) == (None, True)


def test_a_diverged_run_ends_the_flat_region_and_a_failed_one_says_nothing() -> None:
    trials = list(scan(valley).history)
    lost = trial(90, 512, RATES[3], math.nan, Status.DIVERGED)
    failed = trial(91, 512, RATES[0], math.nan, Status.FAILED)
    found = curvature_limit(study([*trials, lost, failed]))
    assert by_size(found)[512] == (RATES[2], RATES[3])
    assert found.of(512)[3].diverged == 1 and found.of(512)[0].loss is not None
    all_lost = [trial(n, size, RATES[0], math.nan, Status.DIVERGED) for n, size in enumerate((128, 256))]
    nothing = curvature_limit(study(all_lost))
    assert nothing.best(128) is None and nothing.ends[0].last is None


def test_batch_sizes_whose_runs_have_hardly_begun_do_not_count() -> None:
    trials = scan(lambda rate, lr: valley(rate) + 0.5 * (lr > 1)).history
    found = curvature_limit(study(trials, examples=10_000, epochs=3))
    steps = [(end.batch_size, end.steps, end.has_begun) for end in found.ends]
    assert steps == [(256, 120, True), (512, 60, True), (1024, 30, False)]
    assert [end.memory for end in found.ends] == pytest.approx([10] * 3)
    assert [end.batch_size for end in found.comparable] == [256, 512]
    low, high = zip(*(end.bracket("lr") for end in found.ends[:2]), strict=True)
    assert found.common("lr") == (max(low), min(high))
    assert all(end.has_begun and end.steps is None for end in curvature_limit(study(trials)).ends)


def test_as_many_steps_as_are_asked_for_are_enough() -> None:
    found = curvature_limit(study(scan(valley).history, examples=10_000, epochs=4))
    assert found.ends[-1].steps == 40 and found.ends[-1].memory > 10, "1 - 0.9 is not quite 0.1"
    assert found.ends[-1].has_begun


def test_what_is_neither_level_nor_shown_to_be_above_may_be_either() -> None:
    def mean(size: int, place: int) -> float:
        return 1 + (size == 512) * (0.035 * (place >= 3) + 0.5 * (place >= 5))

    settings = [(size, place, sign) for size in SIZES for place in range(len(RATES)) for sign in (-1, 1)]
    trials = [trial(n, size, RATES[at], mean(size, at) + 0.01 * sign) for n, (size, at, sign) in enumerate(settings)]
    found = curvature_limit(study(trials))
    doubtful = found.of(512)[3]
    assert doubtful.error == pytest.approx(0.01 * math.sqrt(2)), "so that it is 2.5 standard errors above"
    assert doubtful.follows and not doubtful.is_level
    assert by_size(found)[512] == (RATES[2], RATES[5])


def test_single_runs_show_nothing() -> None:
    found = curvature_limit(scan(lambda rate, lr: valley(rate) + 9 * (lr > 1), runs=1))
    assert found.noise is None and not found.found and not found.turn
    assert found.common("lr") == (max(end.bracket("lr")[0] for end in found.ends), math.inf)


def test_a_wild_point_is_above_though_it_is_noisy() -> None:
    """By the noise of bad training nothing bad would be shown to be bad."""
    end = RATES[3]
    trials = []
    for number, (run, size, rate) in enumerate(
        (run, size, rate) for run in (0, 1) for size in (128, 512) for rate in RATES
    ):
        above = 0.0 if size == 128 or rate < end else 0.5 if rate == end else 20.0 * run
        trials.append(trial(number, size, rate, valley(rate) + above + 0.005 * run))
    found = curvature_limit(study(trials))
    (only,) = found.ends
    assert only.first_off is not None and only.first_off.rate == end
    assert [point.follows for point in found.of(512)] == [rate < end for rate in RATES]


def test_a_batch_size_that_comes_back_has_not_left() -> None:
    found = curvature_limit(scan(lambda rate, lr: valley(rate) + 0.5 * (rate == RATES[0] and lr > 0.3) + (lr > 3.5)))
    ends = by_size(found)
    assert lr_of(1024, RATES[0]) < 0.3 or ends[1024][0] != RATES[0]
    for size, (last, first) in ends.items():
        assert last == max(rate for rate in RATES if lr_of(size, rate) <= 3.5)
        assert first == min((rate for rate in RATES if lr_of(size, rate) > 3.5), default=None)
