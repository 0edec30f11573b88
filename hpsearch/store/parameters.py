"""How the values of a parameter stand in a column, and how they come back exactly as they were proposed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from hpsearch.contract import Value
from hpsearch.space.parameters import Constant, Integer, Parameter, Real

_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True)
class ParameterColumn:
    """The column of one parameter; ``values`` are those of a choice or a constant, and empty for a range."""

    name: str
    column: str
    type: pa.DataType
    values: tuple[Value, ...] = ()

    @classmethod
    def of(cls, name: str, column: str, parameter: Parameter) -> "ParameterColumn":
        """Return the column for ``parameter``: float64, int64, bool or string, by the values it may take."""
        if isinstance(parameter, Real):
            return cls(name, column, pa.float64())
        if isinstance(parameter, Integer):
            return cls(name, column, pa.int64())
        values = (parameter.value,) if isinstance(parameter, Constant) else parameter.values
        return cls(name, column, _common_type(values), values)

    def stored(self, value: Value) -> Value:
        """Return what stands in the column for ``value``."""
        if self.type == pa.float64():
            return float(value)
        if self.type == pa.string() and (not isinstance(value, str) or value in self._texts):
            return json.dumps(value)
        return value

    def proposed(self, stored: Value) -> Value:
        """Return the value for which ``stored`` stands in the column: 1 and not 1.0 where the choice was 1 or 2.5."""
        return self._by_stored.get(stored, stored)

    @cached_property
    def _texts(self) -> set[str]:
        """The texts that stand for values which are not text."""
        return {json.dumps(value) for value in self.values if not isinstance(value, str)}

    @cached_property
    def _by_stored(self) -> dict[Value, Value]:
        return {self.stored(value): value for value in self.values}


def _common_type(values: Sequence[Value]) -> pa.DataType:
    kinds = {type(value) for value in values}
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {int} and all(value in _INT64 for value in values):
        return pa.int64()
    return pa.float64() if kinds <= {int, float} else pa.string()
