"""Errors a user can mend: where, what was got, what is allowed, the nearest valid name.

Every check in the project raises one of these; the command line prints it without a traceback and exits with 2.
Programming mistakes stay ordinary exceptions.
"""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with an input.

    ``what`` is a full clause ("low must be below high"). The other fields are shown only where they are known:
    ``file`` and ``line`` say where it stands, ``key`` is the dotted key path in it, ``got`` the offending value as
    text, ``allowed`` what would be accepted, ``hint`` the nearest valid name or the remedy.
    """

    what: str
    file: Path | None = None
    line: int | None = None
    key: str | None = None
    got: str | None = None
    allowed: str | None = None
    hint: str | None = None

    def __str__(self) -> str:
        """Render as one headline and one indented line for each known detail."""
        place = None
        if self.file is not None:
            place = str(self.file) if self.line is None else f"{self.file}:{self.line}"
        details = [
            ("where", place),
            ("key", self.key),
            ("got", self.got),
            ("allowed", self.allowed),
            ("hint", self.hint),
        ]
        return "\n".join([self.what, *(f"  {name:<8} {text}" for name, text in details if text)])


class InputError(Exception):
    """Something the user gave cannot be used; carries every problem that was found.

    The subclasses name the cause: which input it is that has to change.
    """

    def __init__(self, *problems: Problem) -> None:
        self.problems: tuple[Problem, ...] = problems
        super().__init__(*problems)

    def __str__(self) -> str:
        """Render the problems one below the other."""
        return "\n".join(str(problem) for problem in self.problems)


class SpaceError(InputError):
    """The space file, or an option that overrides it."""


class RecipeError(InputError):
    """A training recipe, or a parameter that it does not know."""


class DataError(InputError):
    """The training data: missing, incomplete, corrupt, or in a layout that is not known."""


class FunctionError(InputError):
    """The training function: not found, not importable, or not of the form of contract.py."""


class StudyError(InputError):
    """A study by name: exists already, does not exist, is in use, cannot be written, or is of another version."""


class DeviceError(InputError):
    """The device asked for: absent, or without kernels in the installed torch."""


def nearest(name: str, valid: Iterable[str]) -> str | None:
    """Return a hint that names the valid spelling closest to ``name``, or None when nothing is close."""
    match = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.6)
    return f"did you mean '{match[0]}'?" if match else None


def listed(values: Sequence[object]) -> str:
    """Join values for the ``allowed`` line of a message."""
    return ", ".join(str(value) for value in values)
