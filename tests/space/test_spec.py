import json
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.contract import Config
from hpsearch.errors import SpaceError
from hpsearch.space.blocks import Objective, Resources, SamplerSpec, Stopping
from hpsearch.space.spec import Space
from tests.space.examples import CONDITIONAL, LR, make_space, parameters, units

names = st.sampled_from(["sgd", "adam", "lamb"])


def expected_names(config: Config) -> list[str]:
    """The conditions of CONDITIONAL, written out."""
    sgd = config["optimizer"] == "sgd"
    active = {
        "momentum": sgd,
        "nesterov": sgd,
        "optimizer": True,
        "beta": not sgd,
        "damping": sgd and config["nesterov"] is False,
        "layers": True,
        "width": True,
    }
    return [name for name, exists in active.items() if exists]


@given(st.lists(units, min_size=6, max_size=6))
def test_a_configuration_has_the_active_parameters_in_declared_order(point: list[float]) -> None:
    space = make_space(CONDITIONAL)
    config = space.config_from_units(dict(zip(space.searched, point, strict=True)))
    assert list(config) == expected_names(config)
    assert all(space.parameters[name].contains(value) for name, value in config.items())
    assert space.active(config) == list(config)


def test_a_unit_has_the_same_meaning_whatever_the_others_are() -> None:
    space = make_space(CONDITIONAL)
    units = dict.fromkeys(space.searched, 0.0)
    for optimizer in (0.0, 0.5, 0.9):
        point = units | {"layers": 0.5, "optimizer": optimizer}
        assert space.config_from_units(point)["layers"] == 6  # the geometric middle of 0.5 .. 64.5, rounded


def test_searched_parameters_are_those_that_are_not_constant() -> None:
    assert make_space(CONDITIONAL).searched == ["momentum", "nesterov", "optimizer", "beta", "damping", "layers"]


def test_a_condition_tells_true_from_one() -> None:
    space = make_space(
        {
            "flag": {"type": "choice", "values": [False, True]},
            "a": {"type": "real", "low": 0, "high": 1, "when": {"flag": True}},
            "count": {"type": "integer", "low": 0, "high": 1},
            "b": {"type": "real", "low": 0, "high": 1, "when": {"count": 1}},
        }
    )
    assert space.active({"flag": True, "count": 0, "a": 0.1}) == ["flag", "a", "count"]
    assert space.active({"flag": False, "count": 1, "b": 0.1}) == ["flag", "count", "b"]


@given(st.dictionaries(st.sampled_from(["lr", "augment.cutout", "a_1"]), parameters, min_size=1), st.integers(0, 2**70))
def test_a_space_survives_json(found: dict[str, object], seed: int) -> None:
    space = make_space(seed=seed).model_copy(update={"parameters": found})
    assert Space.restore(json.loads(json.dumps(space.dump()))) == space


def test_everything_in_a_full_space_survives_json() -> None:
    space = make_space(
        CONDITIONAL,
        goal="g",
        train={"function": "a.py:b", "data": "digits", "nested": {"x": [1, None, "y"]}},
        objective={"metric": "val_accuracy", "mode": "max", "target": 0.94, "bound": 0},
        sampler={"name": "gp", "startup_trials": 4},
        stopping={"rule": "median", "grace": 1},
        budget={"trials": 3, "hours": 0.5},
        start_with=[{"optimizer": "sgd", "momentum": 0.9}, {}],
        resources={"cpus": 2, "gpus": 0.25},
        seed=3,
    )
    assert Space.restore(json.loads(json.dumps(space.dump()))) == space
    assert space.train.settings == {"data": "digits", "nested": {"x": [1, None, "y"]}}


def test_defaults() -> None:
    space = make_space()
    assert space.train.function == "trainer.objective:train"
    assert space.train.settings == {}
    assert (space.sampler, space.stopping) == (SamplerSpec(name="hpsearch"), Stopping(rule="none", grace=0.5))
    assert (space.resources, space.seed, space.start_with) == (Resources(cpus=1, gpus="auto"), 0, ())
    assert space.budget.hours is None


def test_a_restored_space_names_what_is_wrong() -> None:
    with pytest.raises(SpaceError, match="unknown key 'sampeler'"):
        make_space(sampeler={"name": "tpe"})


def test_settings_may_have_any_name() -> None:
    settings = {"settings": 1, "copy": 2, "model_fields": 3}
    assert make_space(train=settings).train.settings == settings


def test_a_condition_on_a_constant_may_fail() -> None:
    space = make_space({"lr": LR | {"when": {"mode": "a"}}, "mode": {"type": "constant", "value": "b"}})
    assert space.config_from_units({"lr": 0.5}) == {"mode": "b"}


@pytest.mark.parametrize(("mode", "best", "worst"), [("min", 1.0, 2.0), ("max", 2.0, 1.0)])
def test_better_follows_the_mode(mode: Literal["min", "max"], best: float, worst: float) -> None:
    objective = Objective(metric="a", mode=mode)
    assert objective.better(best, worst) and not objective.better(worst, best)
    assert not objective.better(best, best), "an equal value is not better"
    assert objective.better(worst, None), "the first there is"
    assert objective.loss(best) < objective.loss(worst)
