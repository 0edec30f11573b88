"""An exponential moving average of a network over the steps of its training."""

import copy
from typing import Any

import torch
from torch import Tensor, nn


class WeightAverage:
    """A second network whose parameters and batch-norm statistics are averages of those of ``network``.

    ``network``  the one that is trained; on its device and in its format before the average is made
    ``every``  steps between two updates: the average moves once for all of them
    ``momentum``  what the average keeps of itself per step, so momentum**every per update

    It starts as a copy. Buffers of integers are copied at every update. The trained network is only read. Averages of
    fp16 tensors are kept in fp32: a step of a hundredth of the way would be lost in rounding.
    """

    def __init__(self, network: nn.Module, every: int, momentum: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.every = every
        self.share_of_new = 1 - momentum**every
        self.steps = 0
        self.trained, self.shown = _tensors(network), _tensors(self.network)
        self.averages = [tensor.float() if tensor.dtype == torch.float16 else tensor for tensor in self.shown]

    @torch.no_grad()
    def update(self) -> None:
        """Count one step of the optimiser, and move the average if it is due."""
        self.steps += 1
        if self.steps % self.every == 0:
            self._move()

    def _move(self) -> None:
        for dtype in {tensor.dtype for tensor in self.averages}:  # one call for each format, which a GPU wants
            old, new = self._of(dtype)
            if dtype.is_floating_point:
                torch._foreach_lerp_(old, new, self.share_of_new)
            else:
                torch._foreach_copy_(old, new)
        self._show()

    def _of(self, dtype: torch.dtype) -> tuple[list[Tensor], list[Tensor]]:
        pairs = zip(self.averages, self.trained, strict=True)
        alike = [(old, new.to(dtype)) for old, new in pairs if old.dtype == dtype]
        return [old for old, _ in alike], [new for _, new in alike]

    def _show(self) -> None:
        """Bring the averages that are kept in another format to the network."""
        for shown, average in zip(self.shown, self.averages, strict=True):
            if shown is not average:
                shown.copy_(average)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint has to keep: the number of steps and the averages, not copied."""
        return {"steps": self.steps, "averages": self.averages}

    @torch.no_grad()
    def restore(self, state: dict[str, Any]) -> None:
        """Take over a ``state()`` of the same network."""
        self.steps = state["steps"]
        for average, saved in zip(self.averages, state["averages"], strict=True):
            average.copy_(saved)
        self._show()


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]
