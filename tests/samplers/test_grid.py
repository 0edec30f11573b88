"""The grid, trial by trial: complete, in order, and again from the start."""

import pytest

from hpsearch.contract import Config
from hpsearch.samplers.by_name import make_sampler
from hpsearch.seeds import derived_seed
from tests.space.examples import make_space

PARAMETERS = {
    "mode": {"type": "choice", "values": ["b", "a"]},
    "n": {"type": "integer", "low": 2, "high": 6, "step": 2, "when": {"mode": "a"}},
    "fixed": {"type": "constant", "value": 0.5},
}
GRID = [
    {"mode": "b", "fixed": 0.5},
    {"mode": "a", "n": 2, "fixed": 0.5},
    {"mode": "a", "n": 4, "fixed": 0.5},
    {"mode": "a", "n": 6, "fixed": 0.5},
]


def proposed(trials: int, start_with: list[Config]) -> list[Config]:
    sampler = make_sampler(make_space(PARAMETERS, sampler={"name": "grid"}, start_with=start_with))
    return [sampler.suggest([], [], number) for number in range(trials)]


def test_a_budget_beyond_the_grid_repeats_it_with_other_seeds() -> None:
    assert proposed(11, []) == (GRID * 3)[:11]
    assert derived_seed(0, "trial", 1) != derived_seed(0, "trial", 1 + len(GRID))


@pytest.mark.parametrize("start_with", [[{"mode": "a", "n": 6}], [{"mode": "b"}] * 6])
def test_the_grid_is_complete_after_the_users_own_settings(start_with: list[Config]) -> None:
    own = [{**entry, "fixed": 0.5} for entry in start_with]
    assert proposed(len(own) + 8, start_with) == own + GRID * 2
