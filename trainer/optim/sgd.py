"""SGD with momentum on the mean loss, whose learning rate, weight decay and momentum are given at every step.

With g the gradient of the mean loss plus weight_decay * w, the two conventions of a recipe's ``optimizer.velocity`` are

                                     plain               Nesterov
    torch    v <- momentum * v + g       w <- w - lr * v     w <- w - lr * (g + momentum * v)
    scaled   v <- momentum * v + lr * g  w <- w - v          w <- w - (lr * g + momentum * v)

"scaled" is the rule of the series "How to Train Your ResNet": a gradient keeps the learning rate of its own step for as
long as the momentum remembers it. At constant lr both are the same; under a schedule they are not.

A decay that is decoupled (I. Loshchilov and F. Hutter, 2019) is not part of g: w <- w - lr * weight_decay * w comes
before the step, and the velocity does not know of it.
"""

from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor

from trainer.optim.rule import gradients


class SGD:
    """The update rule and its state: one velocity per parameter, zero at first."""

    def __init__(
        self,
        parameters: Iterable[Tensor],
        velocity: Literal["torch", "scaled"],
        nesterov: bool = True,
        decoupled: bool = False,
    ) -> None:
        self.parameters = list(parameters)
        self.velocities = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.scaled = velocity == "scaled"
        self.nesterov = nesterov
        self.decoupled = decoupled

    @torch.no_grad()
    def step(self, lr: float, weight_decay: float, momentum: float, loss_scale: float = 1.0) -> None:
        """Update every parameter in place from its gradient of ``loss_scale`` times the mean loss.

        The gradients are used up. The scale is taken out together with the rate, not before it, because the gradient of
        a mean loss is too small for fp16; so the velocity of "torch" sums scaled gradients, and ``loss_scale`` must
        stay the same from step to step.
        """
        steps = gradients(self.parameters)
        if self.decoupled:
            torch._foreach_mul_(self.parameters, 1 - lr * weight_decay)
        else:
            torch._foreach_add_(steps, self.parameters, alpha=weight_decay * loss_scale)
        self._move(steps, lr / loss_scale, momentum)

    def state(self) -> list[Tensor]:
        """Return the velocities."""
        return self.velocities

    def _move(self, steps: list[Tensor], lr: float, momentum: float) -> None:
        """Move every parameter along its velocity, which takes up ``steps``; these are used up."""
        if self.scaled:
            torch._foreach_mul_(steps, lr)
        torch._foreach_mul_(self.velocities, momentum)
        torch._foreach_add_(self.velocities, steps)
        if self.nesterov:
            torch._foreach_add_(steps, self.velocities, alpha=momentum)
        torch._foreach_add_(
            self.parameters, steps if self.nesterov else self.velocities, alpha=-1 if self.scaled else -lr
        )
