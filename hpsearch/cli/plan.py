"""What a search is about to do, found out before anything is spent: the function, its data, its parameters."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpsearch.contract import Description
from hpsearch.errors import FunctionError, InputError, Problem
from hpsearch.runners.work import Work, errors_of
from hpsearch.space.function import Functions, load_function
from hpsearch.space.load import LoadedSpace, Overrides, check, find, load, parse_set
from hpsearch.space.spec import Space
from hpsearch.store.provenance import collect
from hpsearch.typed_yaml import Document


@dataclass(frozen=True)
class Plan:
    """A checked space with its training function; ``base`` is the folder that a function's file is relative to."""

    space: Space
    base: Path
    functions: Functions
    description: Description

    def work(self, study: str, workdirs: Path, device: str, gpus: float) -> Work:
        """Return what the workers of the study need."""
        resources = self.space.resources
        return Work(study, self.functions.reference, self.base, self.space, workdirs, device, resources.cpus, gpus)


def plan_file(name: str, overrides: Overrides) -> tuple[Plan, Path]:
    """Load the space file ``name``, its function, and check one against the other; also return the file.

    Raises InputError for everything that the user can mend.
    """
    loaded = load(name, overrides)
    return _plan(loaded, loaded.base), find(name)


def record(plan: Plan, file: Path) -> dict[str, Any]:
    """Return what study.json keeps beside the space: where it came from, and what is needed to go on."""
    return {
        "space_file": file.name,
        "function": plan.functions.reference,
        "folder": str(plan.base),
        "seeds": {"study": plan.space.seed},
        **collect(command()),
    }


def command() -> list[str]:
    """Return the command line of this process."""
    return ["hpsearch", *sys.argv[1:]]


def plan_again(record: Mapping[str, Any], space: Space) -> Plan:
    """Make the plan of a study from its study.json."""
    return _plan(LoadedSpace(space, Document(space.dump())), Path(record["folder"]))


def overrides(
    trials: int | None = None,
    hours: float | None = None,
    data: Path | None = None,
    recipe: str | None = None,
    set_: list[str] | None = None,
    seed: int | None = None,
) -> Overrides:
    """Gather the options of the command line that change a space."""
    return Overrides(
        trials=trials,
        hours=hours,
        data_path=None if data is None else str(data.absolute()),
        recipe=recipe,
        seed=seed,
        constants=parse_set(set_ or []),
    )


def _plan(loaded: LoadedSpace, base: Path) -> Plan:
    space = loaded.space
    functions = load_function(space.train.function, base)
    description = describe(functions, space.train.settings, loaded.document)
    check(loaded, description)
    return Plan(space, base, functions, description)


def describe(functions: Functions, settings: Mapping[str, Any], document: Document) -> Description:
    """Ask the function what it is going to do. What it refuses is shown at its place in the space file."""
    if functions.describe is None:
        return {}
    try:
        with errors_of(functions.reference, "describe"):
            description = functions.describe(settings)
    except InputError as error:
        raise type(error)(*(_placed(problem, document) for problem in error.problems)) from error
    if not isinstance(description, Mapping):
        raise FunctionError(Problem("describe must return a dict", key=functions.reference, got=repr(description)))
    return description


def _placed(problem: Problem, document: Document) -> Problem:
    """Add the place of the ``train:`` key that a problem names."""
    if problem.file is not None or problem.key not in document.data.get("train", {}):
        return problem
    details = {name: getattr(problem, name) for name in ("got", "allowed", "hint")}
    return document.problem(problem.what, ("train", str(problem.key)), **details)
