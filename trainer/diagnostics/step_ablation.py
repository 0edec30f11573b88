"""A step without one of its parts: what it saves is what the part costs in the company of the others.

A part of the network, or the loss, is not taken out of it but answered from memory: each call returns what it returned
the first time, and its gradients are those of the first time. So all the rest computes as before, on tensors of the
same sizes, formats and layout; only the part itself is not computed. Augmentation gives the same batch again and
again; the optimiser does nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from trainer.diagnostics.step import Step
from trainer.diagnostics.step_parts import (
    ACTIVATION,
    AUGMENTATION,
    CONVOLUTION,
    LINEAR,
    LOSS,
    NORM,
    OPTIMISER,
    POOLING,
    of_operator,
)

REMOVABLE = (CONVOLUTION, LINEAR, NORM, ACTIVATION, POOLING, LOSS, OPTIMISER, AUGMENTATION)
"""Parts that a step can do without."""


def without(step: Step, part: str) -> Step:
    """Return ``step`` without ``part``; its first step still has the part and remembers what comes of it.

    Raises ValueError for a part that cannot be left out.
    """
    if part not in REMOVABLE:
        raise ValueError(f"a step cannot do without {part!r}, only without one of {', '.join(REMOVABLE)}")
    if part == OPTIMISER:
        return replace(step, update=lambda _: None)
    if part == AUGMENTATION:
        kept = step.batch(0)
        return replace(step, batch=lambda _: kept, begin=lambda: None)
    if part == LOSS:
        memory = _Memories()
        return replace(step, loss=lambda *given: memory.again(0, step.loss, given, {}))
    mode = _Without(part)
    return replace(step, predict=lambda inputs: mode.around(step.predict, inputs))


def compared(step: Step, part: str) -> Step:
    """Return the whole ``step``, with that in the way of its functions which ``without`` puts there for ``part``.

    Looking at every function that a network calls takes time by itself, which a short step would feel.
    """
    if part in (OPTIMISER, AUGMENTATION, LOSS):
        return step
    mode = _Without(None)
    return replace(step, predict=lambda inputs: mode.around(step.predict, inputs))


@contextmanager
def undone(network: nn.Module) -> Iterator[None]:
    """Put all tensors of ``network`` back afterwards: what steps without a part make of them is of no use."""
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    try:
        yield
    finally:
        network.load_state_dict(before)


class _Without(TorchFunctionMode):
    """Answers the functions of one part, or of none, from memory; the calls of a step are told apart by their order."""

    def __init__(self, part: str | None) -> None:
        super().__init__()
        self.part = part
        self.calls = 0
        self.memory = _Memories()

    def around(self, predict: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
        self.calls = 0
        with self:
            return predict(inputs)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        part = of_operator(getattr(func, "__name__", ""))
        if part is None or part != self.part:
            return func(*args, **(kwargs or {}))
        self.calls += 1
        return self.memory.again(self.calls, func, args, kwargs or {})


class _Memories:
    """What the calls of a step came to."""

    def __init__(self) -> None:
        self.calls: dict[int, _Memory] = {}

    def again(
        self, call: int, function: Callable[..., Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Tensor:
        """Return what ``function`` returned for the first call of this number."""
        trained = [one for one in (*args, *kwargs.values()) if isinstance(one, Tensor) and one.requires_grad]
        if call not in self.calls:
            self.calls[call] = _remember(function, args, kwargs)
        out: Tensor = _Again.apply(self.calls[call], *trained)  # type: ignore[no-untyped-call]
        return out


@dataclass
class _Memory:
    """The ``value`` of a call, and its ``gradients`` in ``inputs``, once a gradient has come back to ``result``."""

    value: Tensor
    result: Tensor | None
    inputs: list[Tensor]
    gradients: tuple[Tensor | None, ...] | None = field(default=None)

    def back(self, gradient: Tensor) -> tuple[Tensor | None, ...]:
        if self.result is not None:
            self.gradients = torch.autograd.grad(self.result, self.inputs, gradient, allow_unused=True)
            self.result, self.inputs = None, []
        assert self.gradients is not None
        return self.gradients


def _remember(function: Callable[..., Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Memory:
    """Call ``function`` on stand-ins for the tensors that are trained, so that its gradients can be asked for."""
    inputs: list[Tensor] = []

    def stand_in(value: Any) -> Any:
        if not (isinstance(value, Tensor) and value.requires_grad):
            return value
        inputs.append(value.detach().requires_grad_())
        return inputs[-1].clone()  # no leaf, for it may be overwritten

    positional = [stand_in(value) for value in args]  # before the others, as their gradients are asked for
    result = function(*positional, **{name: stand_in(value) for name, value in kwargs.items()})
    return _Memory(result.detach().clone(), result if result.requires_grad else None, inputs)


class _Again(torch.autograd.Function):
    """The value of a memory, connected to the tensors that are trained."""

    @staticmethod
    def forward(ctx: Any, memory: _Memory, *trained: Tensor) -> Tensor:
        ctx.memory = memory
        return memory.value.data  # a tensor of its own on the same memory, no view, which nobody may overwrite

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return None, *ctx.memory.back(gradients[0])
