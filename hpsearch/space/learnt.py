"""Learnt priors as files: found by name, read, and put under the names of a space."""

from collections.abc import Iterator
from pathlib import Path

import yaml

import hpsearch
from hpsearch.errors import Problem, SpaceError, listed, nearest
from hpsearch.space.belief_checks import misplaced
from hpsearch.space.coordinate_spec import ROLES
from hpsearch.space.prior_spec import Learnt
from hpsearch.space.spec import Space
from hpsearch.typed_yaml import load, parse

SHIPPED = Path(hpsearch.__file__).parent / "priors"
"""The learnt priors that come with the package."""

FILE_WIDTH = 118


def shipped_priors() -> list[str]:
    """Return the names of the priors that come with the package."""
    return sorted(file.stem for file in SHIPPED.glob("*.yaml"))


def read_learnt(name: str, base: Path) -> Learnt:
    """Read the shipped prior ``name``, or the file of that name, relative to ``base``. Raises SpaceError."""
    if name in shipped_priors():
        return parse(Learnt, load(SHIPPED / f"{name}.yaml", SpaceError), SpaceError)
    file = base / Path(name).expanduser()
    if not file.is_file():
        known = shipped_priors()
        allowed = f"a file, or {listed(known)}" if known else "a file"
        what = f"no learnt prior '{name}'"
        raise SpaceError(Problem(what, key="prior.learnt", got=name, allowed=allowed, hint=nearest(name, known)))
    return parse(Learnt, load(file, SpaceError), SpaceError)


def written(learnt: Learnt) -> str:
    """Return the text of a file that ``read_learnt`` reads."""
    data = learnt.model_dump(mode="json")
    return yaml.safe_dump(data, sort_keys=False, default_flow_style=None, width=FILE_WIDTH, allow_unicode=True)


def for_space(learnt: Learnt, space: Space) -> Learnt:
    """Return ``learnt`` under the names of ``space``.

    Raises SpaceError where it says nothing about any of them, or has values that they cannot have.
    """
    names: dict[str, str] = {role: getattr(space.coordinates, role) for role in ROLES}
    problems = {
        problem: {names.get(key, key): belief for key, belief in beliefs.items()}
        for problem, beliefs in learnt.problems.items()
    }
    settings = tuple({names.get(key, key): value for key, value in one.items()} for one in learnt.settings)
    known = {key for beliefs in problems.values() for key in beliefs}
    if not known & _reachable(space):
        what = "the prior says nothing about any parameter of this space"
        raise SpaceError(Problem(what, key="prior", got=listed(sorted(known)), allowed=listed(space.searched)))
    found = learnt.model_copy(update={"problems": problems, "settings": settings})
    if faults := [*_faults(found, space)]:
        raise SpaceError(*faults)
    return found


def _faults(learnt: Learnt, space: Space) -> Iterator[Problem]:
    for problem, beliefs in learnt.problems.items():
        for name, belief in beliefs.items():
            fault = misplaced(name, belief, space.parameters.get(name), space.coordinates)
            if fault is not None:
                (key, got, allowed), place = fault, f"prior.learnt.problems.{problem}.{name}"
                yield Problem(f"{name} cannot have this {key}", key=f"{place}.{key}", got=f"{got:g}", allowed=allowed)


def _reachable(space: Space) -> set[str]:
    """Return the searched parameters, and the coordinates that follow from them."""
    spec = space.coordinates
    coordinates = {"rate": {spec.lr, spec.rate}, "tau": {spec.weight_decay, spec.tau}}
    return {*space.searched, *(key for key, names in coordinates.items() if names & {*space.searched})}
