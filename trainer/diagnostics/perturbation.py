"""What a small step of all parameters does to the outputs, in particular one towards a single output (post 7)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainer.diagnostics.hessian import Batches, Loss, flatten, full_precision, trainable, unflatten
from trainer.diagnostics.norm_mode import Mode, in_mode


@dataclass(frozen=True)
class Outputs:
    """``accuracy``: share of right answers; ``loss``: mean; ``shares``: of the answers that each class has."""

    accuracy: float
    loss: float
    shares: tuple[float, ...]


@dataclass(frozen=True)
class Shifted:
    """``outputs`` after a step that raises the mean of the output ``towards``; the same ``before`` it."""

    towards: int
    before: Outputs
    after: Outputs

    @property
    def share_before(self) -> float:
        """The share of answers that the chosen class had."""
        return self.before.shares[self.towards]

    @property
    def share_after(self) -> float:
        """The share of answers that the chosen class has got."""
        return self.after.shares[self.towards]


@torch.no_grad()
def outputs(module: nn.Module, loss: Loss, batches: Batches, mode: Mode) -> Outputs:
    """Return what ``module`` answers to all examples of ``batches``; it maps a batch to (n, classes)."""
    with in_mode(module, mode), full_precision(batches[0][0].device):
        logits = [module(inputs).float() for inputs, _ in batches]
    labels = torch.cat([labels for _, labels in batches])
    total = sum(loss(out, wanted).item() * len(wanted) for out, (_, wanted) in zip(logits, batches, strict=True))
    answers = torch.cat(logits).argmax(1)
    counts = answers.bincount(minlength=logits[0].shape[1]) / len(labels)
    return Outputs((answers == labels).double().mean().item(), float(total) / len(labels), tuple(counts.tolist()))


@contextmanager
def moved(module: nn.Module, step: Tensor) -> Iterator[None]:
    """Add ``step`` (p,) to the trainable parameters, and put them back to the last bit at the end."""
    parameters = trainable(module)
    before = [parameter.detach().clone() for parameter in parameters]
    parts = unflatten(step, parameters)
    try:
        with torch.no_grad():
            for parameter, part in zip(parameters, parts, strict=True):
                parameter.add_(part)
        yield
    finally:
        with torch.no_grad():
            for parameter, kept in zip(parameters, before, strict=True):
                parameter.copy_(kept)


def towards_output(
    module: nn.Module, loss: Loss, batches: Batches, mode: Mode, gradients: Tensor, share: float = 0.01
) -> list[Shifted]:
    """Take a step along each of ``gradients`` in turn, and return what becomes of the answers to ``batches``.

    ``gradients``  (outputs, p), of the mean of each output: ``moment_gradients(...)[0]``
    ``share``      length of the step over the length of all trainable parameters together

    A batch norm that is active normalises by the batch after the step, too. A gradient of zero is no step.
    """
    before = outputs(module, loss, batches, mode)
    length = share * flatten(trainable(module)).detach().norm()
    shifted = []
    for towards, gradient in enumerate(gradients):
        with moved(module, F.normalize(gradient, dim=0) * length):
            shifted.append(Shifted(towards, before, outputs(module, loss, batches, mode)))
    return shifted


def squared_norms(gradient: Tensor, module: nn.Module) -> dict[str, float]:
    """Return the squared length of each trainable parameter's part of ``gradient`` (p,), by the parameter's name."""
    named = {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}
    parts = unflatten(gradient, list(named.values()))
    return {name: part.double().square().sum().item() for name, part in zip(named, parts, strict=True)}
