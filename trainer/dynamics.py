"""How the weights move while they are trained: the steps of a run are measured, every so many of them (post 6).

Norms are fp32 whatever the network is kept in. What is measured stays on the device until the end of an epoch, and then
becomes the rows of the table ``dynamics`` (``dynamics_table``). The training is the same to the last bit.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from trainer.blocks import Trace
from trainer.dynamics_table import MEASURED, Columns, table
from trainer.models.norm import BatchNorm
from trainer.optim.update import Setting, Update
from trainer.trace_checks import chosen


class Tracer:
    """Takes the steps of an update, and measures every so many of them.

    ``network``    the one that is trained
    ``update``     its update rule
    ``trace``      which steps and tensors
    ``invariant``  names of the scale-invariant parameters

    Raises RecipeError where no tensor has a name that is asked for.
    """

    def __init__(self, network: nn.Module, update: Update, trace: Trace, invariant: frozenset[str]) -> None:
        named, kinds = dict(network.named_parameters()), _kinds(network)
        self.names = chosen(trace, list(named))
        self.tensors = [named[name] for name in self.names]
        self.fixed = {
            "layer": np.array(self.names),
            "kind": np.array([kinds[name] for name in self.names]),
            "size": np.array([tensor.numel() for tensor in self.tensors]),
            "scale_invariant": np.array([name in invariant for name in self.names]),
        }
        self.update = update
        self.every = trace.every
        self.begin(0)

    def begin(self, step: int) -> None:
        """Begin an epoch: its first step comes after ``step`` others."""
        self.first = self.next = step
        self.steps: list[int] = []
        self.settings: list[dict[str, Setting]] = []
        self.measured: list[Tensor] = []

    def step(self, position: float, loss_scale: float = 1.0) -> None:
        """Take the step of ``Update.step``, in exactly the same way, and measure it where it is due."""
        if self.next % self.every == 0:
            self._measured_step(position, loss_scale)
        else:
            self.update.step(position, loss_scale)
        self.next += 1

    @torch.no_grad()
    def _measured_step(self, position: float, loss_scale: float) -> None:
        before = [_copy(tensor) for tensor in self.tensors]
        gradients = [_copy(torch.zeros_like(w) if w.grad is None else w.grad) for w in self.tensors]
        self.update.step(position, loss_scale)
        after = [tensor.float() for tensor in self.tensors]
        self.steps.append(self.next)
        self.settings.append(self.update.settings(position))
        self.measured.append(_measured(before, gradients, after, loss_scale))

    def columns(self, batches: Sequence[slice]) -> Columns:
        """Return the table of the epoch whose steps went over ``batches``, sorted by step; empty if none was due."""
        if not self.steps:
            return {}
        taken = [batches[step - self.first] for step in self.steps]
        steps = {"step": np.array(self.steps), "batch_size": np.array([batch.stop - batch.start for batch in taken])}
        settings = [[settings[name] for name in self.names] for settings in self.settings]
        return table(steps, self.fixed, settings, torch.stack(self.measured).double().cpu().numpy())


def _copy(tensor: Tensor) -> Tensor:
    return tensor.to(torch.float32, copy=True)


def _measured(before: list[Tensor], gradients: list[Tensor], after: list[Tensor], loss_scale: float) -> Tensor:
    """Return what ``dynamics_table.MEASURED`` names, of all tensors: (measured, tensors).

    The angles come from the distance of unit vectors: a cosine near 1 says nothing of a small angle in fp32. A tensor
    of zeros has no direction but NaN. ``before`` and ``gradients`` are used up, for new memory would cost more time
    than the arithmetic.
    """
    moves = [*torch._foreach_sub(after, before)]
    w_norms, g_norms, after_norms, move_norms = map(torch._foreach_norm, (before, gradients, after, moves))
    torch._foreach_div_(before, w_norms)
    torch._foreach_div_(gradients, g_norms)
    torch._foreach_div_(moves, move_norms)
    torch._foreach_add_(moves, gradients)
    gradient_update = torch._foreach_norm(moves)
    torch._foreach_sub_(gradients, before)
    weight_gradient = torch._foreach_norm(gradients)
    torch._foreach_copy_(moves, after)
    torch._foreach_div_(moves, after_norms)
    torch._foreach_sub_(moves, before)
    weight_weight = torch._foreach_norm(moves)
    norms = [w_norms, torch._foreach_div(g_norms, loss_scale), move_norms]
    lengths = [*norms, weight_gradient, weight_weight, gradient_update]
    return torch.stack([one for each in lengths for one in each]).reshape(len(MEASURED), -1)


def _kinds(network: nn.Module) -> dict[str, str]:
    """Return what kind of tensor each parameter is."""
    return {
        name: _kind(module, name.rpartition(".")[2])
        for prefix, module in network.named_modules()
        for name, _ in module.named_parameters(prefix, recurse=False)
    }


def _kind(module: nn.Module, name: str) -> str:
    if isinstance(module, BatchNorm):
        return "norm scale" if name == "weight" else "norm bias"
    if name == "bias":
        return "bias"
    kinds = {nn.Conv2d: "conv", nn.Linear: "linear"}
    return next((kind for layer, kind in kinds.items() if isinstance(module, layer)), "other")
