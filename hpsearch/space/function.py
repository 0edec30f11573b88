"""The training function by name: imported, checked, and named so that another process finds the same one."""

import hashlib
import importlib
import importlib.util
import sys
import sysconfig
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from hpsearch.contract import Describe, Prepare, TrainingFunction
from hpsearch.errors import FunctionError, Problem, listed, nearest

FORMS = "module:name or path/file.py:name"
_HOME = Path(__file__).resolve().parents[2]  # whoever imports this file imports what lies here without help


@dataclass(frozen=True)
class Functions:
    """A training function and what its module offers beside it.

    ``reference`` names it for ``load_function`` in any process, whatever the working directory there.
    """

    train: TrainingFunction
    prepare: Prepare | None
    describe: Describe | None
    reference: str


def load_function(reference: str, base: Path) -> Functions:
    """Import a training function.

    ``reference`` is ``module:name``, imported with ``base`` (the folder of the space file) and the working directory
    on the path; ``path/file.py:name``, relative to ``base`` or else to the working directory; or
    ``folder/module:name``, imported with that folder on the path. Raises FunctionError.
    """
    place, colon, name = reference.rpartition(":")
    if not colon or not place or not name.isidentifier():
        raise FunctionError(Problem("not a training function", key="train.function", got=reference, allowed=FORMS))
    roots = [base.absolute(), Path.cwd()]
    module, found = _from_file(place, roots) if place.endswith(".py") else _from_path(place, roots)
    train = _callable(module, name, reference)
    return Functions(train, _optional(module, "prepare"), _optional(module, "describe"), f"{found}:{name}")


def _from_file(place: str, roots: list[Path]) -> tuple[ModuleType, str]:
    """Import a single file under a name of its own; return it with its absolute path."""
    file = next((root / place for root in roots if (root / place).is_file()), None)
    if file is None:
        raise _not_found(place, [str(root / place) for root in roots])
    file = file.resolve()
    name = f"_hpsearch_{hashlib.sha256(str(file).encode()).hexdigest()[:8]}_{file.stem}"
    if name not in sys.modules:
        _add_to_path([file.parent])
        _import(lambda: _execute(file, name), name)
    return sys.modules[name], str(file)


def _execute(file: Path, name: str) -> None:
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None, file
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs: dataclasses and pickling look their module up
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise


def _from_path(place: str, roots: list[Path]) -> tuple[ModuleType, str]:
    """Import a module; return it with its name, after the folder of ``roots`` that is needed to find it."""
    folder, slash, name = place.rpartition("/")
    if slash:
        roots = [root / folder for root in roots]
    _add_to_path(roots)
    try:
        module = _import(lambda: importlib.import_module(name), name)
    except ModuleNotFoundError:
        raise _not_found(name, [str(root) for root in roots]) from None
    origin = Path(module.__file__ or "").resolve()
    depth = name.count(".") + (origin.name == "__init__.py")
    root = origin.parents[depth] if len(origin.parents) > depth else None
    needs_root = root != _HOME and root in [own.resolve() for own in roots]
    return module, f"{root}/{name}" if needs_root else name


def _add_to_path(folders: list[Path]) -> None:
    for folder in reversed(folders):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))


def _import(load: Callable[[], Any], name: str) -> Any:
    """Call ``load``; whatever the user's code raises becomes a FunctionError with the place in it.

    Lets ModuleNotFoundError through when it is ``name`` itself, or a package it lies in, that is missing.
    """
    try:
        return load()
    except (Exception, SystemExit) as cause:
        missing = cause.name if isinstance(cause, ModuleNotFoundError) else None
        if missing and f"{name}.".startswith(f"{missing}."):
            raise
        file, line = place_of(cause)
        what = f"the module of the training function cannot be imported: {type(cause).__name__}: {cause}"
        raise FunctionError(Problem(what, file=file, line=line, key="train.function")) from cause


def place_of(cause: BaseException) -> tuple[Path | None, int | None]:
    """Return where the user's code raised: the innermost frame outside the libraries and this file."""
    if isinstance(cause, SyntaxError) and cause.filename:
        return Path(cause.filename), cause.lineno
    libraries = tuple(sysconfig.get_paths()[key] for key in ("stdlib", "platstdlib", "purelib", "platlib"))
    frames = traceback.extract_tb(cause.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(("<", __file__, *libraries))]
    return (Path(own[-1].filename), own[-1].lineno) if own else (None, None)


def _callable(module: ModuleType, name: str, reference: str) -> TrainingFunction:
    file = Path(module.__file__) if module.__file__ else None
    found = getattr(module, name, None)
    if callable(found):
        return found  # type: ignore[no-any-return]
    names = [other for other, value in vars(module).items() if callable(value) and not other.startswith("_")]
    what = f"'{name}' is not in the module" if found is None else f"'{name}' cannot be called"
    raise FunctionError(
        Problem(
            what, file, key="train.function", got=reference, allowed=listed(names) or None, hint=nearest(name, names)
        )
    )


def _optional(module: ModuleType, name: str) -> Any:
    found = getattr(module, name, None)
    return found if callable(found) else None


def _not_found(place: str, looked_in: list[str]) -> FunctionError:
    what = "the training function's module is not there"
    where = f"looked in {listed(list(dict.fromkeys(looked_in)))}"
    return FunctionError(Problem(what, key="train.function", got=place, allowed=FORMS, hint=where))
