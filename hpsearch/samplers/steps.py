"""One step of a line search: a parameter doubled or halved, and what goes with it so that the run stays the same.

Post 5 of the series changes the batch size with eta/N held, and the momentum with eta/(1-rho) held: a step of either
takes learning rate and weight decay along, so that rate and tau stay as they are, as far as the ranges allow.
"""

from collections.abc import Mapping
from dataclasses import replace

from hpsearch.contract import Value
from hpsearch.space.coordinates import Raw, Run, lr_of, to_coordinates, to_raw
from hpsearch.space.parameters import Choice, Constant, Integer, Parameter, Real
from hpsearch.space.spec import Space
from hpsearch.space.values import is_number

LINEAR_STEPS = 8
"""A range on a linear scale has no doubling: a step is this part of it."""

Point = Mapping[str, Value]
"""A value for every parameter of a space, also for those that do not exist under the others."""


def directions(parameter: Parameter) -> range:
    """Return what may be asked of ``stepped``: 1 and -1 where values have an order, else which value comes next."""
    if isinstance(parameter, Constant):
        return range(0)
    if isinstance(parameter, Choice) and not _ordered(parameter):
        return range(1, len(parameter.values))
    return range(1, -2, -2)


def stepped(parameter: Parameter, value: Value, direction: int, size: float) -> Value:
    """Return the value one step from ``value``, or at the bound before it.

    ``size`` 1 is a doubling on a log scale (of 1 - x on log1m), an eighth of a linear range; ``size`` 1/2 is half of
    it: a factor of sqrt 2. On a grid a step goes to the next point at least; in a choice of numbers to the next, in any
    other choice ``direction`` values on, round and round.
    """
    if isinstance(parameter, Constant):
        return value
    if isinstance(parameter, Choice):
        return _chosen(parameter, value, direction)
    found = nearest(parameter, _target(parameter, float(value), direction * size))
    if found == value and parameter.step is not None:
        return nearest(parameter, float(value) + direction * parameter.step)
    return found


def nearest(parameter: Parameter, x: float) -> Value:
    """Return the value of a range or a choice of numbers that is nearest to ``x``."""
    match parameter:
        case Real():
            return parameter.canonical(min(max(x, parameter.low), parameter.high))
        case Integer():
            inside = min(max(x, parameter.low), parameter.high)
            return parameter.low + parameter.step * round((inside - parameter.low) / parameter.step)
        case Choice():
            return min(parameter.values, key=lambda value: abs(float(value) - x))
        case Constant():
            return parameter.value


def moved(space: Space, point: Point, name: str, direction: int, size: float) -> Point:
    """Return ``point`` after a step of the parameter ``name``; of batch size or momentum, with rate and tau held."""
    value = stepped(space.parameters[name], point[name], direction, size)
    spec = space.coordinates
    if value == point[name] or name not in (spec.batch_size, spec.momentum):
        return {**point, name: value}
    return _with_rate_and_tau_held(space, point, {**point, name: value})


def _with_rate_and_tau_held(space: Space, old: Point, new: Point) -> Point:
    """Return ``new`` with the learning rate and weight decay, where they are searched, that keep rate and tau."""
    spec = space.coordinates
    run = Run(spec.run.optimizer, 1, 1)  # only ratios matter here, and the length of the run is in none
    was, now = _raw(space, old), _raw(space, new)
    if was is None or now is None:
        return new
    wanted = to_raw(replace(to_coordinates(was, run), batch_size=now.batch_size, momentum=now.momentum), run)
    held = {**new, **_fitted(space, spec.lr, wanted.lr)}
    reached = _raw(space, held)  # a bound may lie before the learning rate that was wanted: tau is held all the same
    factor = 1.0 if reached is None else wanted.lr / reached.lr
    return {**held, **_fitted(space, spec.weight_decay, wanted.weight_decay * factor)}


def _raw(space: Space, point: Point) -> Raw | None:
    """Return the four hyperparameters, with any number for what is not in the space; None where they make no run."""
    spec = space.coordinates
    batch, momentum = _number(point, spec.batch_size, 1.0), _number(point, spec.momentum, 0.0)
    if batch <= 0 or momentum >= 1:
        return None
    if spec.rate in space.parameters:
        lr = lr_of(_number(point, spec.rate, 1.0), batch, momentum, spec.run)
    else:
        lr = _number(point, spec.lr, 1.0)
    return Raw(lr, _number(point, spec.weight_decay, 0.0), batch, momentum) if lr > 0 else None


def _fitted(space: Space, name: str, x: float) -> Point:
    """Return the value of a parameter that is nearest to ``x``; nothing where it is no number that is searched."""
    parameter = space.parameters.get(name)
    if parameter is None or isinstance(parameter, Constant):
        return {}
    if isinstance(parameter, Choice) and not _ordered(parameter):
        return {}
    return {name: nearest(parameter, x)}


def _target(parameter: Real | Integer, x: float, steps: float) -> float:
    if parameter.scale == "log":
        return float(x * 2**steps)
    if parameter.scale == "log1m":
        return float(1 - (1 - x) * 2**-steps)
    return x + steps * (parameter.high - parameter.low) / LINEAR_STEPS


def _chosen(parameter: Choice, value: Value, direction: int) -> Value:
    if not _ordered(parameter):
        values = parameter.values
        return values[(values.index(value) + direction) % len(values)]
    ascending = sorted(parameter.values, key=float)
    return ascending[min(max(ascending.index(value) + direction, 0), len(ascending) - 1)]


def _ordered(parameter: Choice) -> bool:
    return all(is_number(value) for value in parameter.values)


def _number(point: Point, name: str, default: float) -> float:
    value = point.get(name, default)
    return float(value) if is_number(value) else default
