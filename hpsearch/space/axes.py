"""The natural scale of a parameter, on which beliefs about it are stated, and its place in the unit interval."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hpsearch.space.coordinate_spec import CoordinateSpec
from hpsearch.space.numeric import RealScale
from hpsearch.space.parameters import Choice, Constant, Integer, Parameter, Real
from hpsearch.space.values import is_number

Floats = npt.NDArray[np.float64]

LEAST = 1e-9
"""A range that is narrower than this on its natural scale has no place for a belief."""

KNOTS = 1025
"""Points at which the scale of a range is tabulated; between them it is interpolated."""


def scale_of(name: str, parameter: Parameter | None, spec: CoordinateSpec) -> RealScale:
    """Return the natural scale of a parameter, or of rate and tau where there is no parameter of that name.

    Momentum is on that of log(1 - x), the other roles, rate and tau on that of log x, others on their own.
    """
    if name == spec.momentum:
        return "log1m"
    if name in (spec.lr, spec.weight_decay, spec.batch_size, spec.rate, spec.tau, "rate", "tau"):
        return "log"
    return parameter.scale if isinstance(parameter, Real | Integer) else "linear"


def natural(value: float, scale: RealScale) -> float:
    """Return ``value`` on a natural scale; not finite where it has no place there."""
    with np.errstate(divide="ignore", invalid="ignore"):
        match scale:
            case "log1m":
                return float(np.log1p(-value))
            case "log":
                return float(np.log(value))
            case _:
                return float(value)


@dataclass(frozen=True)
class Axis:
    """Places in the unit interval (ascending) and the natural values there (ascending or descending)."""

    units: Floats
    values: Floats

    def value(self, units: Floats) -> Floats:
        """Return the natural values at some places."""
        values: Floats = np.interp(units, self.units, self.values)
        return values

    def unit(self, values: Floats) -> Floats:
        """Return the places of natural values, not limited to the unit interval: beyond the ends the scale goes on."""
        order = slice(None, None, 1 if self.rising else -1)
        inside = np.interp(values, self.values[order], self.units[order])
        low, high = min(self.values[0], self.values[-1]), max(self.values[0], self.values[-1])
        beyond = np.maximum(values - high, 0) + np.minimum(values - low, 0)
        units: Floats = inside + beyond * self.slope
        return units

    def slopes(self, values: Floats) -> Floats:
        """Return by how much the place changes with the natural value, near some values; beyond the ends, the mean."""
        order = slice(None, None, 1 if self.rising else -1)
        ends, units = self.values[order], self.units[order]
        before = np.clip(np.searchsorted(ends, values, side="right") - 1, 0, len(ends) - 2)
        near = np.diff(units)[before] / np.diff(ends)[before]
        inside = (values >= ends[0]) & (values <= ends[-1])
        slopes: Floats = np.abs(np.where(inside, near, self.slope))
        return slopes

    @property
    def rising(self) -> bool:
        """Whether natural values grow with the place."""
        return bool(self.values[-1] >= self.values[0])

    @property
    def slope(self) -> float:
        """The mean change of the place with the natural value."""
        return float((self.units[-1] - self.units[0]) / (self.values[-1] - self.values[0]))


def axis(name: str, parameter: Parameter, spec: CoordinateSpec) -> Axis | None:
    """Return the axis of a parameter, None where it has no order, no width, or no place on its natural scale."""
    if isinstance(parameter, Constant):
        return None
    scale = scale_of(name, parameter, spec)
    if isinstance(parameter, Choice):
        if not all(is_number(value) for value in parameter.values):
            return None
        units = [parameter.to_unit(value) for value in parameter.values]
        values = [natural(float(value), scale) for value in parameter.values]
    elif isinstance(parameter, Real) and parameter.step is None and parameter.scale == scale:
        units, values = [0.0, 1.0], [natural(parameter.from_unit(u), scale) for u in (0.0, 1.0)]
    else:
        units = np.unique(settled(parameter, np.linspace(0, 1, KNOTS))).tolist()
        values = [natural(float(parameter.from_unit(u)), scale) for u in units]
    if not all(math.isfinite(value) for value in values) or not _monotone(values):
        return None
    if abs(values[-1] - values[0]) < LEAST:
        return None
    return Axis(np.array(units), np.array(values))


def settled(parameter: Parameter, places: Floats) -> Floats:
    """Return the places of the values that ``parameter`` takes at ``places`` (n,): others, where it is discrete."""
    if not isinstance(parameter, Choice | Integer) and getattr(parameter, "step", None) is None:
        return places
    return np.array([parameter.to_unit(parameter.from_unit(place)) for place in places.tolist()])


def _monotone(values: list[float]) -> bool:
    steps = np.diff(values)
    return bool(np.all(steps > 0) or np.all(steps < 0))
