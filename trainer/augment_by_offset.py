"""Crop and mirror for a whole epoch at once, crop by crop: the way for a GPU.

There are at most (2 padding + 1)^2 different crops, so each is one slice of a padded copy of the data, which moves
whole rows; the way for a CPU (``trainer.augment.crop_and_flip``) computes the origin of every pixel of a batch. The
training loop takes this one on a CUDA device and that one on a CPU, where alone they have been timed.
"""

import torch
from torch import Tensor

from trainer.augment import Choices, reflect


def crop_and_flip_epoch(pixels: Tensor, order: Tensor, choices: Choices) -> Tensor:
    """Return the augmented images (n, h, w) at the positions ``order`` (n,) of ``pixels`` (n, h, w).

    The same as ``crop_and_flip``, for the choices of a whole epoch as they were drawn. Nothing waits for the device.
    """
    _, height, width = pixels.shape
    pad = max(max(abs(crop.top), abs(crop.left)) for crop in choices.crops)
    padded = _padded(_padded(pixels, 1, pad), 2, pad)
    crops = pixels.new_empty(len(order), height, width)
    for top, left, positions in choices.crops:
        window = padded[:, pad + top : pad + top + height, pad + left : pad + left + width]
        crops.index_copy_(0, positions, window[order[positions]])
    return torch.where(choices.flip[:, None, None], crops.flip(2), crops)


def _padded(pixels: Tensor, axis: int, pad: int) -> Tensor:
    """Reflect ``pad`` pixels about both ends of ``axis``."""
    size = pixels.shape[axis]
    return pixels.index_select(axis, reflect(torch.arange(-pad, size + pad, device=pixels.device), size))
