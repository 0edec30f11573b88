"""What can be wrong with rate and tau in a space, found before anything runs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hpsearch.contract import EPOCHS, Value
from hpsearch.errors import Problem, listed, nearest
from hpsearch.space.coordinate_spec import ROLES, CoordinateSpec, Role
from hpsearch.space.parameters import ends
from hpsearch.space.spec import Space
from hpsearch.space.values import is_number
from hpsearch.typed_yaml import Document, KeyPath

Defaults = Mapping[str, Value | None]


def coordinate_problems(space: Space, document: Document, own: Defaults | None) -> Iterator[Problem]:
    """Yield why the coordinates of ``space``, its block resolved, could not be made what the training function takes.

    ``own`` are the parameters of that function with their defaults, None where it does not say which it has.
    """
    checks = _Checks(space, document, own)
    yield from checks.role_names()
    if checks.used:
        yield from checks.targets()
        yield from checks.unknown_run()
        for role in checks.needed_roles():
            yield from checks.unknown_role(role)
        yield from checks.values()


@dataclass(frozen=True)
class _Checks:
    space: Space
    document: Document
    own: Defaults | None

    @property
    def spec(self) -> CoordinateSpec:
        return self.space.coordinates

    @property
    def used(self) -> dict[str, Role]:
        """The coordinates of the space, by their names in it, and what each stands for."""
        roles: dict[str | None, Role] = {self.spec.rate: "lr", self.spec.tau: "weight_decay"}
        return {name: role for name, role in roles.items() if name in self.space.parameters and name is not None}

    def needed_roles(self) -> list[Role]:
        """The roles that the coordinates are computed from."""
        roles: list[Role] = ["batch_size"] if self.spec.optimizer == "adamw" else ["batch_size", "momentum"]
        return roles if self.spec.rate in self.used else ["lr", *roles]

    def role_names(self) -> Iterator[Problem]:
        """Find a name in the block that is nowhere else; the names that a role has by itself need not be."""
        known = [*self.space.parameters, *(self.own or ())]
        for role in ROLES:
            name = getattr(self.spec, role)
            if name != role and name not in known and self.own is not None:
                what = f"neither the space nor the training function has a parameter '{name}'"
                details = {"got": name, "allowed": listed(sorted(set(known))), "hint": nearest(name, known)}
                yield self.document.problem(what, ("coordinates", role), **details)

    def targets(self) -> Iterator[Problem]:
        """Find a coordinate beside what it stands for, and one that stands for what the function lacks."""
        for name, role in self.used.items():
            target: str = getattr(self.spec, role)
            if target in self.space.parameters:
                what = f"'{name}' and '{target}' contradict each other: {target} is computed from {name}"
                yield self._problem(what, name, hint=f"leave out one of the two ({self._not_a_coordinate(name)})")
            elif self.own is not None and target not in self.own and target == role:
                what = f"{name} stands for {target}, which the training function does not have"
                hint = f"coordinates: {{{role}: its name there}} ({self._not_a_coordinate(name)})"
                yield self._problem(what, name, allowed=listed(sorted(self.own)), hint=hint)

    def unknown_run(self) -> Iterator[Problem]:
        """Find what is not known of a run as a whole."""
        missing = {} if self.spec.optimizer else {"optimizer": "sgd, sgd_nesterov or adamw"}
        if self.spec.tau in self.used:
            missing |= {} if self.spec.examples else {"examples": "the training examples of an epoch"}
            missing |= {} if self.spec.epochs or self._always(EPOCHS) else {"epochs": "the length of a run"}
        for key, meaning in missing.items():
            yield self._unknown(key, f"add coordinates: {{{key}: ...}}, {meaning}")

    def unknown_role(self, role: Role) -> Iterator[Problem]:
        """Find a role without a value in some run, or with a reference that is not what such a run has."""
        name, known = getattr(self.spec, role), self.spec.reference.get(role)
        default = (self.own or {}).get(name)
        if self._always(name):
            return
        if known is None:
            constant = f"parameters: {{{name}: {{type: constant, value: ...}}}}"
            yield self._unknown(name, f"add {constant}, or coordinates: {{reference: {{{role}: ...}}}}")
        elif default is not None and default != known:
            what = f"the training function has another {name} where the space does not set it"
            hint = f"set it in the space, parameters: {{{name}: {{type: constant, value: {known:g}}}}}"
            path = ("coordinates", "reference", role)
            yield self.document.problem(what, path, got=f"{known:g}", allowed=str(default), hint=hint)

    def values(self) -> Iterator[Problem]:
        """Find values for which rate and tau do not exist, or which no run can have."""
        lengths = {EPOCHS: EPOCHS} if self.spec.tau in self.used else {}
        roles = {getattr(self.spec, role): role for role in self.needed_roles()}
        for name, role in {**{name: name for name in self.used}, **roles, **lengths}.items():
            for value in ends(self.space.parameters[name]) if name in self.space.parameters else ():
                yield from self._bad_value(role, value, ("parameters", name))
        for role in self.needed_roles():
            if role in self.spec.reference:
                yield from self._bad_value(role, self.spec.reference[role], ("coordinates", "reference", role))

    def _bad_value(self, role: str, value: Value, path: KeyPath) -> Iterator[Problem]:
        momentum = role == "momentum"
        if not is_number(value) or not (0 <= value < 1 if momentum else value > 0):
            what = f"{' and '.join(self.used)} cannot be computed with this {role}"
            allowed = "numbers from 0 to below 1" if momentum else "numbers above 0"
            yield self.document.problem(what, path, got=str(value), allowed=allowed)

    def _always(self, name: str) -> bool:
        """Whether every configuration has the parameter."""
        return name in self.space.parameters and not self.space.parameters[name].when

    def _unknown(self, name: str, hint: str) -> Problem:
        what = f"{' and '.join(self.used)} cannot be computed: the {name} of a run is not known"
        return self._problem(what, next(iter(self.used)), hint=hint)

    def _problem(self, what: str, name: str, **details: str | None) -> Problem:
        return self.document.problem(what, ("parameters", name), **details)

    def _not_a_coordinate(self, name: str) -> str:
        coordinate = "rate" if name == self.spec.rate else "tau"
        return f"or say coordinates: {{{coordinate}: null}} where '{name}' is something else"
