"""A step of a small network that is no recipe's."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.trainer.conftest import CPU
from trainer.diagnostics.step import Step

IMAGES, CHANNELS, WIDTH, SIDE, CLASSES = 6, 3, 8, 12, 5


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(CHANNELS, WIDTH, 3, padding=1, bias=False),
        nn.BatchNorm2d(WIDTH),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
        nn.GELU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(WIDTH, CLASSES),
    )


def plain_step(of: nn.Module, loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy, lr: float = 0.1) -> Step:
    torch.manual_seed(1)
    inputs = torch.randn(4, IMAGES, CHANNELS, SIDE, SIDE)
    labels = torch.randint(CLASSES, (4, IMAGES))
    rule = torch.optim.SGD(of.parameters(), lr)
    return Step(
        device=CPU,
        network=of,
        begin=lambda: None,
        batch=lambda number: (2 * inputs[number % 4], labels[number % 4]),
        clear=lambda _: rule.zero_grad(),
        predict=of,
        loss=loss,
        update=lambda _: rule.step() and None,
        epoch_steps=4,
    )
