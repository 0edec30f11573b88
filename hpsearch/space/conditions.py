"""Which parameters exist: what the ``when:`` of each asks of the others."""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

from hpsearch.contract import Value
from hpsearch.space.parameters import Parameter
from hpsearch.space.values import same
from hpsearch.typed_yaml import wrong


def dependency_order(parameters: Mapping[str, Parameter]) -> list[str]:
    """Return the names so that each follows those of its condition."""
    graph = {name: list(parameter.when) for name, parameter in parameters.items()}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as cycle:
        names = cycle.args[1]
        message = f"conditions that depend on each other: {' -> '.join(names)}"
        raise wrong(message, "parameters", names[0], "when") from None


def exists(parameter: Parameter, chosen: Mapping[str, Value]) -> bool:
    """Tell whether a parameter exists beside the values ``chosen`` for those of its condition, as far as they exist."""
    return all(
        other in chosen and any(same(chosen[other], value) for value in values)
        for other, values in parameter.when.items()
    )
