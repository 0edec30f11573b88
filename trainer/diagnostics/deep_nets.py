"""Deep plain networks that show what the norm does at initialisation (D. Page, "How to Train Your ResNet 7", 2018).

With ReLU and no norm the mean of a channel grows against its spread layer by layer, until the network computes almost
the same for every input; a linear one does not do so, and whatever takes the mean away after the ReLU prevents it.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainer.diagnostics.norm_mode import Mode, refresh_statistics

Kind = Literal["relu", "linear", "batch_norm", "frozen_batch_norm", "shift_and_scale"]

MODES: Mapping[Kind, Mode] = {
    "relu": "running",
    "linear": "running",
    "batch_norm": "batch",
    "frozen_batch_norm": "running",
    "shift_and_scale": "running",
}
"""What the network is to be measured in."""

_RELU_MEAN = 1 / math.sqrt(2 * math.pi)
_RELU_SPREAD = math.sqrt(1 / 2 - 1 / (2 * math.pi))


_LEAST_LENGTH = 1e-6
"""Of an image: one of zeros stays one."""


class EqualLength(nn.Module):
    """Average over squares of ``shrink`` pixels a side, then scale each image to a mean square of 1.

    A network without biases or norms passes the length of an image on, and lengths that differ would be a spread that
    has nothing to do with what the image shows. Shifting and scaling needs a variance of 1, too.
    """

    def __init__(self, shrink: int) -> None:
        super().__init__()
        self.shrink = shrink

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels, h, w) to (n, channels, h / shrink, w / shrink)."""
        x = F.avg_pool2d(x, self.shrink)
        return x / x.square().mean((1, 2, 3), keepdim=True).sqrt().clamp(min=_LEAST_LENGTH)


class ShiftAndScale(nn.Module):
    """ReLU, less its mean and over its spread for an input that is normally distributed with variance 1."""

    def forward(self, x: Tensor) -> Tensor:
        """Map any shape to the same shape."""
        return (torch.relu(x) - _RELU_MEAN) / _RELU_SPREAD


def deep_net(
    kind: Kind,
    depth: int = 50,
    channels: int = 64,
    inputs: int = 3,
    shrink: int = 4,
    images: Iterable[Tensor] | None = None,
) -> nn.Sequential:
    """Return ``depth`` 3x3 convolutions without bias of ``channels`` each, drawn from torch's global generator.

    ``inputs``  channels of the images, which have a mean near 0
    ``shrink``  pixels a side that are averaged to one at first, to save time; see ``EqualLength``
    ``images``  batches that frozen batch norm takes its statistics of

    ``relu``               filters of variance 2 / fan-in (He et al., arXiv 1502.01852), ReLU
    ``linear``             filters of variance 1 / fan-in
    ``batch_norm``         as ``relu``, with batch norm without scale and bias after each convolution
    ``frozen_batch_norm``  the same with the statistics of ``images`` in the initial network, to be run in that mode
    ``shift_and_scale``    filters of variance 1 / fan-in, ``ShiftAndScale``

    Images continue at their opposite border: zeros there would lower the variance and tell positions apart.
    The output is the last layer's: (n, channels, h, w). Raises ValueError for frozen batch norm without images.
    """
    if kind == "frozen_batch_norm" and images is None:
        raise ValueError("frozen batch norm needs images to take its statistics of")
    widths = [inputs] + [channels] * depth
    layers = [_layer(kind, before, channels) for before in widths[:-1]]
    network = nn.Sequential(EqualLength(shrink), *layers)
    if kind == "frozen_batch_norm" and images is not None:
        refresh_statistics(network, images)
    return network.train(MODES[kind] == "batch")


def _layer(kind: Kind, inputs: int, outputs: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="circular", bias=False)
    gain = 1 if kind in ("linear", "shift_and_scale") else 2
    nn.init.normal_(convolution.weight, std=math.sqrt(gain / (9 * inputs)))
    norm = [nn.BatchNorm2d(outputs, affine=False)] if kind in ("batch_norm", "frozen_batch_norm") else []
    return nn.Sequential(convolution, *norm, *_activation(kind))


def _activation(kind: Kind) -> list[nn.Module]:
    if kind == "linear":
        return []
    return [ShiftAndScale() if kind == "shift_and_scale" else nn.ReLU(inplace=True)]
