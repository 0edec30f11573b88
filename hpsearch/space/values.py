"""What every kind of parameter shares: plain values, and the condition under which a parameter exists."""

import math
from typing import Annotated, TypeGuard

from pydantic import AfterValidator, BeforeValidator, Field

from hpsearch.contract import Value
from hpsearch.typed_yaml import Typed, wrong


def _finite(value: Value) -> Value:
    if isinstance(value, float) and not math.isfinite(value):
        raise wrong("must be a finite number", got=value)
    return value


def as_tuple(value: object) -> object:
    """Let a list of the file stand for a tuple; anything else is left for the model to judge."""
    return tuple(value) if isinstance(value, list) else value


def _one_or_more(value: object) -> object:
    return as_tuple(value) if isinstance(value, list | tuple) else (value,)


FiniteValue = Annotated[Value, AfterValidator(_finite)]
Condition = dict[str, Annotated[tuple[FiniteValue, ...], Field(min_length=1), BeforeValidator(_one_or_more)]]
"""Name of another parameter -> the values of it with which this parameter exists."""


def same(one: Value, other: Value) -> bool:
    """Tell whether two values are equal and of one kind: 1 is 1.0, but not true."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def is_number(value: object) -> TypeGuard[int | float]:
    """Tell whether ``value`` is an int or float; booleans are not numbers here."""
    return isinstance(value, int | float) and not isinstance(value, bool)


class Conditional(Typed):
    """What every parameter has: ``when``, the condition under which it is part of a configuration."""

    when: Condition = Field(default_factory=dict)


def cell(u: float, cells: int) -> int:
    """Return which of ``cells`` equal parts of the unit interval ``u`` lies in."""
    return min(int(u * cells), cells - 1)
