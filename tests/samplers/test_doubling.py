"""Cyclic doubling and halving: against the loops of post 5 written out, its steps, its speculation, its end."""

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hpsearch.contract import Config, Value
from hpsearch.samplers.descent import descend, losses
from hpsearch.samplers.doubling import DoublingSampler
from hpsearch.samplers.steps import directions, moved, stepped
from hpsearch.space.coordinates import Raw, Run, to_coordinates
from hpsearch.space.parameters import Integer, Parameter, Real
from hpsearch.space.spec import Space
from hpsearch.trial import FinishedTrial, PendingTrial, Status, key
from tests.samplers.trials import finished, pending
from tests.space.examples import CONDITIONAL, make_space, parameters, units

THREE = {
    "width": {"type": "integer", "low": 1, "high": 64, "scale": "log"},
    "drop": {"type": "real", "low": 0.0, "high": 0.8},
    "lr": {"type": "real", "low": 1e-3, "high": 1.0, "scale": "log"},
    "norm": {"type": "choice", "values": ["batch", "none", "layer"]},
}
CENTRE: Config = {"width": 8, "drop": 0.1, "lr": 0.01, "norm": "batch"}
FOUR = {
    "lr": {"type": "real", "low": 1e-3, "high": 3.2, "scale": "log"},
    "weight_decay": {"type": "real", "low": 1e-6, "high": 0.1, "scale": "log"},
    "batch_size": {"type": "choice", "values": [256, 64, 128, 512]},
    "momentum": {"type": "real", "low": 0.5, "high": 0.99, "scale": "log1m"},
}
BASE: dict[str, Value] = {"lr": 0.1, "weight_decay": 5e-4, "batch_size": 128, "momentum": 0.9}

Loss = Callable[[Config], float]


def space_of(found: dict[str, Any], **blocks: Any) -> Space:
    return make_space(found, sampler={"name": "doubling"}, prior="uniform", **blocks)


def played(sampler: DoublingSampler, loss: Loss, trials: int) -> list[FinishedTrial]:
    history: list[FinishedTrial] = []
    for number in range(trials):
        config = sampler.suggest(history, [], number)
        history.append(finished(number, config, loss(config)))
    return history


def a_loss(seed: int) -> Loss:
    """A bowl somewhere in THREE, with noise that depends on the setting alone."""
    rng = np.random.default_rng(seed)
    width, drop, lr = rng.uniform(0, 6), rng.uniform(0, 0.8), rng.uniform(-3, 0)
    norms, noise = dict(zip(["batch", "none", "layer"], rng.uniform(0, 3, 3), strict=True)), rng.uniform(0, 1)

    def loss(config: Config) -> float:
        bowl = (math.log2(config["width"]) - width) ** 2 + 9 * (math.log10(config["lr"]) - lr) ** 2
        rough = math.sin(1e4 * float(f"{config['lr']:.6g}") + 7 * config["width"] + 50 * round(config["drop"], 6))
        return bowl + 20 * (config["drop"] - drop) ** 2 + norms[config["norm"]] + noise * rough

    return loss


def written_out(loss: Loss, tried: list[Config]) -> None:
    """Post 5's loops over THREE; every setting that is new is appended to ``tried``."""

    def value(config: Config) -> float:
        if not any(equal(config, one) for one in tried):
            tried.append(config)
        return loss(config)

    best, size = dict(CENTRE), 1.0
    value(best)
    while size >= 1 / 64:
        gained = False
        for name in ("lr", "width", "drop", "norm"):
            for way in (1, 2) if name == "norm" else (1, -1):
                paid = False
                while value(config := {**best, name: by_hand(name, best[name], way, size)}) < loss(best):
                    best, paid, gained = config, True, True
                if paid:
                    break
        if not gained:
            size /= 2


def by_hand(name: str, value: Any, way: int, size: float) -> Value:
    if name == "norm":
        names = ["batch", "none", "layer"]
        return names[(names.index(value) + way) % 3]
    if name == "lr":
        return min(max(value * 2 ** (way * size), 1e-3), 1.0)
    if name == "drop":
        return min(max(value + way * size * 0.1, 0.0), 0.8)
    target = round(value * 2 ** (way * size))
    return min(max(value + way if target == value else target, 1), 64)


def equal(one: Config, other: Config) -> bool:
    return all(v == other[k] if isinstance(v, str) else math.isclose(v, other[k], rel_tol=1e-7) for k, v in one.items())


@pytest.mark.parametrize("seed", range(12))
def test_it_is_the_loops_of_post_5(seed: int) -> None:
    loss, expected = a_loss(seed), list[Config]()
    written_out(loss, expected)
    found = [trial.config for trial in played(DoublingSampler(space_of(THREE), CENTRE), loss, len(expected))]
    assert len(expected) > 30
    assert all(equal(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    ("parameter", "value", "expected"),
    [
        ({"low": 0.01, "high": 1.0, "scale": "log"}, 0.1, (0.2, 0.05)),
        ({"low": 0.01, "high": 1.0, "scale": "log"}, 0.8, (1.0, 0.4)),
        ({"low": 0.5, "high": 0.99, "scale": "log1m"}, 0.9, (0.95, 0.8)),
        ({"low": 0.0, "high": 1.0}, 0.5, (0.625, 0.375)),
        ({"low": 0.0, "high": 1.0, "step": 0.2}, 0.4, (0.6, 0.2)),
        ({"low": 0.0, "high": 0.0}, 0.0, (0.0, 0.0)),
    ],
)
def test_a_step_of_a_real(parameter: dict[str, Any], value: float, expected: tuple[float, float]) -> None:
    real = Real(**parameter)
    assert [stepped(real, value, way, 1.0) for way in (1, -1)] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("parameter", "value", "size", "expected"),
    [
        ({"low": 1, "high": 64, "scale": "log"}, 6, 1.0, (12, 3)),
        ({"low": 1, "high": 64, "scale": "log"}, 1, 0.25, (2, 1)),
        ({"low": 2, "high": 66, "step": 4}, 10, 1.0, (18, 2)),
        ({"low": 2, "high": 66, "step": 4}, 10, 0.01, (14, 6)),
    ],
)
def test_a_step_of_a_whole_number(
    parameter: dict[str, Any], value: int, size: float, expected: tuple[int, int]
) -> None:
    assert tuple(stepped(Integer(**parameter), value, way, size) for way in (1, -1)) == expected


@given(parameters, units, st.sampled_from([1.0, 0.5, 2**-6]))
def test_a_step_stays_in_the_range(parameter: Parameter, u: float, size: float) -> None:
    value = parameter.from_unit(u)
    for way in directions(parameter):
        new = stepped(parameter, value, way, size)
        assert parameter.contains(new) and type(new) is type(parameter.canonical(new))
        assert parameter.canonical(new) == new


@pytest.mark.parametrize("optimizer", ["sgd", "sgd_nesterov", "adamw"])
@pytest.mark.parametrize("coordinates", [set(), {"lr"}, {"lr", "weight_decay"}])
@given(st.sampled_from(["batch_size", "momentum"]), st.sampled_from([1, -1]), st.floats(0.01, 0.3))
def test_batch_size_and_momentum_move_with_rate_and_tau_held(
    optimizer: str, coordinates: set[str], name: str, way: int, lr: float
) -> None:
    """Whether the space names the raw parameters, the coordinates, or one of each."""
    wide = {"type": "real", "low": 1e-9, "high": 1e3, "scale": "log"}
    other = {"lr": "rate", "weight_decay": "tau"}
    names = [other[one] if one in coordinates else one for one in ("lr", "weight_decay")]
    found = {**dict.fromkeys(names, wide), "batch_size": FOUR["batch_size"], "momentum": FOUR["momentum"]}
    space = space_of(found, coordinates={"optimizer": optimizer, "examples": 50000, "epochs": 10})
    old = {**dict.fromkeys(names, lr), "batch_size": 128, "momentum": 0.9}
    new = moved(space, old, name, way, 1.0)
    before, after = coordinates_of(space, old), coordinates_of(space, new)
    assert new[name] != old[name]
    assert after == pytest.approx(before, rel=1e-9)


def coordinates_of(space: Space, point: Any) -> tuple[float, float]:
    """Rate and tau of a point, where it names them or what they follow from."""
    run, n, rho = space.coordinates.run, point["batch_size"], point["momentum"]
    lr = point.get("lr") or point["rate"] * (n**0.5 if run.optimizer == "adamw" else (1 - rho) * n)
    if "tau" in point:
        return point.get("rate") or to_coordinates(Raw(lr, 1.0, n, rho), run).rate, point["tau"]
    found = to_coordinates(Raw(lr, point["weight_decay"], n, rho), run)
    return found.rate, found.tau


def test_tau_is_held_where_the_learning_rate_ends_at_its_bound() -> None:
    space, run = space_of(FOUR), Run("sgd", 50000, 10)
    old = {**BASE, "lr": 2.0}
    new = moved(space, old, "batch_size", 1, 1.0)
    assert (new["batch_size"], new["lr"]) == (256, 3.2)
    taus = [to_coordinates(Raw(**one), run).tau for one in (old, new)]
    assert taus[0] == pytest.approx(taus[1])


def test_other_parameters_move_alone() -> None:
    space = space_of(FOUR)
    assert moved(space, BASE, "lr", 1, 1.0) == {**BASE, "lr": 0.2}
    fixed = space_of({**FOUR, "lr": {"type": "constant", "value": 0.1}})
    new = moved(fixed, BASE, "batch_size", 1, 1.0)
    assert new == {**BASE, "batch_size": 256, "weight_decay": pytest.approx(2 * 5e-4)}, "rate halves, so tau doubles"


@pytest.mark.parametrize("values", [{"batch_size": 0}, {"momentum": 1.0}, {"lr": 0.0}, {"batch_size": "big"}])
def test_what_is_no_training_moves_all_the_same(values: dict[str, Value]) -> None:
    old = {**BASE, **values}
    found = {**FOUR, **{name: {"type": "choice", "values": [BASE[name], value]} for name, value in values.items()}}
    for name in FOUR:
        assert set(moved(space_of(found), old, name, 1, 1.0)) == set(FOUR)


def test_learning_rate_and_weight_decay_come_first() -> None:
    found = dict(reversed(FOUR.items()))
    tried = [trial.config for trial in played(DoublingSampler(space_of(found), BASE), lambda config: 0.0, 9)]
    changed = [next(name for name in ("batch_size", "momentum", "lr", "weight_decay") if one[name] != BASE[name])
               for one in tried[1:]]  # fmt: skip
    assert tried[0] == BASE
    assert changed == ["lr"] * 2 + ["weight_decay"] * 2 + ["momentum"] * 2 + ["batch_size"] * 2


@pytest.mark.parametrize("seed", range(6))
def test_whatever_a_running_trial_gives_the_next_setting_runs_already(seed: int) -> None:
    sampler, loss = DoublingSampler(space_of(THREE), CENTRE), a_loss(seed)
    history = played(sampler, loss, 20)
    for count in range(1, 20):
        known, waiting = history[:count], list[PendingTrial]()
        for _ in range(3):
            waiting.append(pending(count + len(waiting), sampler.suggest(known, waiting, count + len(waiting))))
        assert len({key(trial.config) for trial in [*known, *waiting]}) == count + 3
        for outcome in (-1e9, 1e9):
            ended = finished(count, waiting[0].config, outcome)
            needed = sampler.suggest([*known, ended], [], count + 1)
            assert needed in [trial.config for trial in waiting[1:]]


def test_a_start_of_ones_own_is_taken_where_it_is_better() -> None:
    space = space_of(FOUR, start_with=[{"lr": 0.4}, {"lr": 0.8}])
    sampler, own = DoublingSampler(space, BASE), {**BASE, "lr": 0.4}
    history = [finished(0, own, 1.0), finished(1, {**BASE, "lr": 0.8}, 2.0)]
    assert sampler.suggest(history, [], 2) == BASE
    assert sampler.suggest([*history, finished(2, BASE, 3.0)], [], 3) == {**own, "lr": 0.2}
    assert sampler.suggest([*history, finished(2, BASE, 0.5)], [], 3) == {**BASE, "lr": 0.2}


@pytest.mark.parametrize("status", [Status.STOPPED, Status.DIVERGED, Status.FAILED])
def test_what_did_not_run_to_its_end_is_worse_than_all_that_did(status: Status) -> None:
    sampler = DoublingSampler(space_of(FOUR), BASE)
    first, second = finished(0, BASE, 1.0), finished(1, {**BASE, "lr": 0.2}, -9.0, status)
    assert sampler.suggest([first, second], [], 2)["lr"] == 0.05
    assert sampler.suggest([finished(0, BASE, -9.0, status), finished(1, {**BASE, "lr": 0.2}, 1.0)], [], 2)["lr"] == 0.4


def test_the_losses_of_a_setting_that_ran_twice_are_averaged() -> None:
    space = space_of(FOUR, objective={"metric": "val_accuracy", "mode": "max"})
    history = [finished(0, BASE, 1.0), finished(1, BASE, 2.0), finished(2, {**BASE, "lr": 0.2}, math.nan)]
    assert losses(history, space.objective) == {key(BASE): -1.5, key({**BASE, "lr": 0.2}): math.inf}


def test_the_search_says_for_how_long_nothing_has_paid() -> None:
    space, loss = space_of(THREE), a_loss(0)
    history, best, since = played(DoublingSampler(space, CENTRE), loss, 40), math.inf, 0
    for count in range(1, 41):
        value = loss(history[count - 1].config)
        best, since = (value, 0) if value < best else (best, since + 1)
        state = descend(space, [CENTRE], losses(history[:count], space.objective))
        assert state.loss == best and loss(state.config) == best
        assert state.idle >= since


def test_every_setting_of_a_small_space_runs_once() -> None:
    choice = {"type": "choice", "values": ["a", "b", "c"]}
    space = space_of({"one": choice, "other": choice, "n": {"type": "integer", "low": 1, "high": 2}})
    sampler = DoublingSampler(space, {"one": "a", "other": "a", "n": 1})
    everything = {(*pair, n) for *pair, n in product("abc", "abc", (1, 2))}
    assert {tuple(one.config.values()) for one in played(sampler, lambda config: 0.0, 18)} == everything
    waiting: list[PendingTrial] = []
    for number in range(18):
        waiting.append(pending(number, sampler.suggest([], waiting, number)))
    assert {tuple(trial.config.values()) for trial in waiting} == everything
    assert space.active(sampler.suggest([], waiting, 18))


def test_a_parameter_that_comes_to_exist_starts_in_the_middle() -> None:
    space = space_of(CONDITIONAL)
    centre = {"optimizer": "adam", "beta": 0.95, "layers": 8, "width": 8}
    tried = [
        one.config for one in played(DoublingSampler(space, centre), lambda c: -float(c["optimizer"] == "sgd"), 60)
    ]
    momenta = [config["momentum"] for config in tried if config["optimizer"] == "sgd"]
    assert momenta[0] == pytest.approx(0.495) and len(set(momenta)) > 2
    assert all(list(config) == space.active(config) for config in tried)


@pytest.mark.parametrize("lr", [0.01, 0.1, 1.0])
@pytest.mark.parametrize("decay", [1e-5, 1e-4, 1e-3])
def test_it_finds_the_bottom_of_a_bowl(lr: float, decay: float) -> None:
    space = space_of({name: FOUR[name] for name in ("lr", "weight_decay")})
    centre = {"lr": 0.1, "weight_decay": 5e-4}
    history = played(
        DoublingSampler(space, centre),
        lambda c: math.log2(c["lr"] / lr) ** 2 + math.log2(c["weight_decay"] / decay) ** 2,
        60,
    )
    best = min(history, key=lambda trial: trial.objective or 0.0).config
    assert best["lr"] == pytest.approx(lr, rel=0.05) and best["weight_decay"] == pytest.approx(decay, rel=0.05)


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(st.sampled_from("abcd"), parameters, min_size=1, max_size=3), units, st.integers(0, 99))
def test_any_space_will_do(found: dict[str, Parameter], u: float, seed: int) -> None:
    space = space_of(THREE).model_copy(update={"parameters": found})
    centre = space.config_from_units(dict.fromkeys(space.searched, u))
    assume(centre)
    rng = np.random.default_rng(seed)
    for trial in played(DoublingSampler(space, centre), lambda config: float(rng.normal()), 25):
        assert all(space.parameters[name].contains(value) for name, value in trial.config.items())
