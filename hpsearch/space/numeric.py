"""Parameters that are numbers: Real and Integer, on their scales, with or without steps."""

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Literal, Self

from pydantic import Field, FiniteFloat, model_validator

from hpsearch.contract import Value
from hpsearch.space.values import Conditional, cell, is_number
from hpsearch.typed_yaml import wrong

Scale = Literal["linear", "log"]
RealScale = Literal["linear", "log", "log1m"]

Warp = Callable[[float], float]

_WARPS: dict[RealScale, tuple[Warp, Warp]] = {
    "linear": (lambda x: x, lambda y: y),
    "log": (math.log, math.exp),
    "log1m": (lambda x: -math.log1p(-x), lambda y: -math.expm1(-y)),
}
"""Scale -> an increasing function to where the scale is uniform, and its inverse."""


class Real(Conditional):
    """A number in [low, high]; with a step, a point of that grid.

    It is uniform on its scale: x itself (linear), log x (log), or log(1 - x), for what is near 1 as a momentum (log1m).
    """

    type: Literal["real"] = "real"
    low: FiniteFloat
    high: FiniteFloat
    scale: RealScale = "linear"
    step: FiniteFloat | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_range(self.low, self.high)
        if self.scale == "log" and self.low <= 0:
            raise wrong("a log scale cannot reach zero or below", "low", got=self.low, allowed="above 0")
        if self.scale == "log1m":
            _check_below_one(self.low, self.high)
        if self.scale != "linear" and self.step is not None:
            hint = f"leave out step, or scale: {self.scale}"
            raise wrong("a log scale has no equal steps", "step", got=self.step, hint=hint)
        if self.step is not None and (_exact(self.high) - _exact(self.low)) % _exact(self.step):
            below = self._on_grid(self._cells() - 1)
            raise wrong("high must be a whole number of steps above low", "high", got=self.high, hint=f"{below}?")
        return self

    def from_unit(self, u: float) -> float:
        """Map ``u`` in [0, 1) to a value."""
        if self.step is not None:
            return self._on_grid(cell(u, self._cells()))
        warp, back = _WARPS[self.scale]
        return min(max(back(warp(self.low) * (1 - u) + warp(self.high) * u), self.low), self.high)

    def to_unit(self, value: Value) -> float:
        """Map a value back to [0, 1]: the middle of its cell where there are steps."""
        x = float(value)
        if self.step is not None:
            return (self._index(x) + 0.5) / self._cells()
        warp, _ = _WARPS[self.scale]
        width = warp(self.high) - warp(self.low)
        return (warp(x) - warp(self.low)) / width if width else 0.5

    def contains(self, value: Value) -> bool:
        """Tell whether ``value`` is a number in the range and, where there are steps, on one of them."""
        if not is_number(value) or not self.low <= float(value) <= self.high:
            return False
        return self.step is None or math.isclose(float(value), self.canonical(value), abs_tol=1e-9 * self.step)

    def canonical(self, value: Value) -> float:
        """Return a contained ``value`` as a float, exactly as ``from_unit`` writes it."""
        return float(value) if self.step is None else self._on_grid(self._index(float(value)))

    def describe(self) -> str:
        """Say the range, scale and step in one line."""
        step = "" if self.step is None else f", in steps of {self.step:.12g}"
        return f"{self.low:.12g} .. {self.high:.12g}, {self.scale}{step}"

    def _cells(self) -> int:
        return 1 if self.step is None else int((_exact(self.high) - _exact(self.low)) / _exact(self.step)) + 1

    def _index(self, value: float) -> int:
        return 0 if self.step is None else round((value - self.low) / self.step)

    def _on_grid(self, index: int) -> float:
        return float(_exact(self.low) + index * _exact(self.step or 0.0))


class Integer(Conditional):
    """A whole number in [low, high], uniform on a linear or logarithmic scale; with a step, a point of that grid."""

    type: Literal["integer"] = "integer"
    low: int
    high: int
    scale: Scale = "linear"
    step: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_range(self.low, self.high)
        if self.scale == "log" and self.low < 1:
            raise wrong("a log scale cannot reach zero or below", "low", got=self.low, allowed="1 or more")
        if self.scale == "log" and self.step != 1:
            raise wrong("a log scale has no equal steps", "step", got=self.step, hint="leave out step, or scale: log")
        if (self.high - self.low) % self.step:
            below = self.high - (self.high - self.low) % self.step
            raise wrong("high must be a whole number of steps above low", "high", got=self.high, hint=f"{below}?")
        return self

    def from_unit(self, u: float) -> int:
        """Map ``u`` in [0, 1) to a value; on a log scale, n has the cell from log(n - 1/2) to log(n + 1/2)."""
        if self.scale == "linear":
            return self.low + self.step * cell(u, self._cells())
        value = math.exp(math.log(self.low - 0.5) * (1 - u) + math.log(self.high + 0.5) * u)
        return min(max(round(value), self.low), self.high)

    def to_unit(self, value: Value) -> float:
        """Map a value back to the middle of its cell."""
        n = int(value)
        if self.scale == "linear":
            return ((n - self.low) // self.step + 0.5) / self._cells()
        low, width = math.log(self.low - 0.5), math.log((self.high + 0.5) / (self.low - 0.5))
        return ((math.log(n - 0.5) + math.log(n + 0.5)) / 2 - low) / width

    def contains(self, value: Value) -> bool:
        """Tell whether ``value`` is an int in the range and on a step."""
        if not isinstance(value, int) or isinstance(value, bool):
            return False
        return self.low <= value <= self.high and (value - self.low) % self.step == 0

    def canonical(self, value: Value) -> int:
        """Return a contained ``value`` as an int."""
        return int(value)

    def describe(self) -> str:
        """Say the range, scale and step in one line."""
        step = "" if self.step == 1 else f", in steps of {self.step}"
        return f"{self.low} .. {self.high}, {self.scale}{step}"

    def _cells(self) -> int:
        return (self.high - self.low) // self.step + 1


def _check_range(low: float, high: float) -> None:
    if low > high:
        raise wrong("low must not be above high", "low", got=low, allowed=f"at most {high} (high)")


def _check_below_one(low: float, high: float) -> None:
    if low < 0:
        raise wrong("a log1m scale is for numbers from 0 to below 1", "low", got=low, allowed="0 or more")
    if high >= 1:
        raise wrong("a log1m scale cannot reach 1", "high", got=high, allowed="below 1")


def _exact(x: float) -> Decimal:
    """Return the decimal that ``x`` is written as, so that 0.1 + 2 * 0.1 is 0.3."""
    return Decimal(repr(x))
