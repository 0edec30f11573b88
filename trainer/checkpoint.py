"""A run on disk, to go on from: exactly, a resumed run ends in the same weights as one that was not interrupted.

Only tensors and plain data are written, and read back with ``weights_only=True``. The state of the random streams is
the seed and the number of finished epochs (``loop.Run``).
"""

import os
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from hpsearch.errors import Problem, RecipeError, listed
from trainer.early_stop import Progress
from trainer.loop import Run

VERSION = 2


def save(run: Run, file: Path) -> None:
    """Write ``run`` so that ``file`` is at every moment absent or complete."""
    state = {
        **_identity(run),
        "progress": asdict(run.progress),
        "reports": [_with_tables(report, _to_plain) for report in run.reports],
        "network": run.network.state_dict(),
        "velocities": run.update.state(),
        "average": run.average.state() if run.average else None,
    }
    write(state, file)


def restore(run: Run, file: Path) -> None:
    """Bring a freshly started ``run`` to the state in ``file``.

    Raises RecipeError when the file is no checkpoint, or one of another version, recipe or seed.
    """
    state = read(file)
    for key, value in _identity(run).items():
        if state.get(key) != value:
            what = f"the checkpoint was written with another {key}"
            raise RecipeError(
                Problem(what, file=file, key=_different(state.get(key), value), hint="remove it to start over")
            )
    run.network.load_state_dict(state["network"])
    run.update.restore(state["velocities"])
    if run.average:
        run.average.restore(state["average"])
    run.progress = Progress(**state["progress"])
    run.reports = [_with_tables(report, np.asarray) for report in state["reports"]]


def _with_tables(report: dict[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    """Return a report with every column of its tables changed."""
    tables = report.get("tables", {})
    changed = {name: {key: change(column) for key, column in table.items()} for name, table in tables.items()}
    return {**report, "tables": changed} if tables else report


def _to_plain(column: npt.NDArray[Any]) -> Any:
    """Return a column as what can be loaded without running code: numbers as a tensor, text as a list."""
    return column.tolist() if column.dtype.kind == "U" else torch.from_numpy(column)


def write(state: dict[str, Any], file: Path) -> None:
    """Save plain data and tensors under a temporary name beside ``file``, then rename."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        torch.save(state, temporary)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def read(file: Path) -> dict[str, Any]:
    """Load plain data and tensors, these to the CPU whatever device they were on.

    Raises RecipeError when ``file`` is missing, damaged or holds anything else.
    """
    try:
        if not zipfile.is_zipfile(file):  # torch would take it for a bare pickle
            raise OSError("missing or damaged")
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError) as cause:
        raise RecipeError(Problem("cannot read the saved run", file=file, got=str(cause).partition("\n")[0])) from None
    if not isinstance(state, dict):
        raise RecipeError(Problem("this is no saved run", file=file))
    return state


def _identity(run: Run) -> dict[str, Any]:
    """Return what must be equal for a run to go on."""
    recipe = run.recipe.model_dump(mode="json")
    return {"version": VERSION, "recipe": recipe, "seed": run.seed, "precision": run.precision}


def _different(old: object, new: object) -> str | None:
    """Name the top-level keys of two recipes that differ."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return None
    return listed([key for key in new if old.get(key) != new[key]])
