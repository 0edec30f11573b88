"""What can be wrong with a belief, found before anything runs."""

import math
from collections.abc import Mapping

from hpsearch.errors import listed, nearest
from hpsearch.space.axes import axis, natural, scale_of
from hpsearch.space.coordinate_spec import CoordinateSpec
from hpsearch.space.parameters import Choice, Parameter
from hpsearch.space.prior_spec import Belief
from hpsearch.typed_yaml import wrong

COORDINATES = ("rate", "tau")
"""Of these there may be a belief also where they are no parameters: lr and weight_decay follow from them."""


def check_normal(beliefs: Mapping[str, Belief], parameters: Mapping[str, Parameter], spec: CoordinateSpec) -> None:
    """Check a prior of the form ``{normal: ...}``; raises what a validator of the whole space raises."""
    for name, belief in beliefs.items():
        path, parameter = ("prior", "normal", name), parameters.get(name)
        if parameter is None and name not in COORDINATES:
            known = [*parameters, *(one for one in COORDINATES if one not in parameters)]
            raise wrong(f"'{name}' is not a parameter", *path, allowed=listed(known), hint=nearest(name, known))
        if isinstance(parameter, Choice) and len(parameter.values) > 1 and axis(name, parameter, spec) is None:
            what = f"the values of {name} lie on no scale, so none is near a centre"
            raise wrong(what, *path, got=parameter.describe(), allowed="numbers in ascending or descending order")
        if (fault := misplaced(name, belief, parameter, spec)) is not None:
            key, got, allowed = fault
            raise wrong(f"{name} cannot have this {key}", *path, key, got=got, allowed=allowed)


def misplaced(
    name: str, belief: Belief, parameter: Parameter | None, spec: CoordinateSpec
) -> tuple[str, float, str] | None:
    """Return what of a belief has no place on the scale of ``name``: key, value and what is allowed."""
    scale = scale_of(name, parameter, spec)
    if not math.isfinite(natural(belief.centre, scale)):
        return "centre", belief.centre, "below 1" if scale == "log1m" else "above 0"
    if scale != "linear" and belief.spread <= 1:
        return "spread", belief.spread, "above 1: it is a factor, where a scale is logarithmic"
    return None
