"""The block ``fidelity:`` and what a setting means in a shorter run."""

import pytest

from hpsearch.errors import SpaceError
from hpsearch.space.load import LoadedSpace, check
from hpsearch.space.spec import Space
from hpsearch.space.translation import Translation
from hpsearch.typed_yaml import loads, parse
from tests.space.examples import make_space

RUN = {"optimizer": "sgd", "examples": 1000, "epochs": 18, "reference": {"weight_decay": 5e-4}}


def fidelity(*epochs, keep="tau"):
    return {"epochs": list(epochs), "keep": keep}


def translation(parameters=None, keep="tau", **run):
    space = make_space(parameters, fidelity=fidelity(2, 18, keep=keep), coordinates={**RUN, **run})
    return Translation.of(space)


def test_a_shorter_run_has_more_weight_decay_so_that_it_forgets_in_the_same_share():
    lr, decay = {"type": "real", "low": 0.1, "high": 1}, {"type": "constant", "value": 1e-3}
    of = translation({"lr": lr, "weight_decay": decay})
    config = {"lr": 0.4, "weight_decay": 1e-3}
    assert of.for_function(config, 2) == pytest.approx({"lr": 0.4, "weight_decay": 9e-3})
    assert of.for_function(config, 18) == of.for_function(config) == config
    run = {"batch_size": 100, "momentum": 0.9}
    short = of.quantities({**of.for_function(config, 2), **run}, 2)
    assert short.tau == pytest.approx(of.quantities({**config, **run}).tau)


def test_a_weight_decay_that_is_not_searched_is_the_functions_own():
    assert translation().for_function({"lr": 0.4}, 2) == pytest.approx({"lr": 0.4, "weight_decay": 4.5e-3})
    assert translation(keep="weight_decay").for_function({"lr": 0.4}, 2) == {"lr": 0.4}


def test_tau_is_held_where_it_is_searched_and_let_go_where_the_weight_decay_is_kept():
    config = {"rate": 0.01, "tau": 0.2, "batch_size": 100, "momentum": 0.9}
    held, let_go = translation(), translation(keep="weight_decay")
    assert held.quantities(held.for_function(config, 2), 2).tau == pytest.approx(0.2)
    assert let_go.for_function(config, 2) == held.for_function(config, 18) == let_go.for_function(config)


def test_the_length_of_a_full_run_is_the_last_one_where_nobody_says_it():
    of = translation(epochs=None)
    assert of.for_function({"lr": 0.4}, 2)["weight_decay"] == pytest.approx(4.5e-3)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("fidelity: {epochs: [2, 6, 6]}", "the lengths must increase"),
        ("fidelity: {epochs: [6, 2]}", "epochs: [2, 6]"),
        ("fidelity: {epochs: []}", "fidelity.epochs"),
        ("fidelity: {epochs: [0, 2]}", "fidelity.epochs"),
        ("fidelity: {epochs: [2, 19]}", "longer than a full run of the training function"),
        ("fidelity: {epochs: [2, 18], keep: lr}", "tau or weight_decay"),
        ("fidelity: {epochs: [2, 18]}\nstopping: {rule: median}", "stopped early has not come down its schedule"),
        ("budget: {trials: 4, repeats: 4}", "every trial is a repeat"),
        ("budget: {trials: 4, repeats: often}", "budget.repeats"),
        ("budget: {trials: 4, repeats: -1}", "budget.repeats"),
    ],
)
def test_mistakes_are_named_with_their_place(block, message):
    text = (
        f"parameters: {{lr: {{type: real, low: 0.1, high: 1}}}}\nobjective: {{metric: val_loss, mode: min}}\n{block}\n"
    )
    text += "" if "budget" in block else "budget: {trials: 4}\n"
    with pytest.raises(SpaceError) as caught:
        document = loads(text, SpaceError)
        space = parse(Space, document, SpaceError)
        description = {"epochs": 18, "parameters": {"lr": 0.1, "weight_decay": 5e-4}}
        resolved = space.with_coordinates(space.coordinates.resolved(description))
        check(LoadedSpace(resolved, document), description)
    assert message in str(caught.value)


def test_epochs_as_a_parameter_and_shorter_runs_contradict_each_other():
    with pytest.raises(SpaceError, match="sets the length of a run as well"):
        make_space({"epochs": {"type": "choice", "values": [1, 2]}}, fidelity=fidelity(1, 2))


def test_tau_cannot_be_kept_where_no_weight_decay_is_known():
    space = make_space(fidelity=fidelity(1, 2))
    document = loads("fidelity: {epochs: [1, 2]}", SpaceError)
    with pytest.raises(SpaceError, match="not known which weight_decay"):
        check(LoadedSpace(space, document), {"parameters": {"lr": 0.1}})
    check(LoadedSpace(make_space(fidelity=fidelity(1, 2, keep="weight_decay")), document), {"parameters": {"lr": 0.1}})
