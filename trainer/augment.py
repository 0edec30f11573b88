"""Random crop from a reflected border, mirror image and cutout, vectorised over the images of a batch.

Crop and mirror act on whole pixels: they compute from which pixel of the original each pixel of the result comes, so
no padded copy of the data is made.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hpsearch.errors import Problem, RecipeError
from hpsearch.seeds import stream
from trainer.batches import Shape
from trainer.blocks import Augment

Integers = npt.NDArray[np.int64]


class Crop(NamedTuple):
    """One of an epoch's different crops: its first row and column, and the positions (m,) of the images that get it."""

    top: int
    left: int
    positions: Tensor


@dataclass(frozen=True, eq=False)
class Choices:
    """The random choices for each of n images, all of shape (n,).

    ``top``, ``left``  first row and column of the crop, from -padding to padding: 0 is the unshifted image
    ``flip``  whether the crop is mirrored
    ``cut_top``, ``cut_left``  first row and column of the cutout, which lies inside the image
    ``crops``  top and left once more, crop by crop; only a whole epoch's choices have it
    """

    top: Tensor
    left: Tensor
    flip: Tensor
    cut_top: Tensor
    cut_left: Tensor
    crops: tuple[Crop, ...] = ()

    def __getitem__(self, images: slice) -> "Choices":
        """Return the choices for some of the images."""
        return Choices(
            self.top[images], self.left[images], self.flip[images], self.cut_top[images], self.cut_left[images]
        )


def check(augment: Augment, shape: Shape) -> None:
    """Raise RecipeError when the images are too small for the crop or the cutout."""
    side = min(shape.height, shape.width)
    for key, value, most in (("crop_padding", augment.crop_padding, side - 1), ("cutout", augment.cutout, side)):
        if value > most:
            what = f"the images are too small: {shape.height} x {shape.width} pixels"
            raise RecipeError(Problem(what, key=f"augment.{key}", got=str(value), allowed=f"0 to {most}"))


def draw(augment: Augment, order: Tensor, shape: Shape, seed: int, epoch: int, device: torch.device) -> Choices:
    """Draw the choices of an epoch in bulk, on the CPU so that they are the same on every device.

    ``order`` (n,) int64 on ``device``: the image at each position of the epoch, each of n images once. With ``groups``
    the images of a random group share a crop, and those of another a cutout (post 8). Nothing waits for the device.
    """
    n, pad, cut = len(order), augment.crop_padding, augment.cutout
    rng = stream(seed, "augment", epoch)
    crop, square = _groups(augment.groups, n, rng), _groups(augment.groups, n, rng)

    def uniform(low: int, high: int, group: Integers | None = None) -> Integers:
        if group is None:
            return rng.integers(low, high, n, endpoint=True)
        return rng.integers(low, high, augment.groups, endpoint=True)[group]

    top, left = uniform(-pad, pad, crop), uniform(-pad, pad, crop)
    flip = _to(uniform(0, int(augment.flip)).astype(bool), device)
    return Choices(
        top=_to(top, device),
        left=_to(left, device),
        flip=_alternating(order, seed, epoch) if augment.alternate else flip,
        cut_top=_to(uniform(0, shape.height - cut, square), device),
        cut_left=_to(uniform(0, shape.width - cut, square), device),
        crops=_by_crop(top, left, pad, device),
    )


def _groups(groups: int | None, images: int, rng: np.random.Generator) -> Integers | None:
    """Return the group of each image, (n,): a random one of nearly equal groups."""
    return None if groups is None else rng.permutation(images) % groups


def _alternating(order: Tensor, seed: int, epoch: int) -> Tensor:
    """Return which positions are mirrored: about half of the images, and in the next epoch the others.

    Two epochs in a row then show every image both ways: the alternating flip of K. Jordan, arXiv:2404.00498.
    """
    at_first = stream(seed, "flip").integers(0, 1, len(order), endpoint=True).astype(bool)
    return _to(at_first, order.device)[order] ^ (epoch % 2 == 1)


def _by_crop(top: Integers, left: Integers, pad: int, device: torch.device) -> tuple[Crop, ...]:
    """Gather the positions of equal crops, here, where it is known how many there are."""
    side = 2 * pad + 1
    number = (top + pad) * side + left + pad
    crops, sizes = np.unique(number, return_counts=True)
    positions = torch.split(_to(np.argsort(number, kind="stable"), device), sizes.tolist())
    return tuple(
        Crop(crop // side - pad, crop % side - pad, where)
        for crop, where in zip(crops.tolist(), positions, strict=True)
    )


def _to(array: npt.NDArray[Any], device: torch.device) -> Tensor:
    """Copy to ``device`` without waiting for what it is doing, which a GPU does from pinned memory only."""
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


def crop_and_flip(pixels: Tensor, images: Tensor, choices: Choices) -> Tensor:
    """Return the augmented images (b, h, w) at the positions ``images`` (b,) of ``pixels`` (n, h, w)."""
    _, height, width = pixels.shape
    column = torch.arange(width, device=pixels.device)
    column = torch.where(choices.flip[:, None], width - 1 - column, column)
    rows = reflect(choices.top[:, None] + torch.arange(height, device=pixels.device), height)
    columns = reflect(choices.left[:, None] + column, width)
    origin = (images[:, None] * height + rows)[:, :, None] * width + columns[:, None, :]
    return pixels.flatten().index_select(0, origin.flatten()).view(origin.shape)


def cutout_(inputs: Tensor, size: int, choices: Choices) -> Tensor:
    """Set a square of ``size`` pixels in each normalised image of ``inputs`` (b, c, h, w) to 0, the mean colour."""
    if size == 0:
        return inputs
    inside_rows = _inside(choices.cut_top, size, inputs.shape[2])
    inside_columns = _inside(choices.cut_left, size, inputs.shape[3])
    return inputs.masked_fill_((inside_rows[:, :, None] & inside_columns[:, None, :])[:, None], 0)


def reflect(position: Tensor, size: int) -> Tensor:
    """Map positions outside 0..size-1 to their mirror image about the first or the last one."""
    return (size - 1) - ((size - 1) - position.abs()).abs()


def _inside(first: Tensor, size: int, length: int) -> Tensor:
    """Return (b, length) booleans: True on ``size`` positions from ``first`` (b,) on."""
    offset = torch.arange(length, device=first.device) - first[:, None]
    return (offset >= 0) & (offset < size)
