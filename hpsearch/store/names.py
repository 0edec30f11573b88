"""Names of studies, which are folder names."""

import os
import re
from pathlib import Path

from hpsearch.errors import Problem, StudyError, listed, nearest

MAX_LENGTH = 80
STUDY_FILE = "study.json"

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


def is_name(text: str) -> bool:
    """Whether ``text`` can name a study or a table on every file system."""
    return bool(_NAME.fullmatch(text)) and len(text) <= MAX_LENGTH


def check_name(name: str) -> None:
    """Raise StudyError where ``name`` cannot name a study."""
    if not is_name(name):
        allowed = f"up to {MAX_LENGTH} letters, digits, '.', '_' and '-', not starting with '.'"
        raise StudyError(Problem("not a usable name for a study", key="--name", got=repr(name), allowed=allowed))


def default_name(results: Path, stem: str) -> str:
    """Return a name that is free in ``results``: ``stem``, else ``stem-2``, ``stem-3``, ..."""
    base = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).lstrip(".")[: MAX_LENGTH - 6] or "study"
    name, count = base, 1
    while (results / name).exists():
        count += 1
        name = f"{base}-{count}"
    return name


def option_for(folder: Path) -> str:
    """Return what a command about the study in ``folder`` needs to find it: nothing, or --results and its place."""
    results, here = folder.parent, Path.cwd()
    if results == here / "results":
        return ""
    return f" --results {results.relative_to(here) if results.is_relative_to(here) else results}"


def study_names(results: Path) -> list[str]:
    """Return the names of the studies in ``results``, damaged ones too, sorted."""
    if not results.is_dir():
        return []
    return sorted(
        folder.name
        for folder in results.iterdir()
        if is_name(folder.name) and ((folder / STUDY_FILE).exists() or (folder / "trials").is_dir())
    )


def find_study(results: Path, name: str) -> Path:
    """Return the absolute folder of the study ``name``; raises StudyError with the names there are."""
    names = study_names(results)
    if name not in names:
        allowed = listed(names) or "there are no studies yet"
        raise StudyError(
            Problem(f"there is no study '{name}'", file=results, allowed=allowed, hint=nearest(name, names))
        )
    return results.absolute() / name


def check_free(results: Path, name: str) -> None:
    """Raise StudyError where ``name`` cannot name a new study in ``results``."""
    check_name(name)
    folder = results.absolute() / name
    if folder.exists():
        hint = f"go on with `hpsearch resume {name}` or `hpsearch extend {name} --trials N`, or give another --name"
        raise StudyError(Problem(f"a study '{name}' exists already", file=folder, hint=hint))
    nearest_folder = next(parent for parent in folder.parents if parent.exists())
    if not nearest_folder.is_dir() or not os.access(nearest_folder, os.W_OK | os.X_OK):
        raise StudyError(
            Problem("studies cannot be written there", file=folder.parent, hint="choose another --results")
        )
