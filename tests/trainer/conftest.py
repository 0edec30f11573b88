from collections.abc import Iterator

import numpy as np
import pytest
import torch

from trainer import data, recipe
from trainer.batches import Split, to_device
from trainer.overrides import with_overrides
from trainer.recipe import Recipe

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Results are the same on every run for a given number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def tiny() -> Recipe:
    """Fractions of a second on 200 digits, with everything random switched on."""
    changes = {"epochs": 4, "batch_size": 50, "model.width": 4, "augment.flip": True, "augment.cutout": 2}
    return with_overrides(recipe.load("digits_quickstart"), {**changes, "data.train_images": 200, "data.held_out": 100})


@pytest.fixture
def splits(digits: data.Dataset) -> dict[str, Split]:
    kept, held_out = data.held_out_split(digits.train_labels, 100, 200)
    images, labels = digits.train_images, digits.train_labels
    return {
        "train": to_device(images[kept], labels[kept], CPU),
        "val": to_device(images[held_out], labels[held_out], CPU),
        "test": to_device(digits.test_images, digits.test_labels, CPU),
    }


def weights(network: torch.nn.Module) -> np.ndarray:
    """All parameters and buffers as one vector."""
    return np.concatenate([tensor.detach().double().numpy().ravel() for tensor in network.state_dict().values()])
