"""Images on the device, once and as bytes, and the batches of one epoch of training."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

WORD = 4
"""Bytes of the word that holds the channels of a pixel."""


class Shape(NamedTuple):
    """Size of an image."""

    height: int
    width: int
    channels: int


@dataclass(frozen=True, eq=False)
class Split:
    """Images and labels of one split, on the device.

    ``pixels``  (n, height, width) int32: up to four channels of a pixel in one word, so that augmentation moves a pixel
                in one access (five times as fast as byte by byte on a CPU)
    ``labels``  (n,) int64
    """

    pixels: Tensor
    labels: Tensor
    shape: Shape

    def __len__(self) -> int:
        return len(self.labels)


def to_device(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64], device: torch.device) -> Split:
    """Copy images (n, height, width, channels) with at most four channels, and labels (n,), to ``device``."""
    n, height, width, channels = images.shape
    padded = np.zeros((n, height, width, WORD), np.uint8)
    padded[..., :channels] = images
    pixels = torch.from_numpy(padded.view(np.int32)[..., 0]).to(device)
    return Split(pixels, torch.tensor(labels, device=device), Shape(height, width, channels))


class Normalizer:
    """Turns pixels into the network's input: zero mean and unit variance per channel."""

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...], device: torch.device) -> None:
        self.mean = torch.tensor(mean, device=device)
        self.std = torch.tensor(std, device=device)

    def __call__(self, pixels: Tensor) -> Tensor:
        """Map (n, height, width) words to (n, channels, height, width) fp32, channels last in memory."""
        channels = len(self.mean)
        images = pixels.contiguous().view(torch.uint8).view(*pixels.shape, WORD)[..., :channels]
        return images.float().sub_(self.mean).div_(self.std).permute(0, 3, 1, 2)


def batch_slices(images: int, batch_size: int, drop_last: bool) -> list[slice]:
    """Cut ``images`` positions into batches.

    The last one may be smaller, unless it is dropped; a single image is always dropped, for batch norm has no variance
    to divide by.
    """
    slices = [slice(start, min(start + batch_size, images)) for start in range(0, images, batch_size)]
    last = slices[-1].stop - slices[-1].start
    return slices[:-1] if (drop_last and last < batch_size) or last == 1 else slices


def shuffled(images: int, rng: np.random.Generator, device: torch.device) -> Tensor:
    """Return a random order of ``images`` positions, drawn on the CPU so that it is the same on every device."""
    return torch.from_numpy(rng.permutation(images)).to(device)
