"""A prior as a density over the unit cube of a space, relative to the uniform one.

The density is a mixture of one uniform component and one or more informed ones. An informed component says, for each
parameter that it knows of, where good values lie: a Student t distribution with 2 degrees of freedom (heavy tails, and
a distribution function in closed form), cut off at the bounds. The learning rate's place depends on batch size and
momentum, where it is known as a rate, and that of weight decay on the learning rate too, where it is known as tau; so
parameters are taken one after the other, batch size and momentum first.

K   components, the uniform one first         n   points
d   searched parameters, in the order of the space; a place in [0, 1] each, NaN where a parameter does not exist
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hpsearch.space.axes import Axis, Floats, axis, settled
from hpsearch.space.coordinate_spec import Role
from hpsearch.space.coordinates import Run, lr_of, rate_of, weight_decay_of
from hpsearch.space.parameters import Constant
from hpsearch.space.spec import Space
from hpsearch.space.student_t import inverse, log_pdf
from hpsearch.space.textbook import TEXTBOOK, usable
from hpsearch.space.translation import Translation
from hpsearch.space.values import is_number

UNIFORM_SHARE = 0.2
"""Weight of the uniform component: every point stays reachable, however wrong the rest is."""


@dataclass(frozen=True)
class Place:
    """Where one component sees the good values of a parameter: centre and spread on its natural scale."""

    centre: float
    spread: float


Component = Mapping[str, Place]
"""Name of a parameter, or rate and tau in the place of the parameters that follow from them -> place."""


@dataclass(frozen=True)
class Prior:
    """A density over the unit cube of ``space``; ``weights`` (K,) of the uniform and then the informed components."""

    space: Space
    components: tuple[Component, ...]
    weights: Floats

    @classmethod
    def of(cls, space: Space, components: Sequence[Component]) -> "Prior":
        """Return the mixture of the uniform component and these, equally likely; any that knows nothing is left out."""
        told = cls(space, tuple(components), np.ones(1 + len(components)))._told
        shares = [UNIFORM_SHARE, *[(1 - UNIFORM_SHARE) / len(told)] * len(told)] if told else [1.0]
        return cls(space, told, np.array(shares))

    @property
    def informed(self) -> bool:
        """Whether it is more than uniform."""
        return bool(self.components)

    def log_densities(self, points: Floats) -> Floats:
        """Return the log density of each component at ``points`` (n, d): shape (n, K), the uniform one's are 0."""
        logs = np.zeros((len(points), len(self.weights)))
        for column in self._order:
            logs[:, 1:] += self._log_conditionals(points, column, np.nan_to_num(points[:, column], nan=0.5))
        return logs

    def log_density(self, points: Floats, weights: Floats | None = None) -> Floats:
        """Return the log density at ``points`` (n, d), shape (n,), under other ``weights`` (K,) if they are given."""
        with np.errstate(divide="ignore"):
            logs = np.log(self.weights if weights is None else weights)
            densities: Floats = np.logaddexp.reduce(self.log_densities(points) + logs, axis=1)
        return densities

    def quantile(self, uniforms: Floats) -> Floats:
        """Map numbers that are uniform in the unit cube, (n, d), to points that follow the prior, one to one."""
        if not self.informed:
            return uniforms
        points = np.full(uniforms.shape, 0.5)
        weights = np.broadcast_to(self.weights, (len(points), len(self.weights))).copy()
        for column in [*self._order, *self._rest]:
            if column in self._rest:
                points[:, column] = uniforms[:, column]
                continue
            centre, spread = self._conditionals(points, column)
            points[:, column] = inverse(uniforms[:, column], weights, centre, spread)
            points[:, column] = self._settled(column, points[:, column])
            weights[:, 1:] *= np.exp(log_pdf(points[:, column, None], centre, spread))
            weights /= weights.sum(axis=1, keepdims=True)
        return points

    def places(self, uniforms: Floats) -> dict[str, float]:
        """Map one point of uniform numbers (d,) to the place of each searched parameter."""
        return dict(zip(self.space.searched, self.quantile(uniforms[None])[0].tolist(), strict=True))

    def centre(self, component: int = 0) -> Floats:
        """Return the point at which an informed component has its peak, shape (d,)."""
        point = np.full((1, len(self.space.searched)), 0.5)
        for column in self._order if self.informed else ():
            centre, spread = self._conditionals(point, column)
            if np.isfinite(spread[0, component]):
                point[0, column] = np.clip(centre[0, component], 0, 1)
                point[:, column] = self._settled(column, point[:, column])
        peak: Floats = point[0]
        return peak

    def _log_conditionals(self, points: Floats, column: int, at: Floats) -> Floats:
        centre, spread = self._conditionals(points, column)
        logs: Floats = np.where(np.isnan(points[:, column, None]), 0.0, log_pdf(at[:, None], centre, spread))
        return logs

    def _settled(self, column: int, places: Floats) -> Floats:
        return settled(self.space.parameters[self.space.searched[column]], places)

    @cached_property
    def _axes(self) -> dict[str, Axis]:
        found = {name: axis(name, self.space.parameters[name], self.space.coordinates) for name in self.space.searched}
        return {name: one for name, one in found.items() if one is not None}

    @cached_property
    def _order(self) -> list[int]:
        """The columns that components may know of; those that others depend on come first."""
        spec, names = self.space.coordinates, self.space.searched
        first = [spec.batch_size, spec.momentum, spec.rate, spec.lr, spec.tau, spec.weight_decay]
        ordered = [name for name in first if name in self._axes]
        return [names.index(name) for name in [*ordered, *(name for name in self._axes if name not in ordered)]]

    @cached_property
    def _rest(self) -> list[int]:
        return [column for column in range(len(self.space.searched)) if column not in self._order]

    @property
    def _told(self) -> tuple[Component, ...]:
        """The components that know anything about a searched parameter."""
        middle, known = np.full((1, len(self.space.searched)), 0.5), np.zeros(len(self.components), dtype=bool)
        for column in self._order:
            known |= np.isfinite(self._conditionals(middle, column)[1][0])
        return tuple(one for one, tells in zip(self.components, known.tolist(), strict=True) if tells)

    def _conditionals(self, points: Floats, column: int) -> tuple[Floats, Floats]:
        """Return centre and spread, (n, K - 1) each in places, of a parameter given those before it.

        The spread is infinite where a component knows nothing.
        """
        name = self.space.searched[column]
        scale = self._axes[name]
        centres, spreads = np.zeros((2, len(points), len(self.components)))
        for k, component in enumerate(self.components):
            centre, spread = self._belief(component, name, points)
            centres[:, k], spreads[:, k] = scale.unit(centre), spread * scale.slopes(centre)
        return centres, spreads

    def _belief(self, component: Component, name: str, points: Floats) -> tuple[Floats, float]:
        """Return the centre for each point and the spread on the natural scale of ``name``."""
        spec, ones = self.space.coordinates, np.ones(len(points))
        if name in component:
            return component[name].centre * ones, component[name].spread
        key = "rate" if name in (spec.lr, spec.rate) else "tau" if name in (spec.weight_decay, spec.tau) else None
        if key is None or key not in component or (key == "tau" and self._run.seen is None):
            return 0 * ones, np.inf
        place = component[key]
        if name in (spec.rate, spec.tau):
            return place.centre * ones, place.spread
        batch, momentum = self._role("batch_size", points), self._role("momentum", points)
        if key == "rate":
            return np.log(lr_of(np.exp(place.centre) * ones, batch, momentum, self._run)), place.spread
        tau = np.exp(place.centre) * ones
        return np.log(weight_decay_of(self._rate(points, batch, momentum), tau, batch, self._run)), place.spread

    def _role(self, role: Role, points: Floats) -> Floats:
        """Return the values of batch size, momentum or learning rate at ``points``."""
        name = getattr(self.space.coordinates, role)
        if name in self._axes:
            values = self._axes[name].value(np.nan_to_num(points[:, self.space.searched.index(name)], nan=0.5))
            return -np.expm1(values) if role == "momentum" else np.exp(values)
        return np.full(len(points), self._fixed(role))

    def _fixed(self, role: Role) -> float:
        """Return the value of a role that is not searched: a constant's, what is known to work, or a textbook's."""
        parameter = self.space.parameters.get(getattr(self.space.coordinates, role))
        constant = parameter.value if isinstance(parameter, Constant) else None
        known = [constant, self.space.coordinates.reference.get(role), TEXTBOOK[self._run.optimizer][role]]
        return next(float(value) for value in known if is_number(value) and usable(role, value))

    def _rate(self, points: Floats, batch: Floats, momentum: Floats) -> Floats:
        name = self.space.coordinates.rate
        if name in self._axes:
            return np.exp(self._axes[name].value(points[:, self.space.searched.index(name)]))
        return rate_of(self._role("lr", points), batch, momentum, self._run)

    @cached_property
    def _run(self) -> Run:
        return Translation.of(self.space).run(self.space.constants)
