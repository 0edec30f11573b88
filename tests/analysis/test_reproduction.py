"""Statistics of repeated runs against SciPy, NumPy and simulation."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hpsearch.analysis.means import Moments, Published, compare, moments, standard_error, wilson
from hpsearch.analysis.reproduction import groups, latest, summarise
from tests.store.recipe_run import make_run

ACCURACIES = [0.9412, 0.9388, 0.9405, 0.9431, 0.9399]

accuracies = st.lists(st.floats(0.5, 1.0), min_size=2, max_size=30)
counts = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def test_figures_of_runs() -> None:
    runs = [make_run(seed, accuracy) for seed, accuracy in enumerate(ACCURACIES)]
    summary = summarise(runs, 0.94)
    assert summary.n == 5
    assert summary.accuracy is not None
    assert summary.accuracy.mean == pytest.approx(np.mean(ACCURACIES))
    assert summary.accuracy.std == pytest.approx(np.std(ACCURACIES, ddof=1))
    assert summary.error == pytest.approx(stats.sem(ACCURACIES))
    assert summary.median == 0.9405
    assert summary.reached == 3
    assert summary.seconds.mean == 102.0
    assert summary.seconds_to_target == pytest.approx((100 + 102 + 103) / 3)
    assert json.loads(json.dumps(summary.to_json(), allow_nan=False))["accuracy"]["n"] == 5


def test_a_diverged_run_counts_against_the_target_and_in_nothing_else() -> None:
    runs = [make_run(0, 0.941), make_run(1, 0.945), make_run(2, None, seconds=3.0, petaflop=0.1)]
    summary = summarise(runs, 0.94)
    assert (summary.n, summary.diverged, summary.reached) == (3, 1, 2)
    assert summary.accuracy is not None
    assert (summary.accuracy.n, summary.accuracy.mean) == (2, pytest.approx(0.943))
    assert (summary.seconds.mean, summary.petaflop) == (100.5, 2.7)
    assert summary.share == wilson(2, 3)


def test_only_diverged_runs() -> None:
    summary = summarise([make_run(0, None), make_run(1, None)], 0.94)
    assert (summary.accuracy, summary.error, summary.median, summary.seconds_to_target) == (None,) * 4
    assert (summary.reached, summary.seconds.n) == (0, 2)


def test_without_a_target_nothing_is_said_of_one() -> None:
    summary = summarise([make_run(0, 0.95, target=0.94, reached=True)])  # a target that the rows have does not count
    assert (summary.reached, summary.share, summary.seconds_to_target) == (None, None, None)


def test_speeds_on_a_cpu_are_relative_to_the_time_that_the_run_had_it() -> None:
    """Halving the share of the processor doubles the wall time and changes nothing else."""
    alone, crowded = (make_run(0, seconds=wall, cpu_seconds=160.0, threads=2) for wall in (80.0, 160.0))
    found, same = summarise([alone]), summarise([crowded])
    assert (found.seconds.mean, same.seconds.mean) == (80.0, 160.0)
    assert found.busy_seconds.mean == same.busy_seconds.mean == 80.0
    assert found.images_per_second == same.images_per_second == pytest.approx(24 * 50_000 / 80.0)
    assert found.share_of_peak == same.share_of_peak == pytest.approx(2.7e15 / 80.0 / 1e14)


def test_speeds_on_a_gpu_are_relative_to_wall_time() -> None:
    found = summarise([make_run(0, device="a GPU", seconds=80.0, cpu_seconds=8.0)])
    assert found.busy_seconds == found.seconds
    assert found.images_per_second == pytest.approx(24 * 50_000 / 80.0)


def test_one_run_has_no_spread() -> None:
    assert moments([0.9]) == Moments(1, 0.9, None)
    assert standard_error(moments([0.9])) is None


def test_a_repeated_seed_is_no_further_evidence() -> None:
    first, repeated, other = make_run(0, 0.94), make_run(0, 0.94, seconds=90.0), make_run(1, 0.95)
    assert latest([first, other, repeated]) == [repeated, other]


def test_another_machine_is_another_place() -> None:
    here, there = make_run(0), make_run(0, cpu="another")
    assert latest([here, there]) == [here, there]


@pytest.mark.parametrize(
    "difference",
    [
        {"recipe": '{"epochs": 23}'},
        {"data": "cifar10, others"},
        {"device": "a GPU"},
        {"threads": 1},
        {"cpu": "another"},
        {"precision": "fp32"},
    ],
)
def test_runs_that_differ_are_not_mixed(difference: dict[str, object]) -> None:
    alike, other = [make_run(0), make_run(1)], make_run(2, **difference)
    assert groups([*alike, other]) == [alike, [other]]


@given(counts)
def test_wilson_is_that_of_scipy(case: tuple[int, int]) -> None:
    successes, n = case
    expected = stats.binomtest(successes, n).proportion_ci(0.95, method="wilson")
    ours = wilson(successes, n)
    assert (ours.low, ours.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


@given(accuracies, st.floats(0.5, 1.0), st.floats(1e-4, 0.1), st.integers(2, 50))
def test_difference_is_welch_of_scipy(values: list[float], mean: float, std: float, runs: int) -> None:
    ours = moments(values)
    assert ours.std is not None
    found = compare(ours, Published(mean, std, runs))
    test = stats.ttest_ind_from_stats(ours.mean, ours.std, ours.n, mean, std, runs, equal_var=False)
    half = stats.t.ppf(0.975, _degrees(ours.std**2 / ours.n, ours.n, std**2 / runs, runs))
    scale = math.sqrt(ours.std**2 / ours.n + std**2 / runs)
    assert found.interval is not None
    assert found.value == pytest.approx(ours.mean - mean)
    assert found.interval.high - found.value == pytest.approx(half * scale, rel=1e-6)
    if abs(test.pvalue - 0.05) > 1e-6:
        assert found.verdict.startswith("agrees") == (test.pvalue > 0.05)


def _degrees(a: float, n: int, b: float, m: int) -> float:
    return (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (m - 1))


def test_the_interval_holds_the_truth_nineteen_times_in_twenty() -> None:
    rng, trials, hits = np.random.default_rng(0), 2000, 0
    for _ in range(trials):
        ours = moments(rng.normal(0.94, 0.0030, 4).tolist())
        theirs = rng.normal(0.94, 0.0015, 10)
        interval = compare(ours, Published(float(theirs.mean()), float(theirs.std(ddof=1)), 10)).interval
        assert interval is not None
        hits += interval.low <= 0 <= interval.high
    # A right interval fails this less than once in a million times.
    assert abs(hits / trials - 0.95) < 5 * math.sqrt(0.95 * 0.05 / trials)


def test_a_single_run_takes_the_published_spread() -> None:
    found = compare(Moments(1, 0.9380, None), Published(0.9408, 0.0015, 10))
    half = stats.t.ppf(0.975, 9) * 0.0015 * math.sqrt(1 + 1 / 10)
    assert found.interval is not None
    assert found.interval.high == pytest.approx(-0.0028 + half)
    assert "only 1 run" in found.verdict
    assert "published spread" in found.verdict


def test_a_published_mean_alone_is_taken_as_exact() -> None:
    ours = moments(ACCURACIES)
    expected = stats.ttest_1samp(ACCURACIES, 0.9408).confidence_interval(0.95)
    for published in (Published(0.9408, None, 10), Published(0.9408, 0.0015, None)):
        found = compare(ours, published)
        assert found.interval is not None
        assert found.interval.low == pytest.approx(expected.low - 0.9408)
        assert "taken as exact" in found.verdict


def test_no_spread_at_all_is_no_interval() -> None:
    found = compare(Moments(1, 0.93, None), Published(0.94, None, None))
    assert found.interval is None
    assert found.verdict.startswith("lower by 0.0100")


@pytest.mark.parametrize(
    ("mean", "words"),
    [
        (0.9400, "agrees within the noise (difference +0.0000, "),
        (0.9300, "lower by 0.0100 (difference -0.0100, 95% interval -0.01"),
        (0.9500, "higher by 0.0100 (difference +0.0100, 95% interval +0.00"),
    ],
)
def test_the_verdict_in_words(mean: float, words: str) -> None:
    found = compare(Moments(10, mean, 0.0015), Published(0.94, 0.0015, 10))
    assert found.verdict.startswith(words)
    assert "only" not in found.verdict
