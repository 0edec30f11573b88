"""ResNet-9: the network that post 4 of "How to Train Your ResNet" (D. Page, 2018) arrives at."""

import torch.nn.functional as F
from torch import Tensor, nn


class ConvNorm(nn.Module):
    """3x3 convolution, batch norm, ReLU and, if asked for, 2x2 max pooling, at torch's default initialisation.

    The pooling comes before the ReLU: both orders compute the same values and gradients, because ReLU is monotone, and
    this one applies it to a quarter of the pixels.
    """

    def __init__(self, inputs: int, outputs: int, pool: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, outputs, h, w), or to half the height and width."""
        x = self.norm(self.conv(x))
        if self.pool:
            x = F.max_pool2d(x, 2)
        return F.relu(x, inplace=True)


class Residual(nn.Module):
    """x + f(x), with f two ConvNorm of the same width."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(ConvNorm(channels, channels), ConvNorm(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels, h, w) to the same shape."""
        out: Tensor = x + self.branch(x)
        return out


class ResNet9(nn.Module):
    """Eight convolutions, two of them pairs in a residual block, global max pooling and a linear layer without bias.

    ``width`` is 64 in post 4 (6.6 million parameters, 0.38 billion multiply-adds per 32x32 image).
    """

    def __init__(self, channels: int, classes: int, width: int, logit_scale: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            ConvNorm(channels, width),
            ConvNorm(width, 2 * width, pool=True),
            Residual(2 * width),
            ConvNorm(2 * width, 4 * width, pool=True),
            ConvNorm(4 * width, 8 * width, pool=True),
            Residual(8 * width),
            nn.AdaptiveMaxPool2d(1),
            nn.Flatten(),
        )
        self.linear = nn.Linear(8 * width, classes, bias=False)
        self.logit_scale = logit_scale

    def forward(self, images: Tensor) -> Tensor:
        """Map images (n, channels, h, w), at least 8x8, to logits (n, classes)."""
        logits: Tensor = self.linear(self.layers(images))
        return logits * self.logit_scale
