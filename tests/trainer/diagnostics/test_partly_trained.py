"""Networks that were trained for a part of their schedule, kept and brought back."""

import resource
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from hpsearch.errors import RecipeError
from tests.trainer.conftest import CPU, weights
from trainer import checkpoint, models, recipe
from trainer.batches import Normalizer, Shape, Split
from trainer.diagnostics.hessian import trainable
from trainer.diagnostics.norm_mode import norm_layers
from trainer.diagnostics.partly_trained import (
    Facts,
    Trained,
    check_batches,
    check_size,
    fixed_batches,
    frozen,
    initial,
    saved,
    train_until,
    without_norm,
)
from trainer.evaluate import evaluate
from trainer.overrides import with_overrides
from trainer.recipe import Recipe

FACTS = Facts(lr=0.2, epochs=1, schedule_epochs=4, train_loss=2.0, val_accuracy=0.3, diverged=False)


def test_the_accuracy_is_that_of_the_network_itself(tiny: Recipe, splits: dict[str, Split]) -> None:
    """Not of the recipe's average, nor at the end of the schedule."""
    averaged = Recipe.model_validate({**tiny.model_dump(), "average": {"every": 1, "momentum": 0.99}})
    told: list[int] = []
    found = train_until(averaged, 0, splits["train"], splits["val"], 10, 2, lambda report: told.append(report["epoch"]))
    normalize = Normalizer(tiny.data.mean, tiny.data.std, CPU)
    score = evaluate(found.network, splits["val"], normalize, "fp32", "none")
    assert found.facts.val_accuracy == score.accuracy
    assert (told, found.facts.epochs, found.facts.schedule_epochs) == ([1, 2], 2, 4)


def test_what_is_kept_comes_back(tiny: Recipe, splits: dict[str, Split], tmp_path: Path) -> None:
    file = tmp_path / "one.pt"
    train = splits["train"]
    Trained(initial(tiny, 0, train, 10), FACTS).save(file)
    back = saved(file, initial(tiny, 1, train, 10))
    np.testing.assert_array_equal(weights(back.network), weights(initial(tiny, 0, train, 10)))
    assert back.facts == FACTS


def test_a_damaged_file_is_named(tiny: Recipe, splits: dict[str, Split], tmp_path: Path) -> None:
    file, network = tmp_path / "one.pt", initial(tiny, 0, splits["train"], 10)
    Trained(network, FACTS).save(file)
    whole = file.read_bytes()
    for content in (b"", whole[:-20], whole[: len(whole) // 2]):
        file.write_bytes(content)
        with pytest.raises(RecipeError, match=r"one\.pt\n.*remove the file"):
            saved(file, network)
    for state in ({}, {"network": {}, "facts": {}}, {"network": network.state_dict(), "facts": {"lr": 1}}):
        checkpoint.write(state, file)
        with pytest.raises(RecipeError, match=r"one\.pt\n.*remove the file"):
            saved(file, network)


def test_a_full_disk_is_an_error_of_the_system(tiny: Recipe, splits: dict[str, Split], tmp_path: Path) -> None:
    file, trained = tmp_path / "one.pt", Trained(initial(tiny, 0, splits["train"], 10), FACTS)
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, most[1]))
    try:
        with pytest.raises(OSError):
            trained.save(file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
        signal.signal(signal.SIGXFSZ, before)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", recipe.names())
def test_every_recipe_has_a_form_without_norm(name: str) -> None:
    chosen = without_norm(recipe.load(name), 0.1)
    assert (chosen.model.norm.kind, chosen.schedule.lr.peak) == ("none", 0.1)
    for rate in (-1.0, 0.0, float("nan"), float("inf")):
        with pytest.raises(RecipeError):
            without_norm(recipe.load(name), rate)


def test_frozen_is_a_copy_with_other_statistics(tiny: Recipe, splits: dict[str, Split]) -> None:
    network = initial(tiny, 0, splits["train"], 10)
    before = weights(network)
    images = [inputs for inputs, _ in fixed_batches(tiny, splits["train"], 2, 50)]
    found = frozen(Trained(network, FACTS), images).network
    np.testing.assert_array_equal(weights(network), before)
    for mine, theirs in zip(trainable(network), trainable(found), strict=True):
        assert torch.equal(mine, theirs) and mine is not theirs
    assert all(layer.running_mean.abs().max() > 0 for layer in norm_layers(found))


def test_fixed_batches_are_the_first_images(tiny: Recipe, splits: dict[str, Split]) -> None:
    train = splits["train"]
    found = fixed_batches(tiny, train, 3, 60)
    assert [len(labels) for _, labels in found] == [60] * 3
    assert torch.equal(torch.cat([labels for _, labels in found]), train.labels[:180])
    pixels = train.pixels.view(torch.uint8).view(*train.pixels.shape, 4)[:180, ..., 0]
    expected = (pixels.float() - tiny.data.mean[0]) / tiny.data.std[0]
    torch.testing.assert_close(torch.cat([inputs for inputs, _ in found])[:, 0], expected)


def test_batches_and_eigenvalues_that_cannot_be(tiny: Recipe) -> None:
    with pytest.raises(RecipeError, match="too few training images"):
        check_batches(tiny, 199, 2, 100)
    ghost = with_overrides(tiny, {"model.norm.splits": 5, "drop_last": True})
    check_batches(ghost, 200, 2, 100)
    for size in (5, 12):
        with pytest.raises(RecipeError, match="cannot be split"):
            check_batches(ghost, 200, 2, size)
    size = sum(each.numel() for each in trainable(models.build(tiny.model, Shape(8, 8, 1), 2)))
    check_size(tiny, Shape(8, 8, 1), size - 6)
    with pytest.raises(RecipeError, match="too few parameters"):
        check_size(tiny, Shape(8, 8, 1), size - 5)
