"""Adam (D. Kingma and J. Ba, 2015), also with decoupled weight decay (AdamW: I. Loshchilov and F. Hutter, 2019).

    m <- beta1 * m + (1 - beta1) * g
    v <- beta2 * v + (1 - beta2) * g^2
    w <- w - lr * m / (1 - p1) / (sqrt(v / (1 - p2)) + epsilon)

p1 and p2 are the products of all beta1 and beta2 so far: 1 - p1 is the sum of the weights that m gives to gradients,
also where beta1 follows a schedule. At a constant beta it is 1 - beta^t, and the rule that of torch.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from trainer.optim.rule import gradients


class Adam:
    """The update rule for parameters of one number format, and its state: m, v (zero at first), p1 and p2 (one)."""

    def __init__(self, parameters: Iterable[Tensor], beta2: float, epsilon: float, decoupled: bool) -> None:
        self.parameters = list(parameters)
        self.means = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.squares = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.products = torch.ones(2, dtype=torch.float64)  # not on the device, which a read would wait for
        self.beta2 = beta2
        self.epsilon = epsilon
        self.decoupled = decoupled

    @torch.no_grad()
    def step(self, lr: float, weight_decay: float, momentum: float, loss_scale: float = 1.0) -> None:
        """Update every parameter in place from its gradient of ``loss_scale`` times the mean loss.

        ``momentum`` is beta1. A decay that is decoupled is w <- w - lr * weight_decay * w before the step; otherwise
        weight_decay * w is a part of g. The gradients are used up.
        """
        steps = gradients(self.parameters)
        torch._foreach_mul_(steps, 1 / loss_scale)
        if self.decoupled:
            torch._foreach_mul_(self.parameters, 1 - lr * weight_decay)
        else:
            torch._foreach_add_(steps, self.parameters, alpha=weight_decay)
        self._remember(steps, momentum)
        p1, p2 = self.products.tolist()
        torch._foreach_copy_(steps, self.squares)
        torch._foreach_sqrt_(steps)
        torch._foreach_div_(steps, math.sqrt(1 - p2))
        torch._foreach_add_(steps, self.epsilon)
        torch._foreach_addcdiv_(self.parameters, self.means, steps, value=-lr / (1 - p1))

    def state(self) -> list[Tensor]:
        """Return all m, all v, and (p1, p2)."""
        return [*self.means, *self.squares, self.products]

    def _remember(self, slopes: list[Tensor], beta1: float) -> None:
        torch._foreach_lerp_(self.means, slopes, 1 - beta1)
        torch._foreach_mul_(self.squares, self.beta2)
        torch._foreach_addcmul_(self.squares, slopes, slopes, value=1 - self.beta2)
        self.products *= torch.tensor([beta1, self.beta2], dtype=torch.float64)
