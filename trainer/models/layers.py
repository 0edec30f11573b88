"""The few blocks that all networks of the series are made of; each is told by the recipe how it normalises and acts."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainer.blocks import Network
from trainer.models.norm import make_norm

Downsample = Literal["conv1x1", "conv3x3", "pool", "pool_before_norm"]


SOFTPLUS_BETA, SOFTPLUS_THRESHOLD = 10, 2.5
"""log(1 + exp(beta x)) / beta, and x itself where beta x is above the threshold (post 7)."""


class Activation(nn.Module):
    """ReLU, CELU, GELU or softplus, elementwise; it overwrites its input where that is allowed."""

    def __init__(self, model: Network) -> None:
        super().__init__()
        self.kind = model.activation
        self.alpha = model.celu_alpha or 1.0
        self.monotone = model.activation in ("relu", "celu")  # softplus falls by 0.008 where it becomes x itself

    def forward(self, x: Tensor) -> Tensor:
        """Map any shape to the same shape."""
        match self.kind:
            case "relu":
                return F.relu(x, inplace=True)
            case "gelu":
                return F.gelu(x)
            case "softplus":
                return F.softplus(x, beta=SOFTPLUS_BETA, threshold=SOFTPLUS_THRESHOLD)
            case "celu":
                return F.celu(x, self.alpha)


class ConvNorm(nn.Module):
    """Convolution without bias, norm and activation; ``downsample`` halves the image, none keeps its size.

    With ``pool`` the activation comes after the pooling where it is monotone: both orders compute the same values and
    gradients, and this one applies it to a quarter of the pixels.
    """

    def __init__(
        self, inputs: int, outputs: int, model: Network, kernel: int = 3, downsample: Downsample | None = None
    ) -> None:
        super().__init__()
        kernel = 1 if downsample == "conv1x1" else kernel
        stride = 2 if downsample in ("conv1x1", "conv3x3") else 1
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
        self.norm = make_norm(outputs, model.norm)
        self.activation = Activation(model)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, outputs, h, w), or to half the height and width."""
        x = self.conv(x)
        if self.downsample == "pool_before_norm":
            x = F.max_pool2d(x, 2)
        x = self.norm(x)
        pools = self.downsample == "pool"
        if pools and self.activation.monotone:
            x = F.max_pool2d(x, 2)
        x = self.activation(x)
        return F.max_pool2d(x, 2) if pools and not self.activation.monotone else x


class Residual(nn.Module):
    """x + f(x), with f two ConvNorm of the same width."""

    def __init__(self, channels: int, model: Network) -> None:
        super().__init__()
        self.branch = nn.Sequential(ConvNorm(channels, channels, model), ConvNorm(channels, channels, model))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels, h, w) to the same shape."""
        out: Tensor = x + self.branch(x)
        return out


class PreActivation(nn.Module):
    """Norm and activation first, then the shortest path and, if asked for, a branch of two 3x3 convolutions beside it.

    Both read what comes out of the first activation. The shortest path is a 1x1 convolution where the shape changes.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, model: Network, branch: bool) -> None:
        super().__init__()
        self.before = nn.Sequential(make_norm(inputs, model.norm), Activation(model))
        changes = stride != 1 or inputs != outputs
        self.shortest = nn.Conv2d(inputs, outputs, 1, stride, bias=False) if changes else nn.Identity()
        self.branch = _branch(inputs, outputs, stride, model) if branch else None

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        x = self.before(x)
        out: Tensor = self.shortest(x)
        return out if self.branch is None else out + self.branch(x)


def _branch(inputs: int, outputs: int, stride: int, model: Network) -> nn.Sequential:
    first = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    last = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
    return nn.Sequential(first, make_norm(outputs, model.norm), Activation(model), last)


class Head(nn.Module):
    """Global max pooling, alone or side by side with global average pooling, and a scaled linear layer."""

    def __init__(self, channels: int, classes: int, concat: bool, bias: bool, scale: float) -> None:
        super().__init__()
        self.linear = nn.Linear(channels * (1 + concat), classes, bias=bias)
        self.concat = concat
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels, h, w) to logits (n, classes)."""
        pooled = F.adaptive_max_pool2d(x, 1).flatten(1)
        if self.concat:
            pooled = torch.cat([pooled, x.mean((2, 3))], 1)
        logits: Tensor = self.linear(pooled)
        return logits * self.scale


def pass_inputs_on(network: nn.Module) -> None:
    """Let the first outputs of every 3x3 convolution copy its inputs, as many as there are of both (Dirac filters)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
            shared = min(module.in_channels, module.out_channels)
            nn.init.dirac_(module.weight.detach()[:shared])


def keep_signal(network: nn.Module) -> None:
    """Draw the filters of all convolutions so that ReLU layers keep the second moment of what passes (He et al., 2015).

    A filter of k inputs is normal with variance 2 / k.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
