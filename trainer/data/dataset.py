"""Images and labels in memory, and the fixed split of the training images."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hpsearch.errors import DataError, Problem
from hpsearch.seeds import stream

Images = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]

SPLIT_SEED = 0
"""The same for every study, so that the held-out images are the same in all of them."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """A classification data set.

    ``train_images``, ``test_images``  (n, height, width, channels), 0 to 255
    ``train_labels``, ``test_labels``  (n,), indices into ``classes``
    """

    train_images: Images
    train_labels: Integers
    test_images: Images
    test_labels: Integers
    classes: tuple[str, ...]


def held_out_split(labels: Integers, held_out: int, train: int | None = None) -> tuple[Integers, Integers]:
    """Split the images with ``labels`` (n,) into two disjoint sets, each balanced over the classes.

    Returns the ascending indices of ``train`` images to train on (None: all the rest) and of ``held_out`` images to
    judge by. Both are the same on every machine; the held-out images do not depend on ``train``, and a smaller
    ``train`` takes a subset of a larger one. Classes get equal shares as far as they have images.

    Raises DataError when there are not as many images.
    """
    wanted = training_images(len(labels), held_out, train)
    classes, available = np.unique(labels, return_counts=True)
    first = _shares(held_out, available)
    second = _shares(wanted, available - first)
    held, kept = [], []
    for label, cut, size in zip(classes, first, second, strict=True):
        order = stream(SPLIT_SEED, "held-out", int(label)).permutation(np.flatnonzero(labels == label))
        held.append(order[:cut])
        kept.append(order[cut : cut + size])
    return np.sort(np.concatenate(kept)), np.sort(np.concatenate(held))


def training_images(images: int, held_out: int, train: int | None = None) -> int:
    """Return how many of ``images`` are left to train on by ``held_out_split``; raises as it does."""
    wanted = images - held_out if train is None else train
    if held_out < 0 or wanted < 1 or held_out + wanted > images:
        rest = "the rest" if train is None else f"{train:,}"
        raise DataError(
            Problem(
                "cannot split the training images like this",
                got=f"{held_out:,} held out, {rest} to train on",
                allowed=f"0 or more held out and at least 1 to train on, {images:,} in all",
            )
        )
    return wanted


def _shares(total: int, available: Integers) -> Integers:
    """Divide ``total`` over classes with ``available`` images (c,) each, as equally as these allow.

    What does not divide goes one by one to the first classes that have images left.
    """
    shares = np.zeros_like(available)
    while left := total - int(shares.sum()):
        unfilled = np.flatnonzero(shares < available)
        receivers = unfilled[:left]
        shares[receivers] = np.minimum(shares[receivers] + max(1, left // len(unfilled)), available[receivers])
    return shares
