"""From a search's names to the training function's, and what is known of a run."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.contract import Config, Description
from hpsearch.errors import SpaceError
from hpsearch.space.coordinate_spec import CoordinateSpec
from hpsearch.space.load import LoadedSpace, check
from hpsearch.space.spec import Space
from hpsearch.space.translation import Translation
from hpsearch.typed_yaml import loads, parse
from tests.space.examples import make_space

REFERENCE = {"lr": 0.4, "weight_decay": 5e-4, "batch_size": 512.0, "momentum": 0.9}
POST_4 = CoordinateSpec(optimizer="sgd_nesterov", examples=50_000, epochs=24, reference=REFERENCE)
ADAMW = POST_4.model_copy(update={"optimizer": "adamw"})
DESCRIPTION: Description = {
    "parameters": {**REFERENCE, "width": 8},
    "optimizer": "sgd_nesterov",
    "examples": 50_000,
    "epochs": 24,
}

specs = st.sampled_from([POST_4, ADAMW])
positive = st.floats(1e-4, 1e4)
hyper = st.fixed_dictionaries(
    {"rate": positive, "tau": positive, "batch_size": st.integers(1, 4096), "momentum": st.floats(0, 0.999)}
)


def test_what_is_known_of_the_recipe_of_post_4() -> None:
    found = Translation(POST_4).quantities({})
    assert (found.lr, found.weight_decay, found.batch_size, found.momentum) == (0.4, 5e-4, 512, 0.9)
    assert found.rate == pytest.approx(0.4 / 51.2)
    assert found.tau == pytest.approx(0.2133, abs=1e-4)
    assert found.ratio == pytest.approx(800)
    assert found.noise == pytest.approx(390.625)


@given(specs, hyper)
def test_the_function_gets_the_hyperparameters_that_have_the_coordinates(spec: CoordinateSpec, config: Config) -> None:
    translation = Translation(spec)
    given_to_it = translation.for_function({**config, "width": 8})
    names = {"rate": "lr", "tau": "weight_decay"}
    assert list(given_to_it) == [*(names.get(name, name) for name in config), "width"]
    there, here = vars(translation.quantities(given_to_it)), vars(translation.quantities(config))
    assert there.pop("noise") == (here.pop("noise") and pytest.approx(config["rate"] * 50_000))
    assert there == pytest.approx(here, rel=1e-9)
    assert (here["rate"], here["tau"]) == (config["rate"], config["tau"])


@given(specs, hyper)
def test_a_mixture_of_both_sides(spec: CoordinateSpec, config: dict[str, Any]) -> None:
    translation = Translation(spec)
    raw = translation.for_function(config)
    rest = {name: config[name] for name in ("batch_size", "momentum")}
    assert translation.for_function({"lr": raw["lr"], "tau": config["tau"], **rest}) == pytest.approx(raw, rel=1e-9)
    mixed = translation.for_function({"rate": config["rate"], "weight_decay": 0.1, **rest})
    assert mixed == {**raw, "weight_decay": 0.1}


def test_raw_configurations_are_left_alone() -> None:
    config = {"lr": 0.1, "batch_size": "auto", "width": 8}
    assert Translation(POST_4).for_function(config) is config
    own = {"rate": 0.1, "tau": 3}
    assert Translation(CoordinateSpec()).for_function(own) is own, "no study in coordinates lacks an optimizer"
    assert Translation(CoordinateSpec(rate=None, tau=None)).for_function({"rate": 1, "tau": 2}) == {"rate": 1, "tau": 2}


def test_the_roles_may_have_other_names() -> None:
    names = {"lr": "learning_rate", "weight_decay": "optim.decay", "batch_size": "n", "rate": "speed"}
    translation = Translation(POST_4.model_copy(update=names))
    given_to_it = translation.for_function({"speed": 0.01, "tau": 0.2, "n": 100, "rate": 5})
    assert given_to_it == {
        "learning_rate": pytest.approx(0.01 * 0.1 * 100),
        "optim.decay": pytest.approx(1 / (0.2 * 0.01 * 50_000 * 24)),
        "n": 100,
        "rate": 5,
    }


def test_tau_is_a_share_of_the_run_whatever_its_length() -> None:
    translation = Translation(POST_4)
    usual = translation.for_function({"tau": 0.2})["weight_decay"]
    for config, epochs in (({"tau": 0.2, "epochs": 12}, None), ({"tau": 0.2}, 12), ({"tau": 0.2, "epochs": 99}, 12)):
        assert translation.for_function(config, epochs)["weight_decay"] == pytest.approx(2 * float(usual))


def test_what_is_not_known_is_none() -> None:
    unknown = Translation(CoordinateSpec())
    assert set(vars(unknown.quantities({})).values()) == {None}
    found = unknown.quantities({"lr": 0.1, "weight_decay": 0.01, "batch_size": 8, "momentum": 0.9})
    assert (found.lr, found.ratio, found.rate, found.tau, found.noise) == (0.1, pytest.approx(10), None, None, None)
    no_length = Translation(POST_4.model_copy(update={"examples": None})).quantities({})
    assert no_length.rate is not None and (no_length.tau, no_length.noise) == (None, None)
    assert Translation(ADAMW).quantities({}).noise is None
    for odd in ({"momentum": 1.0}, {"batch_size": "auto"}, {"batch_size": 0}):
        assert Translation(POST_4).quantities(odd).rate is None
    still = Translation(POST_4).quantities({"weight_decay": 0})
    assert (still.tau, still.ratio) == (math.inf, math.inf)


def test_what_the_file_leaves_out_the_training_function_says() -> None:
    assert CoordinateSpec().resolved(DESCRIPTION) == POST_4
    said = CoordinateSpec(optimizer="adamw", examples=10, epochs=1.5, reference={"lr": 0.1})
    found = said.resolved(DESCRIPTION)
    assert (found.optimizer, found.examples, found.epochs) == ("adamw", 10, 1.5)
    assert found.reference == {**REFERENCE, "lr": 0.1}
    assert found.resolved(DESCRIPTION) == found, "a study that goes on keeps what it has"
    assert CoordinateSpec().resolved({}) == CoordinateSpec()


def test_a_name_that_the_function_has_is_no_coordinate() -> None:
    parameters = {"rate": 0.1, "tau": None, "lr": math.inf, "momentum": "none", "batch_size": True}
    found = CoordinateSpec().resolved({"parameters": parameters})
    assert (found.rate, found.tau, found.reference) == (None, None, {})


def test_a_resolved_space_survives_json() -> None:
    space = make_space().with_coordinates(POST_4)
    assert Space.restore(space.dump()) == space


RATE = "rate: {type: real, low: 1.0e-3, high: 1, scale: log}"
TAU = "tau: {type: real, low: 0.01, high: 1, scale: log}"
NOTHING: Description = {}
NO_REFERENCE: Description = {"optimizer": "sgd", "examples": 10, "epochs": 1}


def checked(description: Description, *parameters: str, block: str = "{}") -> list[str]:
    """Return the problems of a space as "line key: what [got] hint"."""
    lines = ["objective: {metric: a, mode: min}", "budget: {trials: 1}", f"coordinates: {block}", "parameters:"]
    document = loads("\n".join([*lines, *(f"  {line}" for line in parameters)]), SpaceError)
    space = parse(Space, document, SpaceError)
    space = space.with_coordinates(space.coordinates.resolved(description))
    try:
        check(LoadedSpace(space, document), description)
    except SpaceError as error:
        return [f"{one.line} {one.key}: {one.what} [{one.got}] {one.hint}" for one in error.problems]
    return []


def test_good_spaces_have_no_problems() -> None:
    assert checked(DESCRIPTION, RATE, TAU, "momentum: {type: real, low: 0.5, high: 0.99, scale: log1m}") == []
    assert checked(DESCRIPTION, RATE, "weight_decay: {type: real, low: 0, high: 1}") == []
    assert checked(DESCRIPTION, "lr: {type: real, low: 0.1, high: 1}", TAU) == []
    assert checked(DESCRIPTION, "lr: {type: real, low: 0, high: 1}", "momentum: {type: real, low: 0, high: 1}") == []
    assert checked(NOTHING, "rate: {type: constant, value: a}", block="{rate: null}") == []
    assert checked({"parameters": {"rate": "a", "lr": 1}}, "rate: {type: constant, value: a}", "lr: " + RATE[5:]) == []
    adamw = "{optimizer: adamw, reference: {batch_size: 8}}"
    assert checked(NOTHING, RATE, block=adamw) == [], "the momentum of AdamW is in neither coordinate"


@pytest.mark.parametrize(
    ("description", "parameters", "block", "said"),
    [
        (DESCRIPTION, [RATE, "lr: " + RATE[5:]], "{}", "5 parameters.rate: 'rate' and 'lr' contradict"),
        (NOTHING, [TAU, "weight_decay: " + RATE[5:]], "{}", "'tau' and 'weight_decay' contradict"),
        (DESCRIPTION, [RATE, "r: " + RATE[5:]], "{lr: r}", "'rate' and 'r' contradict"),
        (NO_REFERENCE, [RATE], "{}", "the batch_size of a run is not known [None] add parameters: {batch_size:"),
        (NO_REFERENCE, [RATE], "{}", "the momentum of a run is not known"),
        (NO_REFERENCE, [TAU], "{}", "the lr of a run is not known"),
        (NOTHING, [RATE], "{}", "the optimizer of a run is not known [None] add coordinates: {optimizer: ...}"),
        ({"epochs": 1}, [TAU], "{}", "the examples of a run is not known"),
        (NOTHING, [TAU], "{}", "tau cannot be computed: the epochs of a run is not known"),
        (DESCRIPTION, [RATE, "momentum: {type: real, low: 0, high: 1}"], "{}", "6 parameters.momentum: rate cannot"),
        (DESCRIPTION, [RATE, "batch_size: {type: choice, values: [8, auto]}"], "{}", "with this batch_size [auto]"),
        (DESCRIPTION, ["rate: {type: real, low: 0, high: 1}"], "{}", "with this rate [0.0]"),
        (DESCRIPTION, [TAU, "lr: {type: real, low: 0, high: 1}"], "{}", "with this lr [0.0]"),
        (DESCRIPTION, [TAU, "epochs: {type: integer, low: 0, high: 2}"], "{}", "with this epochs [0]"),
        (NO_REFERENCE, [RATE], "{reference: {batch_size: 8, momentum: 1}}", "3 coordinates.reference.momentum: "),
        (DESCRIPTION, [RATE], "{reference: {batch_size: 8}}", "another batch_size where the space does not set it [8]"),
        (DESCRIPTION, ["width: " + RATE[5:]], "{lr: widht}", "3 coordinates.lr: neither the space nor"),
        (DESCRIPTION, ["width: " + RATE[5:]], "{lr: widht}", "did you mean 'width'?"),
        ({"parameters": {"batch_size": 1, "momentum": 0}}, [RATE], "{}", "rate stands for lr, which the training"),
        (DESCRIPTION, ["rates: " + RATE[5:]], "{}", "no parameter 'rates' [rates]"),
    ],
)
def test_problems_are_found_before_anything_runs(
    description: Description, parameters: list[str], block: str, said: str
) -> None:
    found = checked(description, *parameters, block=block)
    assert any(said in one for one in found), found


def test_a_role_that_is_not_always_there_needs_a_reference() -> None:
    sometimes = ["batch_size: {type: choice, values: [8], when: {big: true}}", "big: {type: choice, values: [true]}"]
    (found,) = checked({**NO_REFERENCE}, RATE, *sometimes, block="{reference: {momentum: 0.5}}")
    assert "the batch_size of a run is not known" in found
    assert checked(NO_REFERENCE, RATE, *sometimes, block="{reference: {momentum: 0.5, batch_size: 4}}") == []
