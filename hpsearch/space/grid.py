"""Every combination of the values of a space that can be enumerated."""

from collections.abc import Mapping

from hpsearch.contract import Config, Value
from hpsearch.space.conditions import dependency_order, exists
from hpsearch.space.parameters import Choice, Constant, Integer, Parameter, Real
from hpsearch.typed_yaml import wrong

MOST_VALUES = 64
"""A whole number with more values than this is meant to be sampled."""

MOST = 10_000
"""Combinations of a grid."""


def combinations(parameters: Mapping[str, Parameter]) -> list[Config]:
    """Return each configuration once, in the order of nested loops over the parameters as declared, the last innermost.

    A parameter whose condition fails is absent and takes no loop. Raises what a validator may raise for a ``real``, an
    integer with more than 64 values, and more than 10,000 combinations.
    """
    values = {name: _values(name, parameter) for name, parameter in parameters.items()}
    found: list[dict[str, Value]] = [{}]
    for name in dependency_order(parameters):
        found = [
            {**config, **chosen}
            for config in found
            for chosen in ([{name: value} for value in values[name]] if exists(parameters[name], config) else [{}])
        ]
        if len(found) > MOST:
            hint = "fewer values, or constants"
            raise wrong("the grid has too many combinations", "parameters", allowed=f"at most {MOST:,}", hint=hint)
    declared = [{name: config[name] for name in parameters if name in config} for config in found]
    return sorted(
        declared, key=lambda config: [values[name].index(config.get(name, values[name][0])) for name in values]
    )


def _values(name: str, parameter: Parameter) -> tuple[Value, ...]:
    match parameter:
        case Choice():
            return parameter.values
        case Constant():
            return (parameter.value,)
        case Integer():
            return _whole_numbers(name, parameter)
        case Real():
            what = "grid needs values to enumerate: choice, integer or constant"
            raise wrong(what, "parameters", name, "type", got="real", hint="a choice of some values")


def _whole_numbers(name: str, parameter: Integer) -> tuple[int, ...]:
    numbers = range(parameter.low, parameter.high + 1, parameter.step)
    if len(numbers) > MOST_VALUES:
        what, allowed = "the integer has too many values for a grid", f"at most {MOST_VALUES}"
        raise wrong(what, "parameters", name, got=f"{len(numbers)} values", allowed=allowed, hint="a step, or a choice")
    return tuple(numbers)
