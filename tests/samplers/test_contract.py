"""What every sampler promises: one suite, run for each of them."""

import json
import math
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpsearch.contract import Config
from hpsearch.samplers.by_name import make_sampler
from hpsearch.samplers.random_search import RandomSampler
from hpsearch.space.parameters import Choice, Constant, Integer, Parameter, Real
from hpsearch.space.spec import Space
from hpsearch.trial import FinishedTrial, PendingTrial, Status
from tests.samplers.trials import finished, pending
from tests.space.examples import CONDITIONAL, LR, make_space, parameters

DRAWING = ["random", "sobol"]
MODELS = ["tpe", "gp"]
SEARCHES = ["doubling", "hpsearch"]  # from the centre, whatever the seed, and never twice to a setting that failed
LEARNING = [*MODELS, *SEARCHES]
OF_RANGES = [*DRAWING, *LEARNING]
OF_VALUES = {"grid": 3, "factorial": 2}  # how many values of each parameter they are given here
NAMES = [*OF_RANGES, *OF_VALUES]
MIXED = {
    "lr": LR,
    "width": {"type": "integer", "low": 1, "high": 64, "scale": "log"},
    "drop": {"type": "real", "low": 0.0, "high": 0.6, "step": 0.1},
    "depth": {"type": "integer", "low": 2, "high": 20, "step": 3},
    "mode": {"type": "choice", "values": [2, 0.5, "a", True]},
    "momentum": {"type": "constant", "value": 0.9},
    "beta": {"type": "real", "low": 0.5, "high": 0.999, "scale": "log1m"},
}
every_sampler = pytest.mark.parametrize("name", NAMES)
sampler_of_any_space = pytest.mark.parametrize("name", [*OF_RANGES, "grid"])
sampler_of_ranges = pytest.mark.parametrize("name", OF_RANGES)
learning_samplers = pytest.mark.parametrize("name", LEARNING)
model_samplers = pytest.mark.parametrize("name", [*MODELS, "hpsearch"])


def space_of(name: str, parameters: dict[str, object] | None = None, **blocks: object) -> Space:
    sampler = {"name": name} | ({"startup_trials": 4} if name in MODELS else {})
    space = make_space(parameters or MIXED, **blocks)
    if name in OF_VALUES:
        fewer = {key: few(one, OF_VALUES[name]) for key, one in space.parameters.items()}
        space = space.model_copy(update={"parameters": fewer})
    return Space.restore({**space.dump(), "sampler": sampler})


def few(parameter: Parameter, count: int) -> Parameter:
    """At most ``count`` values, for a sampler that enumerates; with two of them, they are there in every trial."""
    if isinstance(parameter, Constant):
        return parameter
    units = (0.2, 0.5, 0.8) if isinstance(parameter, Real | Integer) else (0.1, 0.3, 0.6, 0.9)
    values = tuple({parameter.from_unit(u): None for u in units})
    return Choice(values=values[:count], when=parameter.when if count > 2 else {})


def objective(config: Config) -> float:
    return sum(abs(math.sin(len(str(value)) + ord(name[0]))) for name, value in config.items())


def played(space: Space, trials: int) -> list[FinishedTrial]:
    """A search of ``trials`` trials, one after the other, with every status in it."""
    sampler, history = make_sampler(space), list[FinishedTrial]()
    for number in range(trials):
        config = sampler.suggest(history, [], number)
        status = {3: Status.STOPPED, 4: Status.DIVERGED, 5: Status.FAILED}.get(number % 6, Status.COMPLETED)
        history.append(finished(number, config, objective(config), status))
    return history


def rate(config: Config) -> float:
    return float(config["lr"])


def check(space: Space, config: Config) -> None:
    assert list(config) == space.active(config)
    for name, value in config.items():
        assert space.parameters[name].contains(value)
        assert type(value) in (bool, int, float, str)
        assert value == space.parameters[name].canonical(value)


@every_sampler
def test_suggestions_lie_in_the_space(name: str) -> None:
    space = space_of(name)
    for trial in played(space, 9):
        check(space, trial.config)


@sampler_of_any_space
def test_conditions_are_respected(name: str) -> None:
    space = space_of(name, CONDITIONAL)
    history = played(space, 12)
    for trial in history:
        check(space, trial.config)
    assert len({tuple(trial.config) for trial in history}) > 1


@pytest.mark.parametrize("name", [*DRAWING, "tpe", *SEARCHES])
@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.sampled_from("abcd"), parameters, min_size=1, max_size=3))
def test_any_parameters_will_do(name: str, found: dict[str, object]) -> None:
    space = space_of(name).model_copy(update={"parameters": found})
    for trial in played(space, 7):
        check(space, trial.config)


@sampler_of_any_space
def test_ranges_of_one_point(name: str) -> None:
    points = {
        "lr": {"type": "real", "low": 0.1, "high": 0.1, "scale": "log"},
        "n": {"type": "integer", "low": 3, "high": 3},
        "mode": {"type": "choice", "values": ["only"]},
        "free": LR,
    }
    for trial in played(space_of(name, points), 8):
        assert {key: trial.config[key] for key in ("lr", "n", "mode")} == {"lr": 0.1, "n": 3, "mode": "only"}


@sampler_of_any_space
def test_a_space_of_constants(name: str) -> None:
    space = space_of(name, {"lr": {"type": "constant", "value": 0.1}})
    assert [dict(trial.config) for trial in played(space, 7)] == [{"lr": 0.1}] * 7


@every_sampler
def test_a_suggestion_depends_on_the_arguments_only(name: str) -> None:
    space = space_of(name)
    history = played(space, 7)
    waiting = [pending(10, history[0].config), pending(11, history[1].config)]
    used = make_sampler(space)
    expected = make_sampler(space).suggest(history, waiting, 12)
    assert used.suggest(history[:4], [], 40) is not None
    assert used.suggest([], waiting, 12) is not None
    assert used.suggest(history, waiting, 12) == expected
    shuffled = random.Random(0).sample(history, len(history))
    assert used.suggest(shuffled, waiting[::-1], 12) == expected


@every_sampler
def test_a_resumed_search_goes_on_as_if_it_had_never_stopped(name: str) -> None:
    """What is stored is what JSON keeps; each session has a sampler of its own."""
    space = space_of(name, None if name == "factorial" else CONDITIONAL)
    history = played(space, 9)
    space = Space.restore(json.loads(json.dumps(space.dump())))
    stored = [replace(trial, config=json.loads(json.dumps(trial.config))) for trial in history]
    for count in (2, 5, 8):
        assert make_sampler(space).suggest(stored[:count], [], count) == history[count].config


@pytest.mark.parametrize("name", [*DRAWING, *MODELS, *OF_VALUES])
def test_a_failed_trial_says_nothing(name: str) -> None:
    space = space_of(name)
    history = played(space, 7)
    assert any(trial.status is Status.FAILED for trial in history)
    without = [trial for trial in history if trial.status is not Status.FAILED]
    assert make_sampler(space).suggest(history, [], 7) == make_sampler(space).suggest(without, [], 7)


@pytest.mark.parametrize("name", SEARCHES)
def test_a_setting_that_failed_is_not_tried_again(name: str) -> None:
    space = space_of(name)
    history = [finished(number, trial.config, None, Status.FAILED) for number, trial in enumerate(played(space, 7))]
    assert make_sampler(space).suggest(history, [], 7) not in [trial.config for trial in history]


@pytest.mark.parametrize("name", [*DRAWING, *MODELS])
def test_the_seed_and_the_number_matter(name: str) -> None:
    one, other = (make_sampler(space_of(name, seed=seed)) for seed in (0, 1))
    assert one.suggest([], [], 0) != other.suggest([], [], 0)
    assert one.suggest([], [], 0) != one.suggest([], [], 1)


def in_a_new_process(hash_seed: str) -> dict[str, list[Config]]:
    code = (
        "import json; from tests.samplers.test_contract import *\n"
        "print(json.dumps({n: [t.config for t in played(space_of(n, CONDITIONAL), 7)] for n in NAMES}))\n"
    )
    environment = {"PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": "1", "PATH": os.environ.get("PATH", "")}
    command, root = [sys.executable, "-c", code], Path(__file__).resolve().parents[2]
    result = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, list[Config]] = json.loads(result.stdout)
    return found


def test_new_processes_agree() -> None:
    found = in_a_new_process("1")
    assert set(found) == set(NAMES)
    assert found == in_a_new_process("2")


@pytest.mark.parametrize("name", ["random", "sobol", "grid", "factorial"])
def test_a_sampler_that_does_not_learn_uses_the_number_only(name: str) -> None:
    space = space_of(name)
    sampler, history = make_sampler(space), played(space, 9)
    assert [sampler.suggest([], [], trial.number) for trial in history] == [trial.config for trial in history]


@learning_samplers
@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("best", [3e-3, 0.3])
def test_a_sampler_that_learns_finds_the_best(name: str, mode: str, best: float) -> None:
    space = space_of(name, {"lr": LR, "drop": MIXED["drop"]}, objective={"metric": "val", "mode": mode})
    sampler, history = make_sampler(space), list[FinishedTrial]()
    for number in range(25):
        config = sampler.suggest(history, [], number)
        loss = math.log10(rate(config) / best) ** 2 + float(config["drop"])
        history.append(finished(number, config, loss if mode == "min" else -loss))
    found = min(history, key=lambda trial: abs(trial.objective or 0.0)).config
    assert abs(math.log10(rate(found) / best)) < 0.3 and float(found["drop"]) <= 0.1


@model_samplers
def test_a_model_uses_a_history_of_others(name: str) -> None:
    space = space_of(name, {"lr": LR}, prior="uniform")
    low = [finished(n, {"lr": 10 ** (-n / 4)}, float(n)) for n in range(12)]
    high = [finished(n, {"lr": 10 ** (-n / 4)}, float(-n)) for n in range(12)]
    sampler = make_sampler(space)
    assert rate(sampler.suggest(low, [], 12)) > 0.1 > rate(sampler.suggest(high, [], 12))


@model_samplers
def test_the_mode_is_respected(name: str) -> None:
    space = space_of(name, {"lr": LR}, prior="uniform", objective={"metric": "val_accuracy", "mode": "max"})
    history = [finished(n, {"lr": 10 ** (-n / 4)}, float(-n)) for n in range(12)]
    assert rate(make_sampler(space).suggest(history, [], 12)) > 0.1


@learning_samplers
def test_pending_trials_are_not_repeated(name: str) -> None:
    space = space_of(name, {"lr": LR, "weight_decay": LR})
    lrs = [10 ** (-n / 4) for n in range(12)]
    history = [finished(n, {"lr": lr, "weight_decay": 0.03}, math.log10(lr / 0.1) ** 2) for n, lr in enumerate(lrs)]
    sampler, waiting = make_sampler(space), list[PendingTrial]()
    for number in range(12, 16):
        waiting.append(pending(number, sampler.suggest(history, waiting, number)))
    places = np.log10([[float(trial.config[key]) for key in ("lr", "weight_decay")] for trial in waiting])
    distances = np.abs(places[:, None] - places[None]).max(axis=2)  # in decades, shape (trials, trials)
    assert distances[np.triu_indices(len(waiting), k=1)].min() > 0.01


@learning_samplers
def test_nothing_finite_is_needed(name: str) -> None:
    space = space_of(name)
    history = [
        finished(number, trial.config, None if number % 2 else math.nan, Status.DIVERGED, ((1, math.nan),))
        for number, trial in enumerate(played(space, 8))
    ]
    check(space, make_sampler(space).suggest(history, [], 8))


@sampler_of_ranges
def test_the_first_trials_are_the_users_own(name: str) -> None:
    full = {"lr": 1, "width": 4, "drop": 0.3, "depth": 5, "mode": "a", "beta": 0.95}
    entries = [full, {"drop": 0.1 + 0.2, "momentum": 0.9}, {}]
    space = space_of(name, start_with=entries)
    history = played(space, 4)
    assert history[0].config == {**full, "momentum": 0.9}
    assert type(history[0].config["lr"]) is float
    assert history[1].config["drop"] == 0.3
    for trial in history:
        check(space, trial.config)
    sampler = make_sampler(space)
    assert sampler.suggest(history, [], 1) == history[1].config
    draws = RandomSampler(space).suggest([], [], 1)
    assert history[1].config == {**draws, "drop": 0.3}


@sampler_of_ranges
def test_an_entry_without_effect_is_left_out(name: str) -> None:
    space = space_of(name, CONDITIONAL, start_with=[{"optimizer": "adam", "momentum": 0.5}])
    config = make_sampler(space).suggest([], [], 0)
    assert config["optimizer"] == "adam"
    assert "momentum" not in config
