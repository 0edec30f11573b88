from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.errors import RecipeError
from trainer import recipe
from trainer.recipe import Recipe
from trainer.techniques import TECHNIQUES, nested, techniques, without


def everything() -> Recipe:
    """Post 8 with all that there is."""
    values = recipe.load("post8_09_flip_test").model_dump(mode="json")
    values["augment"] = {"crop_padding": 4, "flip": True, "alternate": True, "cutout": 8, "groups": 200}
    values["model"] |= {"extra": "L2", "filters": "dirac"}
    values["model"]["whitening"] |= {"bias_share": 0.5}
    values["optimizer"]["muon"] = {"lr": 0.2, "momentum": 0.6, "iterations": 5}
    return recipe.load(values | {"test_time": "crops"})


RECIPES = {"everything": everything(), **{n: recipe.load(n) for n in ("post8_09_flip_test", "post4_resnet9", "speed")}}

REMOVED: dict[str, dict[str, tuple[Any, Any]]] = {
    "crop": {"augment.crop_padding": (4, 0)},
    "flip": {"augment.flip": (True, False), "augment.alternate": (True, False)},
    "alternating_flip": {"augment.alternate": (True, False)},
    "cutout": {"augment.cutout": (8, 0)},
    "grouped_choices": {"augment.groups": (200, None)},
    "label_smoothing": {"label_smoothing": (0.2, 0.0)},
    "smooth_activation": {"model.activation": ("celu", "relu"), "model.celu_alpha": (0.3, None)},
    "pool_first": {"model.downsample": ("pool_before_norm", "pool")},
    "extra": {"model.extra": ("L2", "none")},
    "residual": {"model.residual": ("L1+L3", "none")},
    "whitening": {
        "model.whitening": (
            {"patch": 3, "images": 10000, "epsilon": 0.01, "mirrored": False, "mix": True, "bias_share": 0.5},
            None,
        )
    },
    "whitening_bias": {"model.whitening.bias_share": (0.5, 0.0)},
    "dirac": {"model.filters": ("dirac", "default")},
    "ghost_norm": {"model.norm.splits": (16, 1)},
    "frozen_scales": {
        "model.norm.scale": ("frozen", "ones"),
        "optimizer.norm_bias_lr": (64.0, 1.0),
        "optimizer.norm_bias_weight_decay": (1 / 64, 1.0),
    },
    "bias_rates": {"optimizer.norm_bias_lr": (64.0, 1.0), "optimizer.norm_bias_weight_decay": (1 / 64, 1.0)},
    "muon": {"optimizer.muon": ({"lr": 0.2, "momentum": 0.6, "iterations": 5}, None)},
    "warm_up": {"schedule.lr.epochs": ([0, 2, 8], [0, 8]), "schedule.lr.values": ([0, 1, 0.1], [1, 0.1])},
    "lr_floor": {"schedule.lr.epochs": ([0, 2, 8], [0, 2, 10]), "schedule.lr.values": ([0, 1, 0.1], [0, 1, 0])},
    "weight_average": {"average": ({"every": 5, "momentum": 0.99}, None)},
    "crops_test": {"test_time": ("crops", "flip")},
    "test_time": {"test_time": ("crops", "none")},
}


def differences(old: Any, new: Any, path: str = "") -> dict[str, tuple[Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        assert old.keys() == new.keys()
        inner = [differences(old[key], new[key], f"{path}.{key}") for key in old]
        return {key: pair for found in inner for key, pair in found.items()}
    return {} if old == new else {path.removeprefix("."): (old, new)}


def changed(before: Recipe, after: Recipe) -> dict[str, tuple[Any, Any]]:
    return differences(before.model_dump(mode="json"), after.model_dump(mode="json"))


@pytest.mark.parametrize("name", REMOVED)
def test_what_a_recipe_is_without_a_technique(name: str) -> None:
    assert changed(RECIPES["everything"], without(RECIPES["everything"], [name])) == REMOVED[name]


def test_every_technique_can_be_switched_on() -> None:
    assert [*techniques(RECIPES["everything"])] == [technique.name for technique in TECHNIQUES]
    assert REMOVED.keys() == techniques(RECIPES["everything"]).keys()


def test_only_techniques_that_are_used_are_named() -> None:
    assert techniques(RECIPES["post4_resnet9"]).keys() == {"crop", "flip", "cutout", "residual", "warm_up"}
    assert techniques(recipe.load("post1_baseline")).keys() == {"crop", "flip", "warm_up"}
    post8 = techniques(RECIPES["post8_09_flip_test"]).keys()
    assert REMOVED.keys() - post8 == {
        "alternating_flip", "cutout", "extra", "whitening_bias", "dirac", "muon", "crops_test",
    }  # fmt: skip


@pytest.mark.parametrize("name", RECIPES)
@given(data=st.data())
def test_any_techniques_can_be_removed_in_any_order(name: str, data: st.DataObject) -> None:
    """The result is valid (``without`` validates), does not depend on the order, and uses none of what is gone."""
    chosen = RECIPES[name]
    unwanted = data.draw(st.lists(st.sampled_from([*techniques(chosen)]), unique=True))
    reduced = without(chosen, unwanted)
    assert reduced == without(chosen, data.draw(st.permutations(unwanted)))
    assert not techniques(reduced).keys() & set(unwanted)
    assert techniques(reduced).keys() <= techniques(chosen).keys()


@pytest.mark.parametrize("name", RECIPES)
def test_nested_techniques_are_those_that_go_with_another(name: str) -> None:
    chosen = RECIPES[name]
    pairs = {(inner, outer) for outer in techniques(chosen) for inner in gone_with(chosen, outer)}
    assert {(one.name, one.inside) for one in nested(chosen)} == pairs
    assert len(pairs) == {"everything": 4, "post8_09_flip_test": 1, "post4_resnet9": 0, "speed": 4}[name]


def gone_with(chosen: Recipe, outer: str) -> set[str]:
    """The techniques whose removal changes nothing any more without ``outer``."""
    left = without(chosen, [outer])
    return {inner for inner in techniques(chosen) if inner != outer and without(chosen, [outer, inner]) == left}


def test_what_lies_inside_another_stands_alone_where_that_is_not_used() -> None:
    values = recipe.load("post4_resnet9").model_dump(mode="json")
    values["optimizer"] |= {"norm_bias_lr": 64.0}
    assert "bias_rates" in techniques(recipe.load(values)) and nested(recipe.load(values)) == []


@pytest.mark.parametrize("name", RECIPES)
def test_without_any_two(name: str) -> None:
    """All that changes without two techniques changes without one of them, but what they both change."""
    chosen = RECIPES[name]
    for one, other in combinations(techniques(chosen), 2):
        both, single = changed(chosen, without(chosen, [one, other])), {}
        for alone in (one, other):
            single |= changed(chosen, without(chosen, [alone]))
        if {one, other} in ({"whitening", "whitening_bias"},):
            single.pop("model.whitening.bias_share")  # there is no bias of a layer that is gone
        assert both.keys() == single.keys()


def test_without_all_of_them_a_plain_network_is_left() -> None:
    plain = without(RECIPES["everything"], techniques(RECIPES["everything"]))
    assert techniques(plain) == {}
    assert plain.schedule.lr.epochs == (0, 10)
    assert plain.schedule.lr.values == (1, 0)
    assert plain.model.norm.splits == 1


@pytest.mark.parametrize(
    ("epochs", "values", "left"),
    [
        ([0], [0.4], ([0, 10], [0.4, 0])),
        ([0, 4], [0.0, 0.4], ([0, 4, 10], [0, 0.4, 0])),
        ([0, 4, 10], [0.0, 0.4, 0.1], ([0, 4, 10], [0, 0.4, 0])),
        ([0, 4, 10], [0.0, 0.4, 0.4], ([0, 4, 10], [0, 0.4, 0.4])),  # at its peak to the end: there is no floor
        ([0, 4, 6], [0.0, 0.4, 0.4], ([0, 4, 6, 10], [0, 0.4, 0.4, 0])),
    ],
)
def test_a_schedule_without_a_floor(epochs: list[float], values: list[float], left: Any) -> None:
    made = RECIPES["everything"].model_dump(mode="json")
    made["schedule"]["lr"] = {"epochs": epochs, "values": values}
    chosen = recipe.load(made)
    lr = without(chosen, techniques(chosen).keys() & {"lr_floor"}).schedule.lr
    assert ([*lr.epochs], [*lr.values]) == left


def test_an_unknown_technique_gets_the_nearest_name() -> None:
    with pytest.raises(RecipeError) as refusal:
        without(RECIPES["post4_resnet9"], ["cut_out", "muon"])
    first, second = refusal.value.problems
    assert (first.what, first.key, first.hint) == ("unknown technique", "cut_out", "did you mean 'cutout'?")
    assert (second.key, second.allowed) == ("muon", "crop, flip, cutout, residual, warm_up")
