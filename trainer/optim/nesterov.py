"""SGD with Nesterov momentum on the mean loss, whose learning rate, decay and momentum are given at every step.

With g the gradient of the mean loss plus weight_decay * w, the two conventions of a recipe's ``optimizer.velocity`` are

    torch    v <- momentum * v + g       w <- w - lr * (g + momentum * v)
    scaled   v <- momentum * v + lr * g  w <- w - (lr * g + momentum * v)

"scaled" is the rule of the series "How to Train Your ResNet": a gradient keeps the learning rate of its own step for as
long as the momentum remembers it. At constant lr both are the same; under a schedule they are not.
"""

from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor


class NesterovSGD:
    """The update rule and its state: one velocity per parameter, zero at first."""

    def __init__(self, parameters: Iterable[Tensor], velocity: Literal["torch", "scaled"]) -> None:
        self.parameters = list(parameters)
        self.velocities = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.scaled = velocity == "scaled"

    @torch.no_grad()
    def step(self, lr: float, weight_decay: float, momentum: float, loss_scale: float = 1.0) -> None:
        """Update every parameter in place from its gradient of ``loss_scale`` times the mean loss.

        The gradients are used up: their memory holds the step that was taken. The scale is taken out together with the
        rate, not before it, because the gradient of a mean loss is too small for fp16; so the velocity of "torch" sums
        scaled gradients, and ``loss_scale`` must stay the same from step to step.
        """
        steps = [gradient(parameter) for parameter in self.parameters]
        torch._foreach_add_(steps, self.parameters, alpha=weight_decay * loss_scale)
        if self.scaled:
            torch._foreach_mul_(steps, lr / loss_scale)
        torch._foreach_mul_(self.velocities, momentum)
        torch._foreach_add_(self.velocities, steps)
        torch._foreach_add_(steps, self.velocities, alpha=momentum)
        torch._foreach_add_(self.parameters, steps, alpha=-1 if self.scaled else -lr / loss_scale)


def gradient(parameter: Tensor) -> Tensor:
    """Return the gradient of a parameter that has one."""
    assert parameter.grad is not None
    return parameter.grad
