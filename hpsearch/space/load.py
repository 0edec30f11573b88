"""A space by name: found, read, changed by the options of the command line, and checked against what it trains."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import hpsearch
from hpsearch.contract import Description, Value
from hpsearch.errors import Problem, SpaceError, listed, nearest
from hpsearch.space.coordinate_checks import coordinate_problems
from hpsearch.space.fidelity_checks import fidelity_problems
from hpsearch.space.parameters import Integer, Real
from hpsearch.space.spec import NAME, Space
from hpsearch.typed_yaml import Document, KeyPath, parse
from hpsearch.typed_yaml import load as load_yaml
from hpsearch.yaml_document import scalar

SHIPPED = Path(hpsearch.__file__).parent.parent / "search_spaces"
"""The spaces that come with the package; they lie beside it, in a checkout and when installed."""


PATHS = ("recipe", "data_path")
"""Settings of a training function that may name a file: relative to the space file, else to the current folder."""


@dataclass(frozen=True)
class Overrides:
    """What the command line may change in a space; None leaves the file's value.

    ``data_path`` and ``recipe`` become settings of the training function; ``constants`` add parameters, or replace
    them by constants.
    """

    trials: int | None = None
    hours: float | None = None
    repeats: int | str | None = None
    data_path: str | None = None
    recipe: str | None = None
    seed: int | None = None
    constants: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class LoadedSpace:
    """A space, with the document it was read from for the messages."""

    space: Space
    document: Document

    @property
    def base(self) -> Path:
        """The folder that file names in the space are relative to."""
        return (self.document.file or Path()).absolute().parent


def shipped() -> list[str]:
    """Return the names of the spaces that come with the package."""
    return _names(SHIPPED)


def find(name: str) -> Path:
    """Return the file of the space ``name``: a path, or a name in ./search_spaces or among the shipped ones.

    The ending ``.yaml`` may be left out. Raises SpaceError with the names there are.
    """
    local = Path("search_spaces")
    for folder in (Path(), local, SHIPPED):
        for candidate in (folder / name, folder / f"{name}.yaml"):
            if candidate.is_file():
                return candidate
    known = sorted({*_names(Path()), *_names(local), *shipped()})
    hint = nearest(name.removesuffix(".yaml"), [one.removesuffix(".yaml") for one in known])
    raise SpaceError(Problem(f"no search space '{name}'", got=name, allowed=f"a path, or {listed(known)}", hint=hint))


def load(name: str, overrides: Overrides | None = None) -> LoadedSpace:
    """Find, read and validate a space, then apply ``overrides``. Raises SpaceError."""
    document = load_yaml(find(name), SpaceError)
    space = parse(Space, document, SpaceError)
    loaded = LoadedSpace(_override(space, overrides) if overrides else space, document)
    return replace(loaded, space=_rooted(loaded.space, [loaded.base, Path.cwd()]))


def parse_set(options: Iterable[str]) -> dict[str, Value]:
    """Read ``key=value`` options of --set; values follow the rules of the file. Raises SpaceError."""
    constants: dict[str, Value] = {}
    for option in options:
        key, equals, text = option.partition("=")
        value = scalar(text)
        if not equals or not NAME.fullmatch(key):
            raise _bad_option(option, "not of the form key=value", "such as lr=0.1 or augment.cutout=8")
        if not isinstance(value, bool | int | float | str) or text.startswith(("[", "{")):
            raise _bad_option(option, "not a single value", "a number, true, false or text")
        if key in constants:
            raise _bad_option(option, f"{key} is set twice", "each key once")
        constants[key] = value
    return constants


def check(loaded: LoadedSpace, description: Description) -> None:
    """Check a space, whose coordinates are resolved, against what the training function says of itself.

    Raises SpaceError with every name that the function lacks, and with all that keeps coordinates from being computed.
    """
    space, document = loaded.space, loaded.document
    names, metrics = description.get("parameters"), description.get("metrics")
    problems = [
        *coordinate_problems(space, document, names),
        *fidelity_problems(space, document, description),
    ]
    for parameter in space.parameters:
        if names is not None and parameter not in (*names, space.coordinates.rate, space.coordinates.tau):
            what = f"the training function has no parameter '{parameter}'"
            problems.append(_unknown(document, what, ("parameters", parameter), parameter, names))
    metric = space.objective.metric
    if metrics is not None and metric not in metrics:
        what = f"the training function does not report '{metric}'"
        problems.append(_unknown(document, what, ("objective", "metric"), metric, metrics))
    if problems:
        raise SpaceError(*problems)


def _names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.glob("*.yaml"))


def _override(space: Space, overrides: Overrides) -> Space:
    data = space.dump()
    changes: dict[str, dict[str, Any]] = {
        "budget": {"trials": overrides.trials, "hours": overrides.hours, "repeats": overrides.repeats},
        "train": {"data_path": overrides.data_path, "recipe": overrides.recipe},
    }
    for block, values in changes.items():
        data[block].update({key: value for key, value in values.items() if value is not None})
    if overrides.seed is not None:
        data["seed"] = overrides.seed
    for name, value in overrides.constants.items():
        if isinstance(space.parameters.get(name), Real | Integer) and isinstance(value, bool | str):
            raise _bad_option(f"{name}={value}", f"{name} is a number", space.parameters[name].describe())
        when = data["parameters"].get(name, {}).get("when", {})
        data["parameters"][name] = {"type": "constant", "value": value, "when": when}
    for entry in data["start_with"]:
        for name in overrides.constants:
            entry.pop(name, None)
    return Space.restore(data)


def _rooted(space: Space, folders: Iterable[Path]) -> Space:
    """Make the settings that name existing files absolute, so that they hold in every process and on resume."""
    settings = space.train.settings
    for key in settings.keys() & PATHS:
        value = settings[key]
        if isinstance(value, str) and not (key == "recipe" and value.isidentifier()):
            files = [folder / value for folder in folders]
            settings[key] = next((str(file.absolute()) for file in files if file.exists()), value)
    return space.with_settings(settings)


def _bad_option(option: str, what: str, allowed: str) -> SpaceError:
    return SpaceError(Problem(f"--set: {what}", key="--set", got=option, allowed=allowed))


def _unknown(document: Document, what: str, path: KeyPath, name: str, valid: Iterable[str]) -> Problem:
    got, allowed, hint = name, listed(sorted(valid)), nearest(name, valid)
    if path not in document.lines:
        return Problem(what, key="--set", got=got, allowed=allowed, hint=hint)
    return document.problem(what, path, got=got, allowed=allowed, hint=hint)
