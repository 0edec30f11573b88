"""The factorial design by brute force over products of its columns, and the sampler run by run."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest

from hpsearch.contract import Config
from hpsearch.errors import SpaceError
from hpsearch.samplers.by_name import make_sampler
from hpsearch.seeds import derived_seed
from hpsearch.space.design import columns, design, resolution
from hpsearch.space.factorial import described
from hpsearch.space.spec import Space
from tests.space.examples import LR, make_space

SIZES = [8, 16, 32, 64, 128]
SWITCH = {"type": "choice", "values": [True, False]}


def levels(factors: int, runs: int) -> Any:
    """The design as integers, shape (runs, factors)."""
    return design(columns(factors, runs), runs).astype(int)


def shortest_word(x: Any, longest: int) -> int | None:
    """The least number of columns whose product is the same in every run, up to ``longest``."""
    for length in range(1, longest + 1):
        for word in combinations(range(x.shape[1]), length):
            if len(set(x[:, word].prod(axis=1))) == 1:
                return length
    return None


@pytest.mark.parametrize("runs", SIZES)
def test_all_columns_are_balanced_and_orthogonal(runs: int) -> None:
    x = levels(runs - 1, runs)
    assert x.shape == (runs, runs - 1) and set(np.unique(x)) == {-1, 1}
    assert (x.sum(axis=0) == 0).all() and (x[0] == 1).all()
    assert (x.T @ x == runs * np.eye(runs - 1)).all()


@pytest.mark.parametrize("runs", SIZES)
def test_up_to_half_the_runs_no_effect_is_aliased_with_two_others(runs: int) -> None:
    x = levels(runs // 2, runs)
    for j in range(x.shape[1]):
        pairs = np.delete(x, j, axis=1) * x[:, [j]]  # interactions of j with every other factor
        assert not (x.T @ pairs).any()
    more = levels(runs // 2 + 1, runs)
    assert shortest_word(more, 3) == 3, "with one factor more there is no such design"


@pytest.mark.parametrize(("runs", "most"), [(8, 7), (16, 11), (32, 12), (64, 10)])
def test_the_resolution_is_that_of_all_words(runs: int, most: int) -> None:
    for factors in range(1, most + 1):
        assert resolution(columns(factors, runs), runs) == shortest_word(levels(factors, runs), factors)


def test_a_full_design_has_every_combination_equally_often() -> None:
    found, counts = np.unique(levels(3, 32), axis=0, return_counts=True)
    assert len(found) == 8 and set(counts) == {4}


def space_of(factors: int, runs: int = 8, **blocks: Any) -> Space:
    switches = {f"s{number}": SWITCH for number in range(factors)}
    return make_space(
        {**switches, "fixed": {"type": "constant", "value": 0.5}},
        sampler={"name": "factorial", "runs": runs},
        **blocks,
    )


def proposed(space: Space, trials: int) -> list[Config]:
    sampler = make_sampler(space)
    return [sampler.suggest([], [], number) for number in range(trials)]


def rows(found: list[Config], factors: int) -> set[tuple[int, ...]]:
    return {tuple(1 if config[f"s{number}"] else -1 for number in range(factors)) for config in found}


def test_the_trials_are_the_runs_of_the_design_and_then_all_of_them_again() -> None:
    found = proposed(space_of(4), 19)
    assert rows(found[:8], 4) == {tuple(row) for row in levels(4, 8).tolist()}
    assert found[8:] == (found[:8] * 2)[:11]
    assert all(config["fixed"] == 0.5 for config in found)
    assert derived_seed(0, "trial", 1) != derived_seed(0, "trial", 1 + 8)


def test_the_seed_of_the_study_shuffles_the_runs() -> None:
    orders = [proposed(space_of(4, seed=seed), 8) for seed in range(4)]
    assert len({tuple(tuple(config.items()) for config in order) for order in orders}) == 4
    assert len({frozenset(rows(order, 4)) for order in orders}) == 1


@pytest.mark.parametrize("start_with", [[{"s0": True, "s1": False, "s2": True}], [{"s0": False}] * 9])
def test_the_design_is_complete_after_the_users_own_settings(start_with: list[Config]) -> None:
    own = len(start_with)
    found = proposed(space_of(3, start_with=start_with), own + 8)
    assert all(
        config[name] == value for config, entry in zip(found, start_with, strict=False) for name, value in entry.items()
    )
    assert found[own:] == proposed(space_of(3), 8)


def test_the_first_value_of_any_choice_is_the_upper_level() -> None:
    space = make_space(
        {"a": {"type": "choice", "values": ["x", "y"]}, "b": {"type": "choice", "values": [0.1, 2]}},
        sampler={"name": "factorial", "runs": 8},
    )
    counts: dict[tuple[Any, ...], int] = {}
    for config in proposed(space, 8):
        counts[config["a"], config["b"]] = counts.get((config["a"], config["b"]), 0) + 1
    assert counts == {("x", 0.1): 2, ("x", 2): 2, ("y", 0.1): 2, ("y", 2): 2}


def test_a_design_has_32_runs_if_nothing_is_said() -> None:
    space = make_space({"s": SWITCH}, sampler={"name": "factorial"})
    assert proposed(space, 64)[32:] == proposed(space, 32)


@pytest.mark.parametrize(
    ("factors", "words"),
    [(3, "a full design"), (4, "resolution IV: effects are not mixed"), (5, "resolution III: effects are mixed")],
)
def test_it_says_what_its_effects_may_be_mixed_with(factors: int, words: str) -> None:
    assert words in described(space_of(factors)) and described(space_of(factors)).startswith("8 runs")


@pytest.mark.parametrize(
    ("parameters", "sampler", "key", "words"),
    [
        ({"lr": LR}, {}, "parameters.lr.type", "choices between two values"),
        ({"n": {"type": "integer", "low": 1, "high": 2}}, {}, "parameters.n.type", "choices between two values"),
        ({"a": {"type": "choice", "values": [1, 2, 3]}}, {}, "parameters.a.values", "choices between two values"),
        ({"a": {"type": "choice", "values": [1]}}, {}, "parameters.a.values", "choices between two values"),
        ({"a": SWITCH, "b": {**SWITCH, "when": {"a": True}}}, {}, "parameters.b.when", "in every run"),
        ({"a": {"type": "constant", "value": 1}}, {}, "parameters", "a parameter that is not constant"),
        ({f"s{number}": SWITCH for number in range(8)}, {"runs": 8}, "parameters", "at most 7"),
        ({f"s{number}": SWITCH for number in range(32)}, {}, "parameters", "at most 31"),
        ({"a": SWITCH}, {"runs": 12}, "sampler.runs", "8, 16, 32, 64 or 128"),
        ({"a": SWITCH}, {"name": "tpe", "runs": 8}, "sampler.runs", "tpe has no design"),
    ],
)
def test_what_cannot_be_a_design_is_refused(
    parameters: dict[str, Any], sampler: dict[str, Any], key: str, words: str
) -> None:
    with pytest.raises(SpaceError, match=words) as refusal:
        make_space(parameters, sampler={"name": "factorial", **sampler})
    assert [problem.key for problem in refusal.value.problems] == [key]


def test_the_largest_design_there_may_be() -> None:
    assert len(rows(proposed(space_of(127, 128), 128), 127)) == 128
