"""The default sampler: what it starts with, how it goes on, and that it finds an optimum sooner than draws do."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpsearch.contract import Config
from hpsearch.samplers.informed import OPENING, InformedSampler
from hpsearch.samplers.random_search import RandomSampler
from hpsearch.space.beliefs import settings_of
from hpsearch.space.parameters import Parameter
from hpsearch.space.spec import Space
from hpsearch.trial import FinishedTrial, PendingTrial, Status, key
from tests.samplers.trials import finished, pending
from tests.space.examples import CONDITIONAL, LR, make_space, parameters

FOUR = {
    "lr": {"type": "real", "low": 1e-3, "high": 10.0, "scale": "log"},
    "weight_decay": {"type": "real", "low": 1e-6, "high": 0.1, "scale": "log"},
    "batch_size": {"type": "integer", "low": 16, "high": 1024, "scale": "log"},
    "momentum": {"type": "real", "low": 0.5, "high": 0.99, "scale": "log1m"},
}
LEARNT = {
    "about": "a toy", "made_by": "a test",
    "settings": [{"lr": 10**-place} for place in (0.5, 1.0, 1.5, 2.0, 2.5)],
    "problems": {"toy": {"lr": {"centre": 0.1, "spread": 3}}},
}  # fmt: skip


def bowl(config: Config, noise: float = 0.0) -> float:
    """A quadratic in the logarithms, its optimum off the heuristic centre."""
    lr, decay, batch, momentum = (float(config[name]) for name in FOUR)
    logs = np.log10([lr / 0.5, decay / 1e-4, batch / 64, (1 - momentum) / 0.05])
    return float(logs @ (logs * [1.0, 0.3, 0.3, 0.5])) + noise * math.sin(1e6 * lr + 1e3 * momentum)


def played(space: Space, trials: int, loss: Any, history: list[FinishedTrial] | None = None) -> list[FinishedTrial]:
    """A search; each trial by a sampler of its own, as if the search were resumed before every one."""
    history = list(history or [])
    for number in range(len(history), trials):
        config = InformedSampler(space).suggest(history, [], number)
        history.append(finished(number, config, loss(config)))
    return history


def test_it_starts_with_the_centre_of_the_prior() -> None:
    space = make_space(FOUR)
    assert InformedSampler(space).suggest([], [], 0) == settings_of(space)[0]


def test_it_starts_with_the_settings_that_were_learnt() -> None:
    space = make_space({"lr": LR}, prior={"learnt": LEARNT})
    tried = [trial.config["lr"] for trial in played(space, OPENING, lambda config: 1.0)]
    assert tried == pytest.approx([10**-0.5, 10**-1.0, 10**-1.5][:OPENING])


def test_it_finds_the_optimum_of_a_noisy_bowl_sooner_than_draws_do() -> None:
    ours, drawn = [], []
    for seed in range(3):
        space = make_space(FOUR, prior="uniform", seed=seed)
        ours.append(min(bowl(trial.config) for trial in played(space, 24, lambda config: bowl(config, 0.05))))
        sampler = RandomSampler(space)
        drawn.append(min(bowl(sampler.suggest([], [], number)) for number in range(24)))
    assert np.median(ours) < np.median(drawn) / 3


def test_a_wrong_prior_is_overcome() -> None:
    normal = {name: {"centre": centre, "spread": 2} for name, centre in [("lr", 0.002), ("weight_decay", 0.05)]}
    space = make_space(FOUR, prior={"normal": normal})
    history = played(space, 28, bowl)
    assert min(bowl(trial.config) for trial in history) < bowl(history[0].config) / 10
    grade = InformedSampler(space).grade(history)
    assert grade is not None and grade < 0


@pytest.mark.parametrize("results", [0, 1, 2, 4, 9])
def test_workers_get_settings_of_their_own(results: int) -> None:
    space = make_space(FOUR)
    history, waiting = played(space, results, bowl), list[PendingTrial]()
    for number in range(results, results + 6):
        waiting.append(pending(number, InformedSampler(space).suggest(history, waiting, number)))
    assert len({key(trial.config) for trial in [*history, *waiting]}) == results + 6
    again = InformedSampler(space).suggest(history[::-1], waiting[:-1][::-1], results + 5)
    assert again == waiting[-1].config


@pytest.mark.parametrize(
    ("status", "objective"),
    [(Status.FAILED, None), (Status.DIVERGED, None), (Status.DIVERGED, 5.0), (Status.STOPPED, 5.0),
     (Status.COMPLETED, 5.0), (Status.COMPLETED, math.nan), (Status.COMPLETED, math.inf), (Status.COMPLETED, 1e300)],
)  # fmt: skip
def test_it_goes_on_when_all_trials_end_alike(status: Status, objective: float | None) -> None:
    space, history = make_space(FOUR), list[FinishedTrial]()
    for number in range(12):
        config = InformedSampler(space).suggest(history, [], number)
        assert all(space.parameters[name].contains(value) for name, value in config.items())
        history.append(finished(number, config, objective, status))
    assert len({key(trial.config) for trial in history}) == 12


def test_a_region_that_diverges_is_avoided() -> None:
    space, history = make_space({"lr": LR}, prior="uniform"), list[FinishedTrial]()
    for number in range(20):
        config = InformedSampler(space).suggest(history, [], number)
        diverges = float(config["lr"]) > 0.05
        loss = None if diverges else math.log10(float(config["lr"]) / 0.02) ** 2
        history.append(finished(number, config, loss, Status.DIVERGED if diverges else Status.COMPLETED))
    assert sum(trial.status is Status.DIVERGED for trial in history[8:]) <= 6


@pytest.mark.parametrize("learnt", [False, True])
def test_a_space_of_choices_is_exhausted_before_a_setting_comes_again(learnt: bool) -> None:
    found = {"a": {"type": "choice", "values": ["x", "y", "z"]}, "b": {"type": "choice", "values": [1, 2, 4]},
             "c": {"type": "choice", "values": [True, False]}}  # fmt: skip
    normal = {"normal": {"b": {"centre": 2, "spread": 1}}} if learnt else "uniform"
    space = make_space(found, prior=normal)
    history = played(space, 18, lambda config: len(str(config["a"])) + float(config["b"]) + bool(config["c"]))
    tried = [tuple(trial.config.values()) for trial in history]
    assert set(tried) == set(itertools.product("xyz", [1, 2, 4], [True, False]))
    config = InformedSampler(space).suggest(history, [], 18)
    assert tuple(config.values()) in tried


def test_where_nothing_is_searched_there_is_one_setting() -> None:
    space = make_space({"lr": {"type": "constant", "value": 0.1}})
    assert {trial.config["lr"] for trial in played(space, 6, lambda config: 1.0)} == {0.1}
    assert InformedSampler(space).grade([]) is None


def test_conditions_are_kept_to() -> None:
    space = make_space(CONDITIONAL)
    history = played(space, 9, lambda config: len(config) + float(config["layers"]) / 64)
    assert all(list(trial.config) == space.active(trial.config) for trial in history)


def test_the_same_numbers_and_results_of_other_settings_are_another_history() -> None:
    """The last fit is kept, and must not be taken for that of another history."""
    space = make_space({"lr": LR}, prior="uniform")
    low, high = (
        [finished(n, {"lr": 10 ** (-(n if way else 11 - n) / 4)}, float(n)) for n in range(12)] for way in (0, 1)
    )
    used = InformedSampler(space)
    used.suggest(low, [], 12)
    assert used.suggest(high, [], 12) == InformedSampler(space).suggest(high, [], 12)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["lr", "tau", "momentum", "batch_size", "a", "b"]), parameters, min_size=1),
    st.integers(0, 5),
)
def test_any_space_will_do(found: dict[str, Parameter], results: int) -> None:
    space = make_space({"x": LR}).model_copy(update={"parameters": found})
    drawn = RandomSampler(space)
    history = [finished(n, drawn.suggest([], [], n), float(n % 3)) for n in range(results)]
    config = InformedSampler(space).suggest(history, [], results)
    assert list(config) == list(found)
    for name, value in config.items():
        assert found[name].contains(value) and value == found[name].canonical(value)
