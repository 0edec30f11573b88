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

    It starts as a copy. Buffers of integers are copied at every update. The trained network is only read.
    """

    def __init__(self, network: nn.Module, every: int, momentum: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.every = every
        self.share_of_new = 1 - momentum**every
        self.steps = 0
        pairs = list(zip(_tensors(self.network), _tensors(network), strict=True))
        self.averaged = [pair for pair in pairs if pair[0].is_floating_point()]
        self.copied = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self) -> None:
        """Count one step of the optimiser, and move the average if it is due."""
        self.steps += 1
        if self.steps % self.every:
            return
        torch._foreach_lerp_([old for old, _ in self.averaged], [new for _, new in self.averaged], self.share_of_new)
        for old, new in self.copied:
            old.copy_(new)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint has to keep: the number of steps and the tensors of the average, not copied."""
        return {"steps": self.steps, "network": self.network.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a ``state()`` of the same network."""
        self.steps = state["steps"]
        self.network.load_state_dict(state["network"])


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]
