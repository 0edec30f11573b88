"""Images on the device, once and as bytes, and the batches of one epoch of training."""

import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple

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
    """Images and labels of one split, on the device; never written to, for trials may share them.

    ``pixels``  (n, height, width) int32: up to four channels of a pixel in one word, so that augmentation moves a pixel
                in one access (five times as fast as byte by byte on a CPU)
    ``labels``  (n,) int64
    """

    pixels: Tensor
    labels: Tensor
    shape: Shape

    def __len__(self) -> int:
        return len(self.labels)


def pack(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    """Put images (n, height, width, channels) with at most four channels into words (n, height, width)."""
    *size, channels = images.shape
    padded = np.zeros((*size, WORD), np.uint8)
    padded[..., :channels] = images
    return padded.view(np.int32)[..., 0]


def from_packed(
    pixels: npt.NDArray[np.int32], labels: npt.NDArray[np.int64], channels: int, device: torch.device
) -> Split:
    """Bring words (n, height, width) and labels (n,) to ``device``: on the CPU as they are, without a copy."""
    _, height, width = pixels.shape
    return Split(_tensor(pixels, device), _tensor(labels, device), Shape(height, width, channels))


def to_device(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64], device: torch.device) -> Split:
    """Bring images (n, height, width, channels) and labels (n,) to ``device``, as the two functions above."""
    return from_packed(pack(images), labels, images.shape[-1], device)


def _tensor(array: npt.NDArray[Any], device: torch.device) -> Tensor:
    with warnings.catch_warnings():  # a tensor cannot be read-only; nobody writes to a Split
        warnings.filterwarnings("ignore", "The given NumPy array is not writable", UserWarning)
        return torch.from_numpy(array).to(device)


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
