"""The CPU proxy on real CIFAR-10, shortened; the whole recipe is in the slow test."""

from collections.abc import Mapping

import pytest

from tests.trainer.conftest import CPU
from trainer import recipe
from trainer.batches import Split
from trainer.data import Dataset
from trainer.loop import fit, start
from trainer.overrides import with_overrides
from trainer.recipe import Recipe
from trainer.splits import divided, on_device


def splits(cifar: Dataset, chosen: Recipe) -> Mapping[str, Split]:
    return on_device(divided(cifar, chosen), CPU)


def test_learns_real_images_in_seconds(cifar: Dataset) -> None:
    """Chance is 0.10; one epoch of 4,000 images gives about 0.3."""
    short = {"epochs": 1, "lr": 0.1, "data.train_images": 4000, "data.held_out": 1000}
    chosen = with_overrides(recipe.load("resnet9_proxy_cpu"), short)
    data = splits(cifar, chosen)
    (report,) = fit(start(chosen, 0, CPU, data["train"], 10), data["train"], data["val"])
    assert report["val_accuracy"] > 0.2
    assert report["train_loss"] < 2.2


@pytest.mark.slow
def test_the_proxy_reaches_what_it_says(cifar: Dataset) -> None:
    chosen = recipe.load("resnet9_proxy_cpu")
    data = splits(cifar, chosen)
    *_, report = fit(start(chosen, 0, CPU, data["train"], 10), data["train"], data["val"], data["test"])
    expected = chosen.expect
    assert report["val_accuracy"] == pytest.approx(expected.accuracy, abs=4 * expected.std)
