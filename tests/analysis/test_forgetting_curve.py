"""The curve of forgetting: against simulated runs, brute force, scipy's own fits and tests."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import curve_fit

from hpsearch.analysis.forgetting_curve import Forgetting, forgetting
from hpsearch.analysis.forgetting_fit import Fit, Replays, fit
from hpsearch.store.diagnostics import opened
from hpsearch.store.forgetting_tables import KIND, TABLES

STEPS = 80


def replays(
    random: np.random.Generator, timescale: float, depth: float, noise: float = 0.02, runs: int = 2, rho: float = 0.9
) -> Replays:
    """Runs whose batches are of different difficulty, which two other networks see alike."""
    age, run = np.tile(np.arange(STEPS, dtype=float), runs), np.repeat(np.arange(runs, dtype=float), STEPS)
    difficulty = random.normal(0, 0.1, len(age))
    control = 0.7 + difficulty + random.normal(0, 0.01, len(age))
    kernel = (1 - rho ** (age + 2)) * np.exp(-age / timescale)
    loss = 0.6 + 0.3 * run + 0.8 * difficulty - depth * kernel + random.normal(0, noise, len(age))
    return Replays(run, age, loss, control, rho, nesterov=True)


@pytest.mark.parametrize("nesterov", [False, True])
def test_the_kernel_without_forgetting_is_how_a_gradient_arrives_through_the_momentum(nesterov: bool) -> None:
    rho, velocity, moved = 0.8, 0.0, []
    for step in range(12):
        gradient = float(step == 0)
        velocity = rho * velocity + gradient
        moved.append(gradient + rho * velocity if nesterov else velocity)
    age = np.arange(12.0)
    arrived = np.cumsum(moved) * (1 - rho)  # of what it moves in the end
    found = Replays(age, age, age, age, rho, nesterov).kernel(1e12)[:, 0]
    np.testing.assert_allclose(found, arrived, rtol=1e-9)


def test_the_fit_is_the_least_squares_of_scipy() -> None:
    data = replays(np.random.default_rng(1), 25.0, 0.1)

    def model(x: Any, a: float, b: float, beta: float, depth: float, timescale: float) -> Any:
        run, age, control = x
        return a + b * run + beta * control - depth * (1 - 0.9 ** (age + 2)) * np.exp(-age / timescale)

    x = np.array([data.run, data.age, data.control])
    best, covariance = curve_fit(model, x, data.loss, p0=[0.5, 0.1, 1.0, 0.1, 10.0])
    found = fit(data)
    assert [found.depth, found.timescale] == pytest.approx(best[3:], rel=1e-3)
    error = math.sqrt(covariance[4, 4])
    assert found.interval.low < best[4] - error and found.interval.high > best[4] + error
    assert (found.interval.high - found.interval.low) / (4 * error) == pytest.approx(1, abs=0.3)
    assert not found.is_flat and found.chance == pytest.approx(0.001)
    assert found.squares == pytest.approx(((model(x, *best) - data.loss) ** 2).sum(), rel=1e-6)
    explained = model(x, *best) - model(x, *best[:3], 0.0, 1.0)
    np.testing.assert_allclose(
        found.curve(data.age) - found.curve(data.age).mean(), explained - explained.mean(), atol=1e-4
    )


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(2)
    found = [fit(replays(random, 30.0, 0.06)).interval for _ in range(60)]
    assert sum(one.low <= 30 <= one.high for one in found) >= 53


@pytest.mark.parametrize("rho", [0.0, 0.9])
def test_the_form_by_which_the_losses_were_made_leaves_least(rho: float) -> None:
    data = replays(np.random.default_rng(7), 25.0, 0.3, rho=rho)
    if rho == 0:  # made without the last factor of the kernel, which is 1 then
        assert fit(data).squares < 0.9 * fit(replace(data, momentum=0.9)).squares
    else:
        assert fit(data).squares < 0.9 * fit(replace(data, momentum=0.0)).squares


def test_where_age_plays_no_part_nothing_is_claimed() -> None:
    random = np.random.default_rng(3)
    found = [fit(replays(random, 30.0, 0.0)) for _ in range(60)]
    assert sum(one.is_flat for one in found) >= 53
    covered = sum(one.rise_interval.low <= 0 <= one.rise_interval.high for one in found)
    assert covered >= 53


def test_a_timescale_beyond_the_epoch_has_no_upper_bound() -> None:
    found = fit(replays(np.random.default_rng(4), 5000.0, 5.0, noise=0.01, rho=0.0))
    assert not found.is_flat and found.interval.low > STEPS and math.isinf(found.interval.high)


def test_controls_take_the_difficulty_of_the_batches_away() -> None:
    data = replays(np.random.default_rng(5), 30.0, 0.08)
    blind = Replays(data.run, data.age, data.loss, np.zeros(len(data.age)), 0.9, nesterov=True)
    with_, without = fit(data).rise_interval, fit(blind).rise_interval
    assert (with_.high - with_.low) < 0.5 * (without.high - without.low)


def test_the_rise_of_one_run_is_students_comparison_of_its_ends() -> None:
    random = np.random.default_rng(6)
    age = np.arange(60.0)
    loss = 0.01 * age + random.normal(0, 0.1, 60)
    found = fit(Replays(np.zeros(60), age, loss, np.zeros(60), 0.9, nesterov=False))
    old, young = loss[age >= np.quantile(age, 2 / 3)], loss[age <= np.quantile(age, 1 / 3)]
    interval = stats.ttest_ind(old, young).confidence_interval(0.95)
    assert found.rise == pytest.approx(old.mean() - young.mean())
    assert (found.rise_interval.low, found.rise_interval.high) == pytest.approx((interval.low, interval.high))


def test_too_few_batches_are_refused() -> None:
    few = np.arange(3.0)
    with pytest.raises(ValueError, match="3 batches are too few"):
        fit(Replays(np.zeros(3), few, few, np.zeros(3), 0.9, nesterov=False))


def study(folder: Path, seeds: int = 3, lost: tuple[int, ...] = (), half_costs: float = 0.2) -> Forgetting:
    """A study at two learning rates: the batches of the higher one are forgotten within 20 steps."""
    random = np.random.default_rng(8)
    difficulty = random.normal(0, 0.1, (seeds, STEPS))
    with opened(folder, "s", KIND, TABLES, {}) as made:
        for factor in (0.25, 4.0):
            for data in ("full", "half"):
                for seed in range(seeds):
                    key = {"factor": factor, "data": data, "seed": seed}
                    diverged = factor == 4.0 and seed in lost
                    run = {"lr": 0.4 * factor, "momentum": 0.9, "nesterov": True, "images": 10, "steps": 5 * STEPS}
                    more = {"steps_per_epoch": STEPS, "memory_steps": 20.0, "diverged": diverged, "unseen_loss": 1.0}
                    scores = {"val_loss": 0.9 + half_costs * (data == "half") + 0.01 * seed, "val_accuracy": 0.7}
                    rows = [] if diverged else list(rows_of(key, difficulty, random, 0.2 * (factor == 4.0)))
                    part = f"{factor:g}-{data}-{seed}"
                    made.put(part, {"forgetting_runs": [key | run | more | scores], "replays": rows}, {})
        return forgetting(made)


def rows_of(key: dict[str, Any], difficulty: Any, random: np.random.Generator, depth: float) -> Any:
    for order, hard in enumerate(difficulty):
        for age in range(STEPS):
            known = depth * (1 - 0.9 ** (age + 2)) * math.exp(-age / 20) if order == key["seed"] else 0.0
            loss = 0.8 + hard[age] - known + random.normal(0, 0.01) + (3.0 if age == 0 else 0.0)
            images = 5 if age == 0 else 64  # a last batch that is not full, and far off
            yield key | {"order_seed": order, "age": age, "images": images, "loss": loss}


def fit_of(found: Forgetting, place: int) -> Fit:
    one = found.conditions[place].fit
    assert one is not None
    return one


def test_a_study_is_read_by_condition_with_other_seeds_as_controls(tmp_path: Path) -> None:
    found = study(tmp_path)
    assert [(one.lr, one.data) for one in found.conditions] == [
        (0.1, "full"),
        (0.1, "half"),
        (1.6, "full"),
        (1.6, "half"),
    ]
    for place, forgets in enumerate((False, False, True, True)):
        own = fit_of(found, place)
        assert own.is_flat != forgets and len(own.adjusted) == 3 * (STEPS - 1)
        assert own.adjusted.std() < 0.08, "without the difficulty of the batches, which has a deviation of 0.1"
    high = found.conditions[2]
    assert fit_of(found, 2).timescale == pytest.approx(20, rel=0.15)
    assert (high.compatible(), high.momentum_steps) == (("the decay",), pytest.approx(10))
    assert found.conditions[0].compatible() == ()
    assert high.better is high.fit and replace(high, plain=high.fit, fit=high.plain).better is high.fit
    assert replace(high, plain=None, fit=None).better is None


def test_what_half_the_data_cost_is_students_comparison(tmp_path: Path) -> None:
    halving = study(tmp_path).halvings[0]
    half, full = [1.1, 1.11, 1.12], [0.9, 0.91, 0.92]
    interval = stats.ttest_ind(half, full).confidence_interval(0.95)
    assert (halving.metric, halving.lr, halving.value) == ("val_loss", pytest.approx(0.1), pytest.approx(0.2))
    assert halving.interval is not None and halving.is_shown and halving.runs == (3, 3)
    assert (halving.interval.low, halving.interval.high) == pytest.approx((interval.low, interval.high))


def test_diverged_runs_are_counted_and_left_out(tmp_path: Path) -> None:
    found = study(tmp_path, lost=(0,))
    assert [one.diverged for one in found.conditions] == [0, 0, 1, 1]
    assert found.conditions[2].results["val_loss"].n == 2 and len(fit_of(found, 2).adjusted) == 2 * (STEPS - 1)
    nothing = study(tmp_path / "all", lost=(0, 1, 2))
    assert nothing.conditions[2].fit is None and nothing.conditions[2].results == {}
    assert [one.lr for one in nothing.halvings] == pytest.approx([0.1, 0.1])


def test_one_seed_has_no_control_and_no_interval(tmp_path: Path) -> None:
    found = study(tmp_path, seeds=1)
    assert not fit_of(found, 0).replays.control.any()
    assert found.halvings[0].interval is None and not found.halvings[0].is_shown
