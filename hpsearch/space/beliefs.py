"""From the ``prior:`` block of a space to its density, and to the settings that it names."""

import math
from collections.abc import Mapping

from hpsearch.contract import Config, Value
from hpsearch.space.axes import natural, scale_of
from hpsearch.space.heuristics import heuristic
from hpsearch.space.parameters import Parameter
from hpsearch.space.prior_spec import Belief, Learnt
from hpsearch.space.priors import Component, Place, Prior
from hpsearch.space.spec import Space
from hpsearch.space.values import is_number


def prior_of(space: Space) -> Prior:
    """Return the prior of ``space``; one that names a study or a file must have been resolved."""
    belief = space.belief
    if belief.normal is not None:
        return Prior.of(space, [_component(space, belief.normal)])
    if isinstance(belief.learnt, Learnt):
        return Prior.of(space, [_component(space, beliefs) for beliefs in belief.learnt.problems.values()])
    return Prior.of(space, [heuristic(space)] if belief.name == "heuristic" else [])


def settings_of(space: Space) -> list[Config]:
    """Return the settings that the prior would try first: those that were learnt, or else the centre."""
    learnt = space.belief.learnt
    if isinstance(learnt, Learnt) and learnt.settings:
        found = [_setting(space, setting) for setting in learnt.settings]
        return [config for position, config in enumerate(found) if config not in found[:position]]
    prior = prior_of(space)
    return [_config(prior)] if prior.informed else []


def centre(space: Space) -> Config:
    """Return the setting from which a line search sets out: the middle of the space where nothing is known."""
    return next(iter(settings_of(space)), _config(prior_of(space)))


def _component(space: Space, beliefs: Mapping[str, Belief]) -> Component:
    return {name: _place(space, name, belief.centre, belief.spread) for name, belief in beliefs.items()}


def _place(space: Space, name: str, centre: float, spread: float) -> Place:
    scale = scale_of(name, space.parameters.get(name), space.coordinates)
    return Place(natural(centre, scale), spread if scale == "linear" else math.log(spread))


def _setting(space: Space, setting: Mapping[str, Value]) -> Config:
    """Return the configuration of a learnt setting; what it leaves out is at the centre of the heuristic prior."""
    numbers = {name: float(value) for name, value in setting.items() if is_number(value)}
    rest = heuristic(space)
    if "tau" in numbers:
        rest = {name: place for name, place in rest.items() if name != space.coordinates.weight_decay}
    places = {name: _place(space, name, value, math.e) for name, value in numbers.items()}
    config = _config(Prior.of(space, [{**rest, **places}]))
    return space.config(lambda name, parameter: _named(parameter, setting.get(name), config.get(name)))


def _named(parameter: Parameter, named: Value | None, otherwise: Value | None) -> Value:
    if named is not None and parameter.contains(named):
        return parameter.canonical(named)
    return parameter.from_unit(0.5) if otherwise is None else otherwise


def _config(prior: Prior) -> Config:
    return prior.space.config_from_units(dict(zip(prior.space.searched, prior.centre().tolist(), strict=True)))
