"""The kinds of parameter: what values each may take, and how a point of the unit interval becomes one of them.

``from_unit`` is uniform over the scale of a parameter, so every sampler that draws uniform numbers can draw from it;
a discrete parameter divides the unit interval into cells of equal width (on its scale), one for each value.
"""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from hpsearch.contract import Value
from hpsearch.errors import listed
from hpsearch.space.numeric import Integer, Real
from hpsearch.space.values import Conditional, FiniteValue, as_tuple, cell, same
from hpsearch.typed_yaml import wrong

__all__ = ["Choice", "Constant", "Integer", "Parameter", "Real", "ends"]


class Choice(Conditional):
    """One of the listed values, each equally likely."""

    type: Literal["choice"] = "choice"
    values: Annotated[tuple[FiniteValue, ...], BeforeValidator(as_tuple)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.values:
            raise wrong("a choice needs at least one value", "values", got=[])
        for position, value in enumerate(self.values):
            if value in self.values[:position]:  # also refuses 1 beside 1.0 or true: they could not be told apart
                raise wrong("the values of a choice must differ", "values", position, got=value)
        return self

    def from_unit(self, u: float) -> Value:
        """Map ``u`` in [0, 1) to a value."""
        return self.values[cell(u, len(self.values))]

    def to_unit(self, value: Value) -> float:
        """Map a value back to the middle of its cell."""
        return (self.values.index(value) + 0.5) / len(self.values)

    def contains(self, value: Value) -> bool:
        """Tell whether ``value`` is one of the listed ones."""
        return any(same(value, own) for own in self.values)

    def canonical(self, value: Value) -> Value:
        """Return a contained ``value`` as it is listed."""
        return self.values[self.values.index(value)]

    def describe(self) -> str:
        """List the values."""
        return listed(self.values)


class Constant(Conditional):
    """One value that is not searched."""

    type: Literal["constant"] = "constant"
    value: FiniteValue

    def from_unit(self, u: float) -> Value:
        """Return the value."""
        return self.value

    def to_unit(self, value: Value) -> float:
        """Return the middle of the unit interval."""
        return 0.5

    def contains(self, value: Value) -> bool:
        """Tell whether ``value`` is the one."""
        return same(value, self.value)

    def canonical(self, value: Value) -> Value:
        """Return the value as it was written."""
        return self.value

    def describe(self) -> str:
        """Show the value."""
        return str(self.value)


Parameter = Annotated[Real | Integer | Choice | Constant, Field(discriminator="type")]


def ends(parameter: Parameter) -> tuple[Value, ...]:
    """Return the values of a choice or a constant, or the bounds of a range."""
    match parameter:
        case Choice():
            return parameter.values
        case Constant():
            return (parameter.value,)
        case Real() | Integer():
            return (parameter.low, parameter.high)
