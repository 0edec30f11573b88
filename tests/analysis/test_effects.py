"""Effects against differences of means, simulations with known effects, and normal equations on what is left."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hpsearch.analysis.effects import Effects, effects, fit
from hpsearch.contract import Config
from hpsearch.errors import StudyError
from hpsearch.samplers.by_name import make_sampler
from hpsearch.space.design import columns, design
from hpsearch.space.spec import Space
from hpsearch.store.reader import Study, open_study
from hpsearch.store.writer import StudyWriter
from hpsearch.trial import Status
from tests.store.examples import make_space, make_trial

NAMES = ["a", "b", "c", "d"]


def levels(factors: int, runs: int) -> Any:
    return design(columns(factors, runs), runs).astype(float)


def test_the_effect_of_a_balanced_design_is_the_difference_of_means() -> None:
    rng = np.random.default_rng(0)
    x, y = levels(5, 16), rng.normal(94, 0.3, 16)
    found = fit(x, y)
    means = [y[column > 0].mean() - y[column < 0].mean() for column in x.T]
    np.testing.assert_allclose(found.effects, means)
    np.testing.assert_allclose(found.standard_errors, 2 * found.residual_std / math.sqrt(16))
    fitted = y.mean() + x @ np.array(means) / 2
    assert found.freedom == 10 and found.residual_std == pytest.approx(math.sqrt(((y - fitted) ** 2).sum() / 10))


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(0, 8))
def test_an_unbalanced_part_of_a_design_is_a_regression(seed: int, factors: int, lost: int) -> None:
    """Against the normal equations in 0 and 1: there the coefficient is with minus without."""
    rng = np.random.default_rng(seed)
    x = levels(factors, 32)[np.sort(rng.permutation(32)[lost:])]
    y = rng.normal(size=len(x))
    found = fit(x, y)
    model = np.column_stack([np.ones(len(x)), (x + 1) / 2])
    expected = np.linalg.solve(model.T @ model, model.T @ y)
    variance = ((y - model @ expected) ** 2).sum() / (len(x) - factors - 1)
    errors = np.sqrt(variance * np.diag(np.linalg.inv(model.T @ model)))
    np.testing.assert_allclose(found.effects, expected[1:], atol=1e-9)
    np.testing.assert_allclose(found.standard_errors, errors[1:], rtol=1e-9)


def test_known_effects_are_found_and_their_intervals_hold_them() -> None:
    """2,000 studies of 16 runs, 6 effects: bias within 5 standard errors (false alarm 3e-6), coverage 95% +- 2."""
    rng, studies, noise = np.random.default_rng(1), 2000, 0.25
    x, truth = levels(6, 16), np.array([0.5, 0.2, 0.1, 0.0, 0.0, -0.3])
    fits = [fit(x, 90 + x @ truth / 2 + rng.normal(0, noise, 16)) for _ in range(studies)]
    found = np.array([one.effects for one in fits])
    error = 2 * noise / math.sqrt(16)
    assert (np.abs(found.mean(axis=0) - truth) < 5 * error / math.sqrt(studies)).all()
    half = stats.t.ppf(0.975, 9) * np.array([one.standard_errors for one in fits])
    covered = (np.abs(found - truth) <= half).mean(axis=0)
    assert (np.abs(covered - 0.95) < 0.02).all(), covered


def test_interactions_make_the_intervals_wider_and_bias_nothing() -> None:
    x = levels(4, 16)
    plain, mixed = fit(x, x[:, 0]), fit(x, x[:, 0] + 0.5 * x[:, 1] * x[:, 2])
    np.testing.assert_allclose(mixed.effects, plain.effects, atol=1e-12)
    assert mixed.residual_std > 0.5 > plain.residual_std


def played(
    results: Path,
    result: Callable[[Config], float],
    trials: int = 16,
    statuses: dict[int, Status] | None = None,
    **blocks: Any,
) -> Study:
    """A study of four switches in 16 runs; the trials of ``statuses`` ended like that and have no result."""
    space = space_of(**blocks)
    sampler = make_sampler(space)
    with StudyWriter.create(results, "s", space, {}) as writer:
        for number in range(trials):
            config = sampler.suggest([], [], number)
            status = (statuses or {}).get(number, Status.COMPLETED)
            value = result(config) if status is Status.COMPLETED else 0.01
            error = "boom" if status is Status.FAILED else None
            writer.finished(make_trial(number, config=config, objective=value, status=status, error=error))
    return open_study(results, "s")


def space_of(**blocks: Any) -> Space:
    return make_space(
        {name: {"type": "choice", "values": [True, False]} for name in NAMES},
        **{
            "sampler": {"name": "factorial", "runs": 16},
            "objective": {"metric": "val_accuracy", "mode": "max"},
            "budget": {"trials": 16},
            **blocks,
        },
    )


def accuracy(config: Config) -> float:
    """Of a +3 points, of b -1, c and d nothing; what b and c do together is 0.2 points of residual each way."""
    return 0.9 + 0.03 * bool(config["a"]) - 0.01 * bool(config["b"]) + 0.002 * (1 if config["b"] == config["c"] else -1)


def verdicts(found: Effects) -> dict[str, str]:
    return {one.name: one.verdict(found.mode) for one in found.effects}


def test_the_effects_of_a_study(tmp_path: Path) -> None:
    found = effects(played(tmp_path, accuracy), scale=100)
    assert [one.name for one in found.effects][:1] == ["a"] and found.effects[-1].name == "b"
    assert {one.name: round(one.effect, 9) for one in found.effects} == {"a": 3.0, "b": -1.0, "c": 0.0, "d": 0.0}
    assert verdicts(found) == {"a": "helps", "b": "hurts", "c": "not shown", "d": "not shown"}
    assert (found.metric, found.n, found.freedom, found.resolution, found.left_out) == (
        "val_accuracy",
        16,
        11,
        None,
        {},
    )
    assert found.mean == pytest.approx(91.0)
    assert found.residual_std == pytest.approx(math.sqrt(16 * 0.2**2 / 11))
    one = found.effects[0]
    assert (one.n_with, one.n_without) == (8, 8)
    assert one.standard_error == pytest.approx(2 * found.residual_std / 4)
    assert (one.low, one.high) == pytest.approx(stats.t.interval(0.95, 11, one.effect, one.standard_error))
    assert one.p_value == pytest.approx(2 * stats.t.sf(3.0 / one.standard_error, 11))
    assert found.shows == pytest.approx((stats.t.ppf(0.975, 11) + stats.t.ppf(0.8, 11)) * one.standard_error)
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["effects"][0]["name"] == "a"


def test_a_lower_objective_is_better_where_the_mode_says_so(tmp_path: Path) -> None:
    objective = {"metric": "val_loss", "mode": "min"}
    found = effects(played(tmp_path, accuracy, objective=objective))
    assert found.effects[0].name == "b" and found.effects[0].effect == pytest.approx(-0.01)
    assert verdicts(found) == {"a": "hurts", "b": "helps", "c": "not shown", "d": "not shown"}


def test_the_power_is_what_it_says() -> None:
    """An effect of the size that is shown in 80% of the cases, in 4,000 studies: 80% +- 4 (noncentral t gives 79.5)."""
    rng, x = np.random.default_rng(2), levels(4, 16)
    tails, error = stats.t.ppf(0.975, 11) + stats.t.ppf(0.8, 11), 2 / math.sqrt(16)
    shown = 0
    for _ in range(4000):
        one = fit(x, x[:, 0] * tails * error / 2 + rng.normal(size=16))
        shown += one.effects[0] > stats.t.ppf(0.975, one.freedom) * one.standard_errors[0]
    assert abs(shown / 4000 - 0.8) < 0.04


def test_what_has_no_result_is_left_out_and_counted(tmp_path: Path) -> None:
    lost = {3: Status.DIVERGED, 5: Status.FAILED, 9: Status.DIVERGED, 11: Status.STOPPED}
    study = played(tmp_path, accuracy, statuses=lost)
    found = effects(study)
    assert found.left_out == {"diverged": 2, "failed": 1, "stopped": 1} and found.n == 12
    kept = [trial for trial in study.history if trial.number not in lost]
    assert found.mean == pytest.approx(np.mean([accuracy(trial.config) for trial in kept])), "0.01 is no result"
    for one in found.effects:
        assert one.n_with == sum(bool(trial.config[one.name]) for trial in kept) == 12 - one.n_without


def test_repeated_and_own_trials_count_too(tmp_path: Path) -> None:
    own: Sequence[Config] = [dict.fromkeys(NAMES, True)]
    found = effects(played(tmp_path, accuracy, trials=33, start_with=own))
    assert (found.n, found.freedom) == (33, 28)
    assert found.effects[0].n_with == 17


def test_a_perfect_fit_has_no_error(tmp_path: Path) -> None:
    found = effects(played(tmp_path, lambda config: 4.0 if config["a"] else 2.0))
    assert found.effects[0].effect == pytest.approx(2.0) and found.effects[0].p_value < 1e-9
    (tmp_path / "flat").mkdir()
    flat = effects(played(tmp_path / "flat", lambda _: 0.5))
    assert [one.effect for one in flat.effects] == pytest.approx([0.0] * 4, abs=1e-12)


@pytest.mark.parametrize(("trials", "words"), [(0, "hpsearch resume s"), (7, "hpsearch resume s")])
def test_too_few_trials_are_refused(tmp_path: Path, trials: int, words: str) -> None:
    with pytest.raises(StudyError, match="too few trials") as refusal:
        effects(played(tmp_path, accuracy, trials=trials))
    (problem,) = refusal.value.problems
    assert (problem.got, problem.allowed) == (f"{trials} trials", "at least 8 for 4 parameters")
    assert words in (problem.hint or "")


def test_a_finished_study_with_too_few_results_is_to_be_extended(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="hpsearch extend s"):
        effects(played(tmp_path, accuracy, statuses=dict.fromkeys(range(10), Status.DIVERGED)))


def test_parameters_that_were_switched_together_are_not_told_apart() -> None:
    x = levels(3, 16)
    with pytest.raises(StudyError, match="do not tell the parameters apart"):
        fit(x[x[:, 0] == x[:, 1]], np.arange(8.0))
