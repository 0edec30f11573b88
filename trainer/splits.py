"""The images of a run, divided as its recipe says: as plain arrays that trials share, and on the device of one of them.

The arrays are, with NAME train, val or test, ``NAME_pixels`` (n, height, width) int32 (``batches.pack``) and
``NAME_labels`` (n,) int64; and ``channels`` (1,).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from trainer.batches import Split, from_packed, pack
from trainer.data import Dataset, held_out_split
from trainer.recipe import Recipe

Arrays = dict[str, npt.NDArray[Any]]


def divided(dataset: Dataset, chosen: Recipe) -> Arrays:
    """Hold out a part of the training images as ``val``; the same one for every seed."""
    kept, held_out = held_out_split(dataset.train_labels, chosen.data.held_out, chosen.data.train_images)
    images, labels = dataset.train_images, dataset.train_labels
    return {**_undivided(dataset, kept), "val_pixels": pack(images[held_out]), "val_labels": labels[held_out]}


def undivided(dataset: Dataset) -> Arrays:
    """Keep all the training images together; there is no ``val``."""
    return _undivided(dataset, slice(None))


def on_device(arrays: Mapping[str, npt.NDArray[Any]], device: torch.device) -> dict[str, Split]:
    """Return the splits by name; on the CPU they are the arrays' own memory."""
    channels = int(arrays["channels"][0])
    names = [name for name in ("train", "val", "test") if f"{name}_pixels" in arrays]
    return {name: from_packed(arrays[f"{name}_pixels"], arrays[f"{name}_labels"], channels, device) for name in names}


def _undivided(dataset: Dataset, kept: npt.NDArray[np.int64] | slice) -> Arrays:
    return {
        "train_pixels": pack(dataset.train_images[kept]),
        "train_labels": dataset.train_labels[kept],
        "test_pixels": pack(dataset.test_images),
        "test_labels": dataset.test_labels,
        "channels": np.array([dataset.train_images.shape[-1]]),
    }
