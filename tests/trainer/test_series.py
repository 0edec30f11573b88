"""The recipes tell the story of the series: from one to the next, what is declared here changes and nothing else."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import pytest

from trainer import recipe
from trainer.series import STORY, Chapter, in_order

Changes = dict[str, tuple[Any, Any]]
RECIPES = [row for row in STORY if isinstance(row, str)]
ABSENT = "absent"

TEXTS = {"about", "post", "expect", "evidence"}
"""Keys that do not say how to train."""

EPOCHS, PEAK, LAST = "schedule.lr.epochs.1", "schedule.lr.values.1", "schedule.lr.epochs.2"

STEPS: dict[tuple[str, str], Changes] = {
    ("post1_baseline", "post2_batch512"): {
        "batch_size": (128, 512),
        "schedule.lr.values.1": (0.1, 0.44),
    },
    ("post2_batch512", "post3_1_fast_norm"): {"model.norm.precision": ("network", "fp32")},
    ("post3_1_fast_norm", "post3_2_cutout"): {
        "augment.cutout": (0, 8),
        "epochs": (35, 30),
        EPOCHS: (15, 8),
        "schedule.lr.epochs.3": (35, ABSENT),
        PEAK: (0.44, 0.4),
        "schedule.lr.values.2": (0.005, 0),
        "schedule.lr.values.3": (0, ABSENT),
    },
    ("post3_2_cutout", "post3_3_batch768"): {"batch_size": (512, 768), PEAK: (0.4, 0.6)},
    ("post3_3_batch768", "post4_1_shortcut"): {
        "batch_size": (768, 512),
        "model.branches": (True, False),
        "epochs": (30, 20),
        EPOCHS: (8, 4),
        LAST: (30, 20),
        PEAK: (0.6, 0.4),
    },
    ("post4_1_shortcut", "post4_2_one_norm"): {
        "model.name": ("dawn", "resnet9"),
        "model.branches": (False, ABSENT),
        "model.widths.0": (ABSENT, 2),
        "model.widths.1": (ABSENT, 4),
        "model.widths.2": (ABSENT, 4),
        "model.downsample": (ABSENT, "conv1x1"),
        "model.extra": (ABSENT, "none"),
        "model.residual": (ABSENT, "none"),
        "model.whitening": (ABSENT, None),
        "model.head": (ABSENT, "concat"),
        "model.linear_bias": (ABSENT, True),
    },
    ("post4_2_one_norm", "post4_3_conv3x3"): {"model.downsample": ("conv1x1", "conv3x3")},
    ("post4_3_conv3x3", "post4_4_pool"): {"model.downsample": ("conv3x3", "pool")},
    ("post4_4_pool", "post4_5_global_pool"): {
        "model.widths.2": (4, 8),
        "model.head": ("concat", "max"),
        "model.linear_bias": (True, False),
    },
    ("post4_5_global_pool", "post4_6_scales"): {
        "model.norm.scale": ("uniform", "ones"),
        "model.logit_scale": (1.0, 0.125),
    },
    ("post4_6_scales", "post4_7_double_width"): {
        "model.width": (64, 128),
        "epochs": (20, 60),
        EPOCHS: (4, 12),
        LAST: (20, 60),
    },
    ("post4_7_double_width", "post4_8_extra"): {
        "model.width": (128, 64),
        "model.extra": ("none", "L1+L2+L3"),
        "augment.cutout": (8, 12),
    },
    ("post4_8_extra", "post4_resnet9"): {
        "model.extra": ("L1+L2+L3", "none"),
        "model.residual": ("none", "L1+L3"),
        "augment.cutout": (12, 8),
        "epochs": (60, 24),
        EPOCHS: (12, 5),
        LAST: (60, 24),
    },
    ("post4_resnet9", "post8_01_device_augment"): {"augment.groups": (None, 200), "drop_last": (False, True)},
    ("post8_01_device_augment", "post8_02_pool_first"): {
        "model.downsample": ("pool", "pool_before_norm"),
        "epochs": (24, 25),
        LAST: (24, 25),
    },
    ("post8_02_pool_first", "post8_03_label_smoothing"): {
        "label_smoothing": (0.0, 0.2),
        "epochs": (25, 23),
        EPOCHS: (5, 4.6),
        LAST: (25, 23),
    },
    ("post8_03_label_smoothing", "post8_04_celu"): {
        "model.activation": ("relu", "celu"),
        "model.celu_alpha": (None, 0.075),
        "epochs": (23, 20),
        EPOCHS: (4.6, 4),
        LAST: (23, 20),
    },
    ("post8_04_celu", "post8_05_ghost_norm"): {
        "model.norm.splits": (1, 16),
        PEAK: (0.4, 0.6),
        "epochs": (20, 18),
        EPOCHS: (4, 3.6),
        LAST: (20, 18),
    },
    ("post8_05_ghost_norm", "post8_06_frozen_scales"): {
        "model.norm.scale": ("ones", "frozen"),
        "model.celu_alpha": (0.075, 0.3),
        "model.logit_scale": (1 / 8, 1 / 16),
        "optimizer.norm_bias_lr": (1.0, 64.0),
        "optimizer.norm_bias_weight_decay": (1.0, 1 / 64),
        "epochs": (18, 17),
        EPOCHS: (3.6, 3.4),
        LAST: (18, 17),
    },
    ("post8_06_frozen_scales", "post8_07_whitening"): {
        "model.whitening": (None, ABSENT),
        "model.whitening.patch": (ABSENT, 3),
        "model.whitening.images": (ABSENT, 10_000),
        "model.whitening.epsilon": (ABSENT, 0.01),
        "model.whitening.mirrored": (ABSENT, False),
        "model.whitening.mix": (ABSENT, True),
        "model.whitening.bias_share": (ABSENT, 0.0),
        "epochs": (17, 15),
        EPOCHS: (3.4, 3),
        LAST: (17, 15),
    },
    ("post8_07_whitening", "post8_07_higher_peak"): {
        PEAK: (0.6, 1.0),
        "augment.cutout": (8, 5),
        "epochs": (15, 14),
        EPOCHS: (3, 2.8),
        LAST: (15, 14),
    },
    ("post8_07_higher_peak", "post8_08_average"): {
        "average": (None, ABSENT),
        "average.every": (ABSENT, 5),
        "average.momentum": (ABSENT, 0.99),
        "schedule.lr.values.2": (0.0, 0.1),
        "epochs": (14, 13),
        EPOCHS: (2.8, 2.6),
        LAST: (14, 11),
    },
    ("post8_08_average", "post8_09_flip_test"): {
        "test_time": ("none", "flip"),
        "augment.cutout": (5, 0),
        "epochs": (13, 10),
        EPOCHS: (2.6, 2),
        LAST: (11, 8),
    },
    ("post8_09_flip_test", "post8_10_convergence"): {
        "augment.cutout": (0, 12),
        PEAK: (1.0, 0.4),
        "schedule.lr.values.2": (0.1, 0.04),
        "epochs": (10, 80),
        EPOCHS: (2, 16),
        LAST: (8, 78),
    },
}


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value with its key path; the entries of lists are numbered."""
    if isinstance(tree, list):
        tree = dict(enumerate(tree))
    if not isinstance(tree, Mapping):
        yield path.removesuffix("."), tree
        return
    for key, value in tree.items():
        yield from leaves(value, f"{path}{key}.")


def differences(before: str, after: str) -> Changes:
    old, new = (dict(leaves(recipe.load(name).model_dump(mode="json", exclude=TEXTS))) for name in (before, after))
    pairs = {path: (old.get(path, ABSENT), new.get(path, ABSENT)) for path in [*old, *new]}
    return {path: pair for path, pair in pairs.items() if pair[0] != pair[1]}


@pytest.mark.parametrize(("before", "after"), STEPS)
def test_a_step_changes_what_it_is_about_and_nothing_else(before: str, after: str) -> None:
    assert differences(before, after) == STEPS[before, after]


def test_there_is_a_step_between_all_neighbours() -> None:
    assert list(pairwise(RECIPES)) == list(STEPS)


def test_the_baseline_in_numbers() -> None:
    assert dict(leaves(recipe.load("post1_baseline").model_dump(mode="json", exclude=TEXTS))) == {
        "data.name": "cifar10",
        "data.held_out": 5000,
        "data.train_images": None,
        **dict(leaves({"mean": [125.31, 122.95, 113.87], "std": [62.99, 62.09, 66.70]}, "data.")),
        "model.name": "dawn",
        "model.width": 64,
        "model.branches": True,
        "model.filters": "default",
        "model.activation": "relu",
        "model.celu_alpha": None,
        **dict(leaves({"scale": "uniform", "splits": 1, "momentum": 0.1, "epsilon": 1e-5}, "model.norm.")),
        "model.norm.precision": "network",
        "model.norm.kind": "batch",
        "model.norm.shift": True,
        "model.logit_scale": 1.0,
        "model.weight_scale": 1.0,
        "trace": None,
        "epochs": 35,
        "batch_size": 128,
        "drop_last": False,
        **dict(leaves({"epochs": [0, 15, 30, 35], "values": [0, 0.1, 0.005, 0]}, "schedule.lr.")),
        **dict(leaves({"epochs": [0], "values": [5e-4]}, "schedule.weight_decay.")),
        **dict(leaves({"epochs": [0], "values": [0.9]}, "schedule.momentum.")),
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
        "augment.cutout": 0,
        "augment.groups": None,
        "average": None,
        "test_time": "none",
        "precision": "fp16_whole",
        "stop.loss_bound": 20.0,
        **dict.fromkeys(("stop.target_accuracy", "stop.patience", "stop.max_seconds")),
    }


PUBLISHED = [
    # (recipe, mean accuracy, seconds on a V100, runs)
    ("post1_baseline", 0.94, 297, None),
    ("post2_batch512", None, 256, 5),
    ("post3_1_fast_norm", None, 186, None),
    ("post3_2_cutout", 0.9413, 161, 5),
    ("post3_3_batch768", 0.9406, 154, 5),
    ("post4_1_shortcut", 0.559, 36, None),
    ("post4_2_one_norm", 0.560, 32, None),
    ("post4_3_conv3x3", 0.856, 36, None),
    ("post4_4_pool", 0.897, 43, None),
    ("post4_5_global_pool", 0.907, 47, None),
    ("post4_6_scales", 0.911, 47, None),
    ("post4_7_double_width", 0.935, 321, None),
    ("post4_8_extra", 0.95, 180, None),
    ("post4_resnet9", 0.9408, 79, 10),
    ("post8_01_device_augment", 0.941, 70, None),
    ("post8_02_pool_first", 0.941, 64, None),
    ("post8_03_label_smoothing", 0.941, 59, None),
    ("post8_04_celu", 0.941, 52, None),
    ("post8_05_ghost_norm", 0.941, 46, None),
    ("post8_06_frozen_scales", 0.941, 43, None),
    ("post8_07_whitening", 0.941, 39, None),
    ("post8_07_higher_peak", 0.941, 36, None),
    ("post8_08_average", 0.941, 34, None),
    ("post8_09_flip_test", 0.941, 26, None),
    ("post8_10_convergence", 0.961, None, None),
]


@pytest.mark.parametrize(("name", "accuracy", "seconds", "runs"), PUBLISHED)
def test_what_was_published(name: str, accuracy: float | None, seconds: float | None, runs: int | None) -> None:
    expect = recipe.load(name).expect
    assert (expect.metric, expect.accuracy, expect.seconds, expect.runs) == ("test_accuracy", accuracy, seconds, runs)
    claims_94 = accuracy is None or abs(accuracy - 0.94) < 0.002
    assert (expect.target, expect.std) == ((0.94, 0.0015) if claims_94 else (None, None))


def test_all_published_figures_are_checked() -> None:
    assert [name for name, *_ in PUBLISHED] == RECIPES


def test_the_warm_up_of_post_8_is_a_fifth_of_the_epochs() -> None:
    for name in RECIPES[RECIPES.index("post8_03_label_smoothing") :]:
        chosen = recipe.load(name)
        assert chosen.schedule.lr.epochs[1] == pytest.approx(chosen.epochs / 5)


def test_every_recipe_is_in_the_story_or_stands_beside_it() -> None:
    beside = {name for name in recipe.names() if name not in RECIPES}
    small = {"digits_quickstart", "resnet9_proxy_cpu", "resnet9_proxy_constant"}
    assert {name for name in beside if not name.startswith("speed")} == small | {"post7_eight_layers"}
    assert {name for name in recipe.names() if recipe.load(name).post is not None} == set(RECIPES)


def test_the_posts_come_in_their_order() -> None:
    posts = [row.post if isinstance(row, Chapter) else recipe.load(row).post for row in STORY]
    numbers = [[int(part) for part in str(post).split(" ")[0].split(".")] for post in posts]
    assert numbers == sorted(numbers)
    assert {number[0] for number in numbers} == set(range(1, 9))
    assert {number[1] for number in numbers if number[0] == 8} == set(range(1, 11))


def test_other_recipes_follow_the_story() -> None:
    assert in_order(["other", "post4_resnet9", "another"]) == [*STORY, "other", "another"]
