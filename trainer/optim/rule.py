"""What all update rules have in common."""

from collections.abc import Iterable
from typing import Protocol

from torch import Tensor


class Rule(Protocol):
    """An update rule for some parameters of one number format, and its state."""

    parameters: list[Tensor]

    def step(self, lr: float, weight_decay: float, momentum: float, loss_scale: float = 1.0) -> None:
        """Update every parameter in place from its gradient of ``loss_scale`` times the mean loss.

        The gradients are used up: their memory holds something else afterwards.
        """

    def state(self) -> list[Tensor]:
        """Return what the next step depends on beside the parameters, not copied."""


def gradients(parameters: Iterable[Tensor]) -> list[Tensor]:
    """Return the gradients of parameters that all have one."""
    found = []
    for parameter in parameters:
        assert parameter.grad is not None
        found.append(parameter.grad)
    return found
