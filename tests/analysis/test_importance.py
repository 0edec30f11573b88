"""The importance of parameters on studies in which it is known, and its forest against scikit-learn's."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import rankdata
from sklearn.ensemble import RandomForestRegressor

from hpsearch.analysis import forest
from hpsearch.analysis.forest import forest_shares, shares_and_shadows
from hpsearch.analysis.importance import CHANCE, Importance, Importances, importances
from hpsearch.contract import Config
from hpsearch.errors import StudyError
from hpsearch.space.spec import Space
from hpsearch.store.reader import open_study
from hpsearch.store.writer import StudyWriter
from hpsearch.trial import Status
from tests.store.examples import make_space, make_trial

REAL = {"type": "real", "low": 0.0, "high": 1.0}
TWO = {"strong": REAL, "idle": REAL}
CONDITIONAL = {
    "optimizer": {"type": "choice", "values": ["sgd", "adam"]},
    "lr": REAL,
    "momentum": {**REAL, "when": {"optimizer": "sgd"}},
    "beta": {**REAL, "when": {"optimizer": "adam"}},
}
ORDERED = np.array([False, False, False])


@pytest.fixture(autouse=True)
def small_forests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four times as fast."""
    monkeypatch.setattr(forest, "TREES", 8)


def write(results: Path, space: Space, configs: Sequence[Config], objective: Callable[[Config], Any]) -> Importances:
    """Find the importances in a study; an ``objective`` of None is a diverged trial."""
    with StudyWriter.create(results, "s", space, {}) as writer:
        for number, config in enumerate(configs):
            value = objective(config)
            status = Status.DIVERGED if value is None else Status.COMPLETED
            writer.finished(make_trial(number, config=dict(config), objective=value, status=status))
    return importances(open_study(results, "s"), rounds=20)


def drawn(space: Space, n: int) -> list[Config]:
    rng = np.random.default_rng(0)
    return [space.config_from_units({name: rng.random() for name in space.searched}) for _ in range(n)]


def named(found: Importances) -> dict[str, Importance]:
    return {one.name: one for one in found.parameters}


def test_the_shares_are_those_of_the_forest_of_scikit_learn() -> None:
    points = np.random.default_rng(0).random((30, 3))
    values = points @ [2.0, 1.0, 0.0]
    reference = (
        RandomForestRegressor(forest.TREES, max_depth=64, random_state=7).fit(points, values).feature_importances_
    )
    assert forest_shares(points, values, ORDERED, seed=7) == pytest.approx(reference)


def test_a_category_counts_as_one_parameter_whatever_the_order_of_its_values() -> None:
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.integers(6, size=60) / 6, rng.random(60)])
    values = np.isin(points[:, 0], [1 / 6, 4 / 6]) + 0.1 * points[:, 1]
    shares = forest_shares(points, values, np.array([True, False]), seed=0)
    assert shares.sum() == pytest.approx(1)
    assert shares[0] > 0.9


def beyond_chance(n: int, d: int, effect: float, studies: int, rounds: int) -> tuple[int, int]:
    """Count how often the first of ``d`` columns is beyond chance, and how often an idle one is."""
    rng, found = np.random.default_rng(3), []
    for _ in range(studies):
        points = rng.random((n, d))
        values = rankdata(effect * points[:, 0] + 0.4 * rng.standard_normal(n))
        shares, shadows = shares_and_shadows(points, values, np.zeros(d, dtype=bool), rounds)
        found.append(np.median(shares, axis=0) > np.quantile(shadows, CHANCE, axis=0))
    counts = np.sum(found, axis=0)
    return int(counts[0]), int(counts[1:].sum())


def test_of_two_parameters_chance_hardly_shows_the_idle_one_and_the_strong_one_is_seen() -> None:
    acting, idle = beyond_chance(n=12, d=2, effect=3.0, studies=12, rounds=20)
    assert acting >= 9
    assert idle <= 3


def test_of_two_idle_parameters_few_are_beyond_chance() -> None:
    assert sum(beyond_chance(n=12, d=2, effect=0.0, studies=15, rounds=20)) <= 6  # of 30


def test_of_five_parameters_chance_hardly_shows_an_idle_one() -> None:
    acting, idle = beyond_chance(n=20, d=5, effect=3.0, studies=12, rounds=20)
    assert acting >= 11
    assert idle <= 7  # of 48


def test_a_column_and_its_shadows_share_all_that_is_explained() -> None:
    points = np.random.default_rng(0).random((20, 3))
    for resampled in (False, True):
        shares, shadows = shares_and_shadows(points, points[:, 0], ORDERED, 4, resampled)
        assert shares.sum(axis=1) + shadows.sum(axis=1) == pytest.approx(np.ones(4))
        assert shares[:, 0].min() > 0.8
        assert len({*shares[:, 0]}) == 4


def test_the_parameter_that_acts_is_found_and_the_idle_one_is_not(tmp_path: Path) -> None:
    space = make_space(TWO)
    found = named(write(tmp_path, space, drawn(space, 30), lambda c: (c["strong"] - 0.3) ** 2))
    strong, idle = found["strong"], found["idle"]
    assert list(found) == ["strong", "idle"]
    assert (strong.shown, idle.shown) == (True, False)
    assert idle.low < idle.share < idle.high < strong.low < strong.share < strong.high <= 1
    assert idle.share < idle.chance < strong.share


def test_only_the_order_of_the_results_counts(tmp_path: Path) -> None:
    space, turned = make_space(TWO), make_space(TWO, objective={"metric": "val_accuracy", "mode": "max"})
    configs = drawn(space, 20)
    plain = write(tmp_path / "plain", space, configs, lambda c: c["strong"] + 0.2 * c["idle"])
    assert write(tmp_path / "warped", space, configs, lambda c: np.exp(9 * (c["strong"] + 0.2 * c["idle"]))) == plain
    assert write(tmp_path / "max", turned, configs, lambda c: -c["strong"] - 0.2 * c["idle"]) == plain


def test_what_makes_trials_diverge_is_important(tmp_path: Path) -> None:
    space = make_space(TWO)
    found = named(write(tmp_path, space, drawn(space, 30), lambda c: None if c["strong"] > 0.6 else c["idle"] / 10))
    assert found["strong"].shown
    assert found["strong"].settings == 30


def test_a_conditional_parameter_is_judged_where_it_exists(tmp_path: Path) -> None:
    space = make_space(CONDITIONAL)
    configs = drawn(space, 40)
    having = sum("momentum" in config for config in configs)
    result = write(tmp_path, space, configs, lambda c: c["momentum"] if "momentum" in c else 5.0 + c["lr"])
    found = named(result)
    assert {name: one.settings for name, one in found.items()} == {
        "optimizer": 40,
        "lr": 40,
        "momentum": having,
        "beta": 40 - having,
    }
    assert found["optimizer"].shown
    assert found["momentum"].shown
    assert not found["beta"].shown


def test_a_repeated_setting_is_one_result(tmp_path: Path) -> None:
    space = make_space(TWO)
    configs = drawn(space, 12)
    once = write(tmp_path / "once", space, configs, lambda c: c["strong"])
    assert write(tmp_path / "again", space, [*configs, *configs[:3] * 4], lambda c: c["strong"]) == once


def test_settings_without_a_result_are_counted_apart(tmp_path: Path) -> None:
    space = make_space(TWO)
    configs = drawn(space, 16)
    with StudyWriter.create(tmp_path, "s", space, {}) as writer:
        for number, config in enumerate(configs):
            status = Status.STOPPED if number % 4 == 3 else Status.COMPLETED
            writer.finished(make_trial(number, config=dict(config), objective=config["strong"], status=status))
    found = importances(open_study(tmp_path, "s"), rounds=1)
    assert (found.settings, found.left_out) == (12, 4)


def test_a_parameter_that_did_not_vary_is_left_out(tmp_path: Path) -> None:
    space = make_space(TWO)
    configs = [{**config, "idle": 0.5} for config in drawn(space, 12)]
    assert list(named(write(tmp_path, space, configs, lambda c: c["strong"]))) == ["strong"]


def test_it_is_the_same_each_time_and_strict_json(tmp_path: Path) -> None:
    space = make_space(TWO)
    configs = drawn(space, 12)
    found = write(tmp_path / "a", space, configs, lambda c: c["strong"])
    assert write(tmp_path / "b", space, configs, lambda c: c["strong"]) == found
    data = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert data["settings"] == 12
    assert data["parameters"][0]["shown"] is True


@pytest.mark.parametrize(
    ("n", "parameters", "objective", "message"),
    [
        (9, TWO, lambda c: c["strong"], r"at least 10 settings(.|\n)*9 in the study 's'"),
        (12, TWO, lambda c: 1.0, r"results that differ(.|\n)*1 of them different"),
        (12, TWO, lambda c: None, r"results that differ"),
        (0, {"fixed": {"type": "constant", "value": 1.0}}, lambda c: 1.0, "at least 10 settings"),
    ],
)
def test_too_little_to_compare_is_refused(
    tmp_path: Path, n: int, parameters: dict[str, Any], objective: Callable[[Config], Any], message: str
) -> None:
    space = make_space(parameters)
    with pytest.raises(StudyError, match=message):
        write(tmp_path, space, drawn(space, n), objective)


def test_a_parameter_that_too_few_settings_have_is_left_out(tmp_path: Path) -> None:
    space = make_space(CONDITIONAL)
    configs = [config for config in drawn(space, 60) if "momentum" in config][:9]
    configs += [config for config in drawn(space, 60) if "beta" in config][:10]
    assert set(named(write(tmp_path, space, configs, lambda c: c["lr"]))) == {"optimizer", "lr", "beta"}


def test_a_large_study_is_thinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hpsearch.analysis.importance.MOST_RESULTS", 15)
    space = make_space(TWO)
    assert write(tmp_path, space, drawn(space, 40), lambda c: c["strong"]).settings == 15
