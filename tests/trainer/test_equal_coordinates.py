"""What rate and tau are for, with the real trainer: settings that share them follow nearly the same path.

In the limit of small steps, a run follows a path that depends on rate and tau alone, and these trainings are close to
it. The distance between two of them is that of the weights after each epoch, relative to how far these have moved.
"""

import math
from collections.abc import Mapping

import numpy as np
import pytest
import torch

from hpsearch.space.coordinate_spec import CoordinateSpec
from hpsearch.space.translation import Translation
from tests.trainer.conftest import CPU
from trainer import data, recipe
from trainer.batches import Split, to_device
from trainer.loop import fit, start
from trainer.overrides import with_overrides

EPOCHS, IMAGES = 4, 1000
RAW = {"lr": 0.005, "weight_decay": 0.1, "batch_size": 20, "momentum": 0.9}

WITH_EQUAL_COORDINATES = [{"momentum": 0.8}, {"batch_size": 40}, {"batch_size": 40, "momentum": 0.8}]
"""Learning rate and decay follow these."""

WITH_ONE_CHANGED = [{"momentum": 0.8}, {"batch_size": 40}, {"lr": 0.01}, {"weight_decay": 0.2}]

CONTRAST = 4.0

TRANSLATION = Translation(CoordinateSpec(optimizer="sgd_nesterov", examples=IMAGES, epochs=EPOCHS))


@pytest.fixture(scope="module")
def images(digits: data.Dataset) -> Split:
    kept, _ = data.held_out_split(digits.train_labels, 100, IMAGES)
    return to_device(digits.train_images[kept], digits.train_labels[kept], CPU)


def trained(images: Split, raw: Mapping[str, float], seed: int) -> tuple[np.ndarray, list[float]]:
    """Return the weights before the run and after each epoch, and the losses of the epochs."""
    small = {"epochs": EPOCHS, "model.width": 4, "augment.crop_padding": 0}
    run = start(with_overrides(recipe.load("digits_quickstart"), {**small, **raw}), seed, CPU, images, 10)
    weights, losses = [_weights(run.network)], []
    for report in fit(run, images):
        weights.append(_weights(run.network))
        losses.append(report["train_loss"])
    return np.array(weights), losses


def _weights(network: torch.nn.Module) -> np.ndarray:
    return np.concatenate([parameter.detach().double().numpy().ravel() for parameter in network.parameters()])


@pytest.mark.parametrize("seed", range(3))
def test_equal_coordinates_are_nearly_the_same_path_and_one_other_value_is_not(images: Split, seed: int) -> None:
    path, losses = trained(images, RAW, seed)
    assert losses[-1] < losses[0] - 0.1, "it must learn something for the comparison to mean anything"
    found = TRANSLATION.quantities(RAW)
    coordinates = {"rate": found.rate, "tau": found.tau, "batch_size": 20, "momentum": 0.9}

    def distance(raw: Mapping[str, float]) -> float:
        other, _ = trained(images, raw, seed)
        return math.sqrt(np.sum((other - path) ** 2) / np.sum((path - path[0]) ** 2))

    along = [distance(TRANSLATION.for_function({**coordinates, **change})) for change in WITH_EQUAL_COORDINATES]
    alone = [distance({**RAW, **change}) for change in WITH_ONE_CHANGED]
    assert max(along) < 0.1
    assert min(alone) > CONTRAST * max(along)
