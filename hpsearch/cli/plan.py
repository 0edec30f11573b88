"""What a search is about to do, found out before anything is spent: the function, its data, its parameters."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from hpsearch.cli.best import BUILT_IN
from hpsearch.cli.options import RESULTS
from hpsearch.cli.priors import resolve_prior
from hpsearch.contract import Config, Description, Value
from hpsearch.errors import FunctionError, InputError, Problem
from hpsearch.runners.work import Work, errors_of
from hpsearch.samplers.factorial import FactorialSampler
from hpsearch.space.coordinate_spec import CoordinateSpec
from hpsearch.space.function import Functions, load_function
from hpsearch.space.grid import combinations
from hpsearch.space.load import LoadedSpace, Overrides, check, load, parse_set
from hpsearch.space.parameters import Integer, Parameter, ends
from hpsearch.space.spec import Space
from hpsearch.space.translation import Translation
from hpsearch.store.provenance import collect
from hpsearch.store.reader import Study
from hpsearch.typed_yaml import Document

MOST_CHECKED = 1000
"""Of a larger grid only the values are checked, not their combinations."""


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


def plan_file(name: str, overrides: Overrides, results: Path = RESULTS) -> tuple[Plan, Path]:
    """Load the space file ``name``, its function, and check one against the other; also return the file.

    Studies that a prior names are looked for in ``results``. Raises InputError for everything that the user can mend.
    """
    loaded = load(name, overrides)
    file = loaded.document.file
    assert file is not None  # it was read from one
    plan = _plan(loaded, load_function(loaded.space.train.function, loaded.base), loaded.base)
    with _placing(loaded.document):
        return replace(plan, space=resolve_prior(plan.space, loaded.base, results)), file


def plan_space(space: Space) -> Plan:
    """Make the plan of a space that is in no file. Raises InputError for everything that the user can mend."""
    base = Path.cwd()
    return _plan(LoadedSpace(space, Document(space.dump())), load_function(space.train.function, base), base)


def record(plan: Plan, file: Path | None) -> dict[str, Any]:
    """Return what study.json keeps beside the space: its file if there is one, and what is needed to go on."""
    return {
        "space_file": file and file.name,
        "function": plan.functions.reference,
        "folder": str(plan.base),
        "seeds": {"study": plan.space.seed},
        **provenance(),
    }


@cache
def provenance() -> dict[str, Any]:
    """Return where this process runs and by which command: for a new study and for its first session alike."""
    return collect(command())


def command() -> list[str]:
    """Return the command line of this process."""
    return ["hpsearch", *sys.argv[1:]]


def plan_again(record: Mapping[str, Any], space: Space) -> Plan:
    """Make the plan of a study from its study.json; a function that has moved is looked for in the current folder."""
    if "coordinates" not in record["space"]:  # a study of before there were any: what it calls rate or tau is its own
        space = space.with_coordinates(CoordinateSpec(rate=None, tau=None))
    base = Path(record["folder"])
    place = record["function"].rpartition(":")[0]
    moved = "/" in place and not Path(place if place.endswith(".py") else place.rpartition("/")[0]).exists()
    functions = load_function(space.train.function if moved else record["function"], Path.cwd() if moved else base)
    return _plan(LoadedSpace(space, Document(space.dump())), functions, base)


def with_coordinates(study: Study) -> Study:
    """Return a study whose space knows how it trains: of an older one the training function says it.

    Raises InputError where that function cannot be asked.
    """
    space = study.space
    if space.coordinates.optimizer is not None:
        return study
    asked = space
    if space.train.function == BUILT_IN:  # which knows how many images a data set has, wherever these lie by now
        asked = space.with_settings({key: value for key, value in space.train.settings.items() if key != "data_path"})
    return replace(study, space=space.with_coordinates(plan_again(study.record, asked).space.coordinates))


def overrides(
    trials: int | None = None,
    hours: float | None = None,
    data: Path | None = None,
    recipe: str | None = None,
    set_: list[str] | None = None,
    seed: int | None = None,
    repeats: str | None = None,
) -> Overrides:
    """Gather the options of the command line that change a space."""
    return Overrides(
        trials=trials,
        hours=hours,
        repeats=repeats_of(repeats),
        data_path=None if data is None else str(data.expanduser().resolve()),
        recipe=recipe if recipe is None or not Path(recipe).is_file() else str(Path(recipe).absolute()),
        seed=seed,
        constants=parse_set(set_ or []),
    )


def repeats_of(text: str | None) -> int | str | None:
    """Return the value of --repeats: a number, or a word that the space judges."""
    return int(text) if text is not None and text.removeprefix("-").isdecimal() else text


def _plan(loaded: LoadedSpace, functions: Functions, base: Path) -> Plan:
    if loaded.space.resources.gpus == 0:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # for this process and its workers: a search on the CPU sees no GPU
    description = describe(functions, loaded)
    with _placing(loaded.document), errors_of(functions.reference, "optimizer_of"):
        description = _of_one_rule(description, loaded.space)
    space = loaded.space.with_coordinates(loaded.space.coordinates.resolved(description))
    check(replace(loaded, space=space), description)
    if "check" in description:
        translation, spec = Translation.of(space), space.coordinates
        made_of = {spec.lr: spec.rate, spec.weight_decay: spec.tau}
        for config in examples(space):
            with _placing(loaded.document, config, made_of), errors_of(functions.reference, "check"):
                description["check"](translation.for_function(config))
    settings = description.get("settings", space.train.settings)
    return Plan(space.with_settings(settings).with_prior(space.belief), base, functions, description)


def describe(functions: Functions, loaded: LoadedSpace) -> Description:
    """Ask the function what it is going to do. What it refuses is shown at its place in the space file."""
    if functions.describe is None:
        return {}
    with _placing(loaded.document), errors_of(functions.reference, "describe"):
        description = functions.describe(loaded.space.train.settings)
    try:
        return TypeAdapter(Description).validate_python(description)
    except ValidationError as invalid:
        problems = [
            Problem(
                f"describe returns something else than hpsearch.contract.Description: {error['msg']}",
                key=".".join(map(str, error["loc"])),
                got=repr(error["input"])[:80],
            )
            for error in invalid.errors()
        ]
        raise FunctionError(*problems) from None


def _of_one_rule(description: Description, space: Space) -> Description:
    """Return the description without an update rule where the settings of the space do not all have that one."""
    if "optimizer_of" not in description:
        return description
    rules = {description["optimizer_of"](config) for config in examples(space)}
    rule = rules.pop() if len(rules) == 1 else None
    found = description.copy()
    found.pop("optimizer", None)
    if rule is not None:
        found["optimizer"] = rule
    return found


def examples(space: Space) -> Iterator[Config]:
    """Yield the settings to start with, and all that follows where it is known and not too much; else the corners."""
    for entry in space.start_with:
        yield space.config(partial(_chosen, entry))
    known = _known(space)
    yield from _corners(space) if known is None else known


def _known(space: Space) -> Sequence[Config] | None:
    """Return all that the sampler will propose, None where it draws that or there is too much to check."""
    match space.sampler.name:
        case "factorial":
            return FactorialSampler(space).configs
        case "grid":
            grid = combinations(space.parameters)
            return grid if len(grid) <= MOST_CHECKED else None
        case _:
            return None


def _corners(space: Space) -> Iterator[Config]:
    """Yield configurations that between them have every end of a range, choice and constant."""
    for name, parameter in space.parameters.items():
        enabling = {other: values[0] for other, values in parameter.when.items()}
        for value in dict.fromkeys([*ends(parameter), *_beside(parameter)]):
            config = space.config(partial(_chosen, {**enabling, name: value}))
            if name in config:  # a condition on a constant may never hold
                yield config


def _chosen(values: Config, name: str, parameter: Parameter) -> Value:
    return values[name] if name in values else parameter.from_unit(0.5)


def _beside(parameter: Parameter) -> tuple[Value, ...]:
    """Return the neighbours of the bounds of a whole number: what divides the bounds need not divide these."""
    if not isinstance(parameter, Integer) or parameter.low == parameter.high:
        return ()
    return (parameter.low + parameter.step, parameter.high - parameter.step)


@contextmanager
def _placing(
    document: Document, config: Config | None = None, made_of: Mapping[str, str | None] | None = None
) -> Iterator[None]:
    """Give the problems of an error that is raised inside their place in the space file, or else the ``config``.

    ``made_of`` names the parameter of the space that another of the training function is computed from.
    """
    try:
        yield
    except InputError as error:
        problems = [_placed(problem, document, made_of or {}) for problem in error.problems]
        if config is not None:
            problems = [
                replace(one, got=one.got or ", ".join(f"{k}={v}" for k, v in config.items())) for one in problems
            ]
        raise type(error)(*problems) from error


def _placed(problem: Problem, document: Document, made_of: Mapping[str, str | None]) -> Problem:
    """Add the place of the ``train:`` key or the parameter that a problem names; --set has put one that has no line."""
    if problem.file is not None or problem.key is None:
        return problem
    details = {name: getattr(problem, name) for name in ("got", "allowed", "hint")}
    keys = problem.key.split(".")
    for path in (("train", problem.key), ("train", *keys), ("parameters", problem.key), tuple(keys)):
        if path in document.lines:
            return document.problem(problem.what, path, **details)
    source = ("parameters", str(made_of.get(problem.key)))
    return replace(problem, file=document.file, line=document.line(source)) if source in document.lines else problem
