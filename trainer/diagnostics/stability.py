"""Whether gradient descent at a learning rate is stable, by trying: theory puts the limit at 2 / largest eigenvalue."""

import copy
import math
from collections.abc import Sequence

import torch
from torch import nn

from trainer.diagnostics.hessian import Batches, Hessian, Loss, unflatten
from trainer.diagnostics.norm_mode import Mode

RISE = 0.05
"""Rise of the loss that counts as none, as a share of the loss at the start: ReLU has kinks, and curvature may grow a
little on the way."""


def descend(
    module: nn.Module, loss: Loss, batches: Batches, mode: Mode, lr: float, steps: int, bound: float
) -> list[float]:
    """Return the loss before each of ``steps`` steps along the gradient of all ``batches``, and after the last.

    Plain gradient descent at the learning rate ``lr`` without momentum, on a copy of ``module``. The list ends early
    with the first loss that is not finite or is above ``bound``.
    """
    network = copy.deepcopy(module)
    slope = Hessian(network, loss, batches, mode)
    losses: list[float] = []
    for _ in range(steps):
        value, gradient = slope.loss_and_gradient()
        losses.append(value)
        if not (math.isfinite(value) and value <= bound):
            return losses
        with torch.no_grad():
            for parameter, part in zip(slope.parameters, unflatten(gradient, slope.parameters), strict=True):
                parameter.sub_(part, alpha=lr)
    return [*losses, slope.loss()]


def grows(losses: Sequence[float], rise: float = RISE) -> bool:
    """Return whether a descent was unstable: somewhere the loss is not finite, or above its lowest so far.

    Above by more than ``rise`` times the loss at the start. While the learning rate is below 2 / curvature along the
    way, no step can raise the loss; above it the part along the leading eigenvector grows at every step, at twice the
    limit threefold and its loss ninefold, after a start that may look well because all other directions fall.

    Where the loss ends says less: the growth may calm itself. With batch norm the large gradients make the weights
    longer, which lowers the curvature until the rate is stable again, and other networks, too, may be thrown into a
    flatter place (Lewkowycz et al., arXiv 2003.02218).
    """
    lowest = math.inf
    for value in losses:
        lowest = min(lowest, value)
        if not (math.isfinite(value) and value <= lowest + rise * abs(losses[0])):
            return True
    return False
