"""A space as a factorial design: its factors are choices between two values, of which the first is the level +1."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hpsearch.space.design import ALIASED, columns, resolution
from hpsearch.space.parameters import Choice, Constant, Parameter
from hpsearch.typed_yaml import wrong

if TYPE_CHECKING:
    from hpsearch.space.spec import Space

ROMAN = {3: "III", 4: "IV", 5: "V", 6: "VI", 7: "VII", 8: "VIII"}


def factors(parameters: Mapping[str, Parameter], runs: int) -> dict[str, Choice]:
    """Return the searched parameters, at most ``runs`` - 1 of them.

    Raises what a validator may raise for one that is no choice between two values or is absent in some runs, for more
    of them than the design has columns, and where there is none.
    """
    found = {name: _factor(name, one) for name, one in parameters.items() if not isinstance(one, Constant)}
    if not found:
        hint = "a choice of two values"
        raise wrong("a factorial design needs a parameter that is not constant", "parameters", hint=hint)
    if len(found) >= runs:
        what = f"a design of {runs} runs has no room for so many parameters"
        hint = "more runs, or constants"
        raise wrong(what, "parameters", got=f"{len(found)} parameters", allowed=f"at most {runs - 1}", hint=hint)
    return found


def resolution_of(space: "Space") -> int | None:
    """Return the resolution of the design of ``space``, None for a full one."""
    runs = space.sampler.design_runs
    return resolution(columns(len(space.searched), runs), runs)


def described(space: "Space") -> str:
    """Say in words how large the design of ``space`` is and what its effects may be mixed with."""
    found = resolution_of(space)
    if found is None:
        clear = "a full design: no effect is mixed with another"
    elif found <= ALIASED:
        clear = "resolution III: effects are mixed with interactions of two others, which more runs would tell apart"
    else:
        name = ROMAN.get(found, str(found))
        clear = f"resolution {name}: effects are not mixed with interactions of two others"
    return f"{space.sampler.design_runs} runs for {len(space.searched)} parameters, {clear}"


def _factor(name: str, parameter: Parameter) -> Choice:
    what, hint = "a factorial design needs choices between two values", "a choice of two values, or a constant"
    if not isinstance(parameter, Choice):
        raise wrong(what, "parameters", name, "type", got=parameter.type, hint=hint)
    if len(parameter.values) != 2:
        raise wrong(what, "parameters", name, "values", got=list(parameter.values), hint=hint)
    if parameter.when:
        what = "a parameter of a factorial design must be there in every run"
        raise wrong(what, "parameters", name, "when", hint="leave it out")
    return parameter
