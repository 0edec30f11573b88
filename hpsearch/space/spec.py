"""The search space file as one typed value."""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from hpsearch.contract import EPOCHS, Config, Value
from hpsearch.errors import SpaceError, listed, nearest
from hpsearch.space.belief_checks import check_normal
from hpsearch.space.blocks import Budget, Fidelity, Objective, Resources, SamplerSpec, Stopping, Train
from hpsearch.space.conditions import dependency_order, exists
from hpsearch.space.coordinate_spec import CoordinateSpec
from hpsearch.space.factorial import factors
from hpsearch.space.grid import combinations
from hpsearch.space.parameters import Constant, Parameter, Real
from hpsearch.space.prior_spec import PriorSpec, as_prior
from hpsearch.space.values import FiniteValue, as_tuple
from hpsearch.typed_yaml import Document, Typed, parse, wrong

__all__ = ["NAME", "Budget", "Fidelity", "Objective", "Resources", "SamplerSpec", "Space", "Stopping", "Train"]

NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
"""A parameter: an identifier, or a key path such as ``augment.cutout``."""


class Space(Typed):
    """A search space. Its defaults are those of a file that says nothing about them."""

    goal: str = ""
    train: Train = Train()
    parameters: dict[str, Parameter] = Field(min_length=1)
    objective: Objective
    coordinates: CoordinateSpec = CoordinateSpec()
    prior: Annotated[PriorSpec | None, BeforeValidator(as_prior)] = None
    sampler: SamplerSpec = SamplerSpec()
    stopping: Stopping = Stopping()
    fidelity: Fidelity | None = None
    budget: Budget
    start_with: Annotated[tuple[dict[str, FiniteValue], ...], BeforeValidator(as_tuple)] = ()
    """Settings that are evaluated first; the sampler fills in what an entry leaves out."""
    resources: Resources = Resources()
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, parameter in self.parameters.items():
            if not NAME.fullmatch(name):
                allowed = "letters, digits and _; a key path joins such names by dots"
                raise wrong(f"'{name}' cannot name a parameter", "parameters", name, allowed=allowed)
            for other, values in parameter.when.items():
                self._check_condition(name, other, values)
        dependency_order(self.parameters)
        for position, entry in enumerate(self.start_with):
            for name, value in entry.items():
                self._check_start(position, name, value)
        if self.prior is not None and self.prior.name != "uniform" and not self.sampler.takes_prior:
            hint = "leave it out, or sampler: {name: hpsearch}"
            raise wrong(f"the sampler {self.sampler.name} makes no use of a prior", "prior", hint=hint)
        if self.prior is not None and self.prior.normal is not None:
            check_normal(self.prior.normal, self.parameters, self.coordinates)
        self._check_fidelity()
        self._check_repeats()
        if self.sampler.name == "grid":
            combinations(self.parameters)
        if self.sampler.name == "factorial":
            factors(self.parameters, self.sampler.design_runs)
        return self

    def _check_fidelity(self) -> None:
        if self.fidelity is None:
            return
        if EPOCHS in self.parameters:
            what = "a parameter 'epochs' sets the length of a run as well"
            raise wrong(what, "fidelity", hint="leave out one of them")
        if self.stopping.rule != "none":
            what = "a run that is stopped early has not come down its schedule, which fidelity is there to avoid"
            raise wrong(what, "fidelity", got=f"stopping: {{rule: {self.stopping.rule}}}", hint="leave out one of them")
        if self.fidelity.shorter and self.sampler.name == "factorial":
            raise wrong("the runs of a design are all of one length", "fidelity", "epochs", hint="name one length")

    def _check_repeats(self) -> None:
        if self.budget.repeats != 0 and self.sampler.name == "factorial":
            what, hint = "repeats of what looks best would bias the effects", "more trials go through the design again"
            raise wrong(what, "budget", "repeats", got=self.budget.repeats, hint=hint)

    def _check_condition(self, name: str, other: str, values: tuple[Value, ...]) -> None:
        path = ("parameters", name, "when", other)
        parameter = self.parameters.get(other)
        if parameter is None:
            raise wrong(f"'{other}' is not a parameter", *path, **self._known(other))
        if isinstance(parameter, Real):
            raise wrong("a condition needs a choice, integer or constant", *path, got=f"{other} is a real")
        for value in values:
            # a condition on a constant may fail: that is how --set switches a part of the space off
            if not isinstance(parameter, Constant) and not parameter.contains(value):
                raise wrong(f"{other} never has this value", *path, got=value, allowed=parameter.describe())

    def _check_start(self, position: int, name: str, value: Value) -> None:
        path = ("start_with", position, name)
        if name not in self.parameters:
            raise wrong(f"'{name}' is not a parameter", *path, **self._known(name))
        if not self.parameters[name].contains(value):
            allowed = self.parameters[name].describe()
            raise wrong(f"outside the range of {name}", *path, got=value, allowed=allowed)

    def _known(self, name: str) -> dict[str, str | None]:
        return {"allowed": listed(list(self.parameters)), "hint": nearest(name, self.parameters)}

    @property
    def belief(self) -> PriorSpec:
        """The prior, or what holds where the file names none."""
        return self.prior or PriorSpec(name="heuristic" if self.sampler.takes_prior else "uniform")

    @property
    def full_epochs(self) -> int | None:
        """The length of a full run, where the space says it."""
        return None if self.fidelity is None else self.fidelity.full

    @property
    def searched(self) -> list[str]:
        """The names of the parameters that are not constant, in declared order."""
        return [name for name, parameter in self.parameters.items() if not isinstance(parameter, Constant)]

    @property
    def constants(self) -> Config:
        """The values that are not searched."""
        return {name: one.value for name, one in self.parameters.items() if isinstance(one, Constant)}

    def config(self, draw: Callable[[str, Parameter], Value]) -> Config:
        """Build a configuration by drawing its parameters one by one, those of a condition first.

        ``draw`` is called with name and parameter, never for one whose condition fails; the result has the declared
        order.
        """
        drawn: dict[str, Value] = {}
        for name in dependency_order(self.parameters):
            parameter = self.parameters[name]
            if exists(parameter, drawn):
                drawn[name] = draw(name, parameter)
        return {name: drawn[name] for name in self.parameters if name in drawn}

    def config_from_units(self, units: Mapping[str, float]) -> Config:
        """Map one number in [0, 1) for each searched parameter to a configuration."""
        return self.config(lambda name, parameter: parameter.from_unit(units.get(name, 0.0)))

    def active(self, values: Mapping[str, Value]) -> list[str]:
        """Return the names of the parameters that exist under ``values``, in declared order."""
        return list(self.config(lambda name, _: values[name]))

    def with_settings(self, settings: Mapping[str, Any]) -> Self:
        """Return the space with other settings for its training function."""
        return self.model_copy(update={"train": Train(function=self.train.function, **settings)})

    def with_coordinates(self, coordinates: CoordinateSpec) -> Self:
        """Return the space with other knowledge of its coordinates."""
        return self.model_copy(update={"coordinates": coordinates})

    def with_prior(self, prior: PriorSpec) -> Self:
        """Return the space with another prior."""
        return self.model_copy(update={"prior": prior})

    def dump(self) -> dict[str, Any]:
        """Return the space as plain JSON data."""
        return self.model_dump(mode="json")

    @classmethod
    def restore(cls, data: Mapping[str, Any]) -> Self:
        """Build a space from what ``dump`` returned; raises SpaceError."""
        return parse(cls, Document(dict(data)), SpaceError)
