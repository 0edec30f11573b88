"""What a step asks for, counted: FLOP, and the bytes that its operators read and write.

FLOP are those of convolutions and matrix products, a multiply-add being 2, by the formulas of torch's own counter
(``torch.utils.flop_counter``). Bytes are those of every tensor that an operator takes or gives, once each: the least
traffic of eager execution, in which every operator is carried out by itself. What only looks at memory in another way
(a view) or reserves it moves none.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from trainer.diagnostics.step import Step
from trainer.diagnostics.step_parts import AUGMENTATION, OTHER, of_operator

_RESERVES = ("empty", "new_empty")
_ONLY_WRITES = ("copy_", "fill_", "zero_")


@dataclass(frozen=True)
class Operator:
    """Equal operators, each of so many ``flop`` and ``bytes``.

    ``calls``  how many a step has, a fraction where not every step has one
    """

    part: str
    name: str
    calls: float
    flop: int
    bytes: int


def count(step: Step) -> list[Operator]:
    """Count a period of steps and the beginning of an epoch, and return what a step has of it."""
    steps, beginning = _Ledger(), _Ledger()
    with steps:
        for number in range(step.period):
            step.take(number, steps.named)
    with beginning, beginning.named(AUGMENTATION):
        step.begin()
    return [*steps.operators(step.period), *beginning.operators(step.epoch_steps)]


class _Ledger(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Keeps account of every operator that is carried out inside it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.phase: str | None = None
        self.calls: Counter[tuple[str, str, int, int]] = Counter()

    @contextmanager
    def named(self, phase: str) -> Iterator[None]:
        """Count what runs meanwhile for ``phase``."""
        self.phase = phase
        yield
        self.phase = None

    def operators(self, steps: int) -> list[Operator]:
        """Return what was counted, a step."""
        return [
            Operator(part, name, calls / steps, flop, moved) for (part, name, flop, moved), calls in self.calls.items()
        ]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        name = func.name().removeprefix("aten::").partition(".")[0]
        if not (func.is_view or name.startswith(_RESERVES)):
            part = self.phase or of_operator(name) or OTHER
            self.calls[part, name, _flop(func, args, kwargs, out), traffic(func, args, kwargs, out)] += 1
        return out


def _flop(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    formula = flop_registry.get(func.overloadpacket)
    return int(formula(*args, **kwargs, out_val=out)) if formula else 0


def traffic(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """Return the bytes of the tensors that the operator ``func`` takes, and of those that it gives or changes."""
    formals = func._schema.arguments
    given = [*zip(formals, args, strict=False), *((of, kwargs[of.name]) for of in formals if of.name in kwargs)]
    changed = [tensor for of, value in given if of.is_write for tensor in _tensors(value)]
    only_written = changed if func.name().removeprefix("aten::").partition(".")[0] in _ONLY_WRITES else []
    read = [tensor for _, value in given for tensor in _tensors(value) if not _among(tensor, only_written)]
    made = [tensor for tensor in _tensors(out) if not _among(tensor, changed)]
    return sum(map(size, [*read, *changed, *made]))


def size(tensor: Tensor) -> int:
    """Return the bytes of memory behind ``tensor``: what is repeated along an axis is there once."""
    elements = 1
    for length, stride in zip(tensor.shape, tensor.stride(), strict=True):
        elements *= length if stride else min(length, 1)
    return elements * tensor.element_size()


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _tensors(one)


def _among(tensor: Tensor, others: list[Tensor]) -> bool:
    return any(tensor is other for other in others)
