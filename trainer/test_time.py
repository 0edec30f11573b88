"""Judging a test image by several views of it."""

import torch.nn.functional as F
from torch import Tensor, nn

from trainer.blocks import Views


def logits(network: nn.Module, inputs: Tensor, views: Views) -> Tensor:
    """Return the mean logits (n, classes), fp32, of ``network`` over views of ``inputs`` (n, channels, h, w).

    none   the image
    flip   the image and its mirror image
    crops  these two, and both of the image shifted by one pixel towards either end of the diagonal; the border is
           reflected. The shifted ones weigh half as much: six views, with weights 1/4, 1/4 and four times 1/8

    Each view is a forward pass of its own, so that memory does not grow with their number.
    """
    if views == "none":
        return _fp32(network, inputs)
    if views == "flip":
        return _with_mirror_image(network, inputs)
    height, width = inputs.shape[2:]
    framed = F.pad(inputs, (1, 1, 1, 1), mode="reflect")
    up_left, down_right = framed[:, :, 2:, 2:], framed[:, :, :height, :width]
    shifted = (_with_mirror_image(network, up_left) + _with_mirror_image(network, down_right)) / 2
    return (_with_mirror_image(network, inputs) + shifted) / 2


def _with_mirror_image(network: nn.Module, inputs: Tensor) -> Tensor:
    return (_fp32(network, inputs) + _fp32(network, inputs.flip(-1))) / 2


def _fp32(network: nn.Module, inputs: Tensor) -> Tensor:
    logits: Tensor = network(inputs)
    return logits.float()
