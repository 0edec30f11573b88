"""Muon (K. Jordan, 2024, kellerjordan.github.io/posts/muon): momentum whose singular values are all brought near 1.

The filters of a convolution are seen as a matrix (outputs, inputs * height * width).
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from trainer.optim.rule import gradients
from trainer.precision import supported

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""a, b, c of the polynomial a*s + b*s^3 + c*s^5: five times over, it brings every s in [0.002, 1] into [0.68, 1.21].

It need not come closer to 1, and can therefore be steep at 0, where most singular values of a gradient are.
"""


def orthogonalised(matrix: Tensor, iterations: int, dtype: torch.dtype) -> Tensor:
    """Return U f(S) V' for ``matrix`` (rows, columns) = U S V', with f(S) near 1; computed in ``dtype``.

    S is divided by its root sum of squares, so that the length of ``matrix`` does not matter, and then goes
    ``iterations`` times through the polynomial. A matrix of zeros stays one.
    """
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x.float() if x.dtype == torch.float16 else x  # whose least number is too large for the length of a small step
    x = (x / x.norm().clamp(min=torch.finfo(x.dtype).tiny)).to(dtype)
    for _ in range(iterations):
        square = x @ x.T
        x = torch.addmm(x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return (x.T if tall else x).to(matrix.dtype)


class Muon:
    """The update rule for convolutions that a batch norm follows, and its state: one velocity for each, zero at first.

    The length of such filters changes nothing in what the network computes; each is kept at a Frobenius norm of
    sqrt(outputs), which takes the place of weight decay.

    ``parameters``  weights (outputs, inputs, height, width)
    ``iterations``  of ``orthogonalised``
    ``dtype``  what that computes in; None = bf16 where the device is fast at it, else fp32
    """

    def __init__(self, parameters: Iterable[Tensor], iterations: int, dtype: torch.dtype | None = None) -> None:
        self.parameters = list(parameters)
        self.velocities = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.iterations = iterations
        self.dtype = dtype or _fast_format(self.parameters[0].device)

    @torch.no_grad()
    def step(self, lr: float, weight_decay: float, momentum: float, loss_scale: float = 1.0) -> None:
        """Update every parameter in place from its gradient g of ``loss_scale`` times the mean loss.

        v <- momentum * v + g; w <- w * sqrt(outputs) / |w|; w <- w - lr * orthogonalised(g + momentum * v). Neither a
        fixed scale of the loss nor a decay changes anything in this. The gradients are used up.
        """
        steps = gradients(self.parameters)
        torch._foreach_mul_(self.velocities, momentum)
        torch._foreach_add_(self.velocities, steps)
        torch._foreach_add_(steps, self.velocities, alpha=momentum)
        for weight, step in zip(self.parameters, steps, strict=True):
            weight.mul_(math.sqrt(len(weight)) / weight.norm())
            weight.sub_(orthogonalised(step.flatten(1), self.iterations, self.dtype).reshape(weight.shape), alpha=lr)

    def state(self) -> list[Tensor]:
        """Return the velocities."""
        return self.velocities


def _fast_format(device: torch.device) -> torch.dtype:
    return torch.bfloat16 if "bf16" in supported(device) else torch.float32
