"""Random crop from a reflected border, mirror image and cutout, vectorised over the images of a batch.

Crop and mirror act on whole pixels: they compute from which pixel of the original each pixel of the result comes, so
no padded copy of the data is made.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hpsearch.errors import Problem, RecipeError
from trainer.batches import Shape
from trainer.recipe import Augment


@dataclass(frozen=True, eq=False)
class Choices:
    """The random choices for each of n images, all of shape (n,).

    ``top``, ``left``  first row and column of the crop, from -padding to padding: 0 is the unshifted image
    ``flip``  whether the crop is mirrored
    ``cut_top``, ``cut_left``  first row and column of the cutout, which lies inside the image
    """

    top: Tensor
    left: Tensor
    flip: Tensor
    cut_top: Tensor
    cut_left: Tensor

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


def draw(augment: Augment, images: int, shape: Shape, rng: np.random.Generator, device: torch.device) -> Choices:
    """Draw the choices for ``images`` images in bulk, on the CPU so that they are the same on every device."""
    pad, cut = augment.crop_padding, augment.cutout

    def uniform(low: int, high: int) -> Tensor:
        return torch.from_numpy(rng.integers(low, high, images, endpoint=True)).to(device)

    return Choices(
        top=uniform(-pad, pad),
        left=uniform(-pad, pad),
        flip=uniform(0, int(augment.flip)).bool(),
        cut_top=uniform(0, shape.height - cut),
        cut_left=uniform(0, shape.width - cut),
    )


def crop_and_flip(pixels: Tensor, images: Tensor, choices: Choices) -> Tensor:
    """Return the augmented images (b, h, w) at the positions ``images`` (b,) of ``pixels`` (n, h, w)."""
    _, height, width = pixels.shape
    column = torch.arange(width, device=pixels.device)
    column = torch.where(choices.flip[:, None], width - 1 - column, column)
    rows = _reflect(choices.top[:, None] + torch.arange(height, device=pixels.device), height)
    columns = _reflect(choices.left[:, None] + column, width)
    origin = (images[:, None] * height + rows)[:, :, None] * width + columns[:, None, :]
    return pixels.flatten().index_select(0, origin.flatten()).view(origin.shape)


def cutout_(inputs: Tensor, size: int, choices: Choices) -> Tensor:
    """Set a square of ``size`` pixels in each normalised image of ``inputs`` (b, c, h, w) to 0, the mean colour."""
    if size == 0:
        return inputs
    inside_rows = _inside(choices.cut_top, size, inputs.shape[2])
    inside_columns = _inside(choices.cut_left, size, inputs.shape[3])
    return inputs.masked_fill_((inside_rows[:, :, None] & inside_columns[:, None, :])[:, None], 0)


def _reflect(position: Tensor, size: int) -> Tensor:
    """Map positions outside 0..size-1 to their mirror image about the first or the last one."""
    return (size - 1) - ((size - 1) - position.abs()).abs()


def _inside(first: Tensor, size: int, length: int) -> Tensor:
    """Return (b, length) booleans: True on ``size`` positions from ``first`` (b,) on."""
    offset = torch.arange(length, device=first.device) - first[:, None]
    return (offset >= 0) & (offset < size)
