import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from hpsearch.errors import RecipeError
from trainer import recipe
from trainer.overrides import parameters, with_overrides
from trainer.recipe import FOLDER, Recipe

MAY_BE_LEFT_OUT = {
    *("optimizer.beta2", "optimizer.epsilon", "optimizer.trust", "model.weight_scale", "trace"),
    *("model.norm.kind", "model.norm.shift", "model.filters"),  # a network with norm that starts as torch has it
}


@pytest.fixture
def post4() -> Recipe:
    return recipe.load("post4_resnet9")


def test_post_4_in_numbers(post4: Recipe) -> None:
    assert post4.schedule.lr.epochs == (0, 5, 24)
    assert post4.schedule.lr.values == (0, 0.4, 0)
    assert parameters(post4) == {
        "lr": 0.4,
        "weight_decay": 5e-4,
        "momentum": 0.9,
        "schedule.peak_epochs": 5,
        "model.name": "resnet9",
        "model.width": 64,
        "model.downsample": "pool",
        "model.extra": "none",
        "model.residual": "L1+L3",
        "model.whitening": None,
        "model.activation": "relu",
        "model.celu_alpha": None,
        "model.norm.kind": "batch",
        "model.norm.scale": "ones",
        "model.norm.shift": True,
        "model.norm.splits": 1,
        "model.norm.momentum": 0.1,
        "model.norm.epsilon": 1e-5,
        "model.norm.precision": "fp32",
        "model.head": "max",
        "model.linear_bias": False,
        "model.logit_scale": 0.125,
        "model.weight_scale": 1.0,
        "model.filters": "default",
        "epochs": 24,
        "batch_size": 512,
        "drop_last": False,
        "optimizer.name": "sgd_nesterov",
        "optimizer.velocity": "scaled",
        "optimizer.norm_bias_lr": 1.0,
        "optimizer.norm_bias_weight_decay": 1.0,
        "optimizer.muon": None,
        "optimizer.beta2": 0.999,
        "optimizer.epsilon": 1e-8,
        "optimizer.trust": None,
        "label_smoothing": 0.0,
        "augment.crop_padding": 4,
        "augment.flip": True,
        "augment.alternate": False,
        "augment.cutout": 8,
        "augment.groups": None,
        "average": None,
        "test_time": "none",
        "precision": "fp16_whole",
        "stop.loss_bound": 20.0,
        "stop.target_accuracy": None,
        "stop.patience": None,
        "stop.max_seconds": None,
    }


def test_the_cpu_proxy_is_post_4_made_small(post4: Recipe) -> None:
    proxy = recipe.load("resnet9_proxy_cpu")
    before, after = parameters(post4), parameters(proxy)
    assert {name for name in after if after[name] != before[name]} == {
        "schedule.peak_epochs", "model.width", "epochs", "batch_size", "augment.cutout", "precision",
    }  # fmt: skip
    assert proxy.data == post4.data.model_copy(update={"train_images": 10_000})


@pytest.mark.parametrize("name", recipe.names())
def test_every_recipe_survives_being_written(name: str, tmp_path: Path) -> None:
    loaded = recipe.load(name)
    file = tmp_path / "copy.yaml"
    file.write_text(loaded.to_yaml())
    assert recipe.load(file) == recipe.load(str(file)) == loaded
    assert recipe.load(json.loads(json.dumps(loaded.model_dump(mode="json")))) == loaded


@pytest.mark.parametrize("name", recipe.names())
def test_no_value_that_is_trained_by_has_a_hidden_default(name: str) -> None:
    """Each leaf of the schema stands in each file, but for those of update rules and records that it does not use."""

    def keys(tree: Any, path: str = "") -> set[str]:
        return {name for key in tree for name in keys(tree[key], f"{path}.{key}")} if isinstance(tree, dict) else {path}

    written, known = keys(yaml.safe_load((FOLDER / f"{name}.yaml").read_text())), keys(recipe.load(name).model_dump())
    assert written <= known
    assert {path.removeprefix(".") for path in known - written} <= MAY_BE_LEFT_OUT


def test_an_unknown_recipe_gets_the_nearest_name() -> None:
    with pytest.raises(RecipeError) as refusal:
        recipe.load("post4_resnet")
    assert "did you mean 'post4_resnet9'?" in str(refusal.value)
    assert "digits_quickstart" in str(refusal.value)


WRONG = [
    # (recipe, text, what a user makes of it, key of the problem, text at its line, part of what is said)
    ("post4_resnet9", "batch_size: 512", "batchsize: 512", "batchsize", "batch_size:", "did you mean 'batch_size'"),
    ("post4_resnet9", "width: 64", "width: 64.5", "model.width", "width: 64", "64.5"),
    ("post4_resnet9", "cutout: 8", "cutout: -1", "augment.cutout", "cutout: 8", "-1"),
    ("post4_resnet9", "velocity: scaled", "velocity: scale", "optimizer.velocity", "velocity", "did you mean 'scaled'"),
    ("post4_resnet9", "[0.0, 0.4, 0.0]", "[0.0, 0.4]", "schedule.lr.values", "lr: {", "one value for each knot"),
    ("post4_resnet9", "[0, 5, 24]", "[0, 5, 25]", "epochs", "epochs: 24", "after the last epoch"),
    ("post4_resnet9", "[62.99, 62.09, 66.70]", "[62.99, 62.09]", "data.std", "std:", "for each channel"),
    ("post4_resnet9", "fp16_whole", "fp16_hole", "precision", "precision: fp16", "did you mean 'fp16_whole'"),
    ("post4_resnet9", "name: resnet9", "name: resnet", "model.name", "name: resnet9", "did you mean 'resnet9'"),
    ("post4_resnet9", "name: resnet9", "depth: 9", "model.name", "model:", "dawn, resnet9"),
    ("post4_resnet9", "name: resnet9", "name: dawn", "model.widths", "widths:", "unknown key 'widths'"),
    ("post4_resnet9", "residual: L1", "residuals: L1", "model.residuals", "residual:", "did you mean 'residual'"),
    ("post4_resnet9", "residual: L1+L3", "residual: L3+L1", "model.residual", "residual:", "L2, L3, L1+L2, L1+L3"),
    ("post4_resnet9", "[2, 4, 8]", "[2, 4]", "model.widths", "widths:", "too short"),
    ("post4_resnet9", "activation: relu", "activation: celu", "model.celu_alpha", "celu_alpha:", "celu needs an alpha"),
    ("post4_resnet9", "celu_alpha: null", "celu_alpha: 0.1", "model.celu_alpha", "celu_alpha:", "relu needs no alpha"),
    ("post4_resnet9", "splits: 1,", "splits: 16,", "model.norm.splits", "norm:", "drop_last: true"),
    ("post8_09_flip_test", "splits: 16", "splits: 24", "model.norm.splits", "norm:", "a divisor of 512 (batch_size)"),
    ("post8_09_flip_test", "splits: 16", "splits: 512", "model.norm.splits", "norm:", "at least 2 images"),
    ("post8_09_flip_test", "batch_size: 512", "batch_size: 500", "model.norm.splits", "norm:", "a divisor of 500"),
    ("post8_09_flip_test", "flip: true, alternate: false", "flip: false, alternate: true", "augment.alternate",
     "augment:", "flip: true"),
    ("post8_09_flip_test", "images: 10000", "images: 0", "model.whitening.images", "whitening:", "greater than"),
    ("post8_09_flip_test", "images: 10000", "image: 1", "model.whitening.image", "whitening:", "did you mean 'images'"),
    ("post8_09_flip_test", "{every: 5, momentum: 0.99}", "0.99", "average", "average:", "a mapping"),
    ("post8_09_flip_test", "test_time: flip", "test_time: flips", "test_time", "test_time:", "did you mean 'flip'"),
    ("post1_baseline", "branches: true", "branch: true", "model.branch", "branches:", "did you mean 'branches'"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new", "key", "stands_at", "said"), WRONG)
def test_a_wrong_value_is_shown_where_it_stands(
    name: str, old: str, new: str, key: str, stands_at: str, said: str, tmp_path: Path
) -> None:
    text = (FOLDER / f"{name}.yaml").read_text()
    assert text.count(old) == 1
    file = tmp_path / "wrong.yaml"
    file.write_text(text.replace(old, new))
    with pytest.raises(RecipeError) as refusal:
        recipe.load(file)
    problem = next(problem for problem in refusal.value.problems if problem.key == key)
    assert (problem.file, problem.line) == (file, text[: text.index(stands_at)].count("\n") + 1)
    assert said in str(problem)


def test_wrong_values_that_come_from_no_file_are_named(post4: Recipe) -> None:
    values = post4.model_dump(mode="json") | {"batch_size": 1, "epoch": 3, "precision": "bf61"}
    del values["drop_last"]
    with pytest.raises(RecipeError) as refusal:
        recipe.load(values)
    said = {problem.key: str(problem) for problem in refusal.value.problems}
    assert said.keys() == {"recipe.batch_size", "recipe.epoch", "recipe.precision", "recipe.drop_last"}
    assert "did you mean 'epochs'?" in said["recipe.epoch"]
    assert "did you mean 'bf16'?" in said["recipe.precision"]
    assert "greater than or equal to 2" in said["recipe.batch_size"]


def test_overrides(post4: Recipe) -> None:
    changed = with_overrides(
        post4,
        {"lr": 0.8, "weight_decay": 1e-3, "momentum": 0.8, "batch_size": 128, "augment.cutout": 4, "data.held_out": 9},
    )
    assert changed.schedule.lr.values == (0, 0.8, 0)
    assert changed.schedule.weight_decay.values == (1e-3,)
    assert changed.schedule.momentum.values == (0.8,)
    assert (changed.batch_size, changed.augment.cutout, changed.data.held_out) == (128, 4, 9)
    untouched = {"about", "model", "epochs", "optimizer", "precision", "stop", "expect"}
    assert changed.model_dump(include=untouched) == post4.model_dump(include=untouched)


def test_setting_every_parameter_to_its_value_changes_nothing(post4: Recipe) -> None:
    assert with_overrides(post4, parameters(post4)) == post4
    assert with_overrides(post4, {}) == post4


def test_epochs_stretch_the_schedule_before_its_peak_is_moved(post4: Recipe) -> None:
    assert with_overrides(post4, {"epochs": 12}).schedule.lr.epochs == (0, 2.5, 12)
    assert post4.at_length(48).schedule.lr.epochs == (0, 10, 48)
    both = with_overrides(post4, {"schedule.peak_epochs": 3, "epochs": 12})
    assert both.schedule.lr.epochs == (0, 3, 12)
    assert both.epochs == 12


@pytest.mark.parametrize("length", [1, 5, 7, 23, 113])
def test_any_length_is_a_valid_recipe(post4: Recipe, length: int) -> None:
    assert with_overrides(post4.at_length(length), {"lr": 0.1}).epochs == length


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"learning_rate": 0.1}, "unknown parameter"),
        ({"augment.cut_out": 4}, "did you mean 'augment.cutout'?"),
        ({"augment": 4}, "unknown parameter"),
        ({"lr": 0}, "lr"),
        ({"lr": "high"}, "'high'"),
        ({"lr": True}, "True"),
        ({"momentum": 1.0}, "momentum"),
        ({"weight_decay": -1e-4}, "weight_decay"),
        ({"weight_decay": float("nan")}, "weight_decay"),
        ({"batch_size": 128.0}, "batch_size"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 1}, "batch_size"),
        ({"epochs": 0}, "epochs"),
        ({"schedule.peak_epochs": 24}, "below 24"),
        ({"schedule.peak_epochs": 0}, "schedule.peak_epochs"),
        ({"augment.flip": 1}, "augment.flip"),
        ({"stop.target_accuracy": 94}, "stop.target_accuracy"),
    ],
)
def test_refuses_a_wrong_override(post4: Recipe, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError) as refusal:
        with_overrides(post4, changes)
    assert said in str(refusal.value)
    assert next(iter(changes)) in str(refusal.value)


def test_a_peak_at_the_end_is_no_parameter(post4: Recipe) -> None:
    falling = post4.schedule.lr.model_copy(update={"epochs": (0.0, 24.0), "values": (0.4, 0.0)})
    schedule = post4.schedule.model_copy(update={"lr": falling})
    with pytest.raises(RecipeError, match="unknown parameter"):
        with_overrides(post4.model_copy(update={"schedule": schedule}), {"schedule.peak_epochs": 3})
