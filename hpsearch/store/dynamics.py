"""The table ``dynamics`` of a study: how the weights of every traced trial moved (post 6), one file per trial.

The built-in trainer reports it where it is told to trace; a training function of one's own may report a table of the
same name and columns. One row per traced step and tensor, all of it measured at that step: w is the tensor before the
step, w' after it, g the gradient of the mean loss without weight decay.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hpsearch.errors import Problem, StudyError, listed
from hpsearch.store.files import read_files, read_schema, row_count
from hpsearch.store.reader import Study

TABLE = "dynamics"

VERSION = 1
"""Of the meaning of the columns; in the metadata of every file."""

_TEXT, _COUNT, _FLAG, _SETTING, _MEASURED = pa.string(), pa.int64(), pa.bool_(), pa.float64(), pa.float32()

COLUMNS = {
    "trial_id": (_TEXT, "", "number as fixed-width text; joins the tables of the study"),
    "epoch": (_COUNT, "epochs", "the epoch that the step lies in, from 1"),
    "step": (_COUNT, "steps", "steps that were taken before this one"),
    "layer": (_TEXT, "", "name of the tensor in the network"),
    "kind": (_TEXT, "", "conv, linear, norm scale, norm bias, bias, or other"),
    "size": (_COUNT, "", "numbers in the tensor"),
    "scale_invariant": (_FLAG, "", "the loss in train mode does not change with the length of w; found by doubling it"),
    "rule": (_TEXT, "", "the update rule that the tensor follows"),
    "lr": (_SETTING, "1 / loss", "learning rate of the tensor at this step; of LARS a share of |w|"),
    "weight_decay": (_SETTING, "loss", "weight decay of the tensor at this step"),
    "momentum": (_SETTING, "", "momentum at this step; of Adam its beta1"),
    "batch_size": (_COUNT, "examples", "examples of the step"),
    "weight_norm": (_MEASURED, "", "|w|"),
    "grad_norm": (_MEASURED, "loss", "|g|"),
    "update_norm": (_MEASURED, "", "|w' - w|"),
    "cos_weight_gradient": (_MEASURED, "", "cosine of the angle between w and g; NaN where one of them is zero"),
    "cos_descent_update": (_MEASURED, "", "the same of -g and w' - w: how much of a step is of its own gradient"),
    "rotation": (_MEASURED, "radians", "angle between w and w'; NaN where one of them is zero"),
    "relative_update": (_MEASURED, "", "|w' - w| / |w|; infinite where w is zero"),
    "effective_lr": (_MEASURED, "1 / loss", "lr / |w|^2; of LARS lr / (|w| |g|), of Adam and Muon lr / |w|"),
    "equilibrium_norm": (_MEASURED, "", "|w| at which decay and gradients of this size would balance; NaN: no theory"),
    "equilibrium_rotation": (_MEASURED, "radians", "rms rotation per step in that balance; NaN: no theory"),
}
"""Name -> type, unit and meaning."""


def metadata(name: str) -> dict[str, str]:
    """Return what the files of the table ``name`` say about it; nothing where it is not known."""
    return {"table_version": str(VERSION)} if name == TABLE else {}


def described(name: str, schema: pa.Schema) -> pa.Schema:
    """Return ``schema`` with unit and meaning at the columns that are known."""
    known = COLUMNS if name == TABLE else {}
    fields = [
        field.with_metadata(dict(zip(("unit", "meaning"), known[field.name][1:], strict=True)))
        if field.name in known
        else field
        for field in schema
    ]
    return pa.schema(fields, metadata=schema.metadata)


def traced(study: Study) -> list[str]:
    """Return the trials (``trial_id``) that ended and have dynamics, in order of their numbers.

    Raises StudyError where none has, and says how to trace.
    """
    folder = study.folder / TABLE
    ended = [trial.trial_id for trial in study.history]
    found = [trial_id for trial_id in ended if _has_rows(_file(study, trial_id))]
    if not found:
        what = "no trial of the study was traced" if ended else "no trial of the study has ended"
        hint = "trace: {every: 10, layers: all} in the train: block of a space, or in a recipe, records them"
        raise StudyError(Problem(f"there are no weight dynamics: {what}", file=folder, hint=hint))
    return found


def read_dynamics(
    study: Study, trials: Sequence[str] | None = None, columns: Iterable[str] = COLUMNS, invariant: bool = False
) -> pd.DataFrame:
    """Return the dynamics of ``trials`` (all that were traced): trial by trial, step by step, in the network's order.

    ``columns``    those wanted
    ``invariant``  only tensors whose length changes nothing

    Raises StudyError where there are none, for an unknown trial, and for a table of another version or a damaged one.
    """
    known = traced(study)
    chosen = known if trials is None else [_checked(trial, known) for trial in trials]
    files = [_file(study, trial_id) for trial_id in chosen]
    for file in files:
        _check_table(file)
    only = pc.field("scale_invariant") if invariant else None
    types = pa.schema([(name, kind) for name, (kind, _, _) in COLUMNS.items()])
    frame: pd.DataFrame = read_files(files, types, list(columns), only).to_pandas()
    return frame


def _file(study: Study, trial_id: str) -> Path:
    return study.folder / TABLE / f"trial-{trial_id}.parquet"


def _has_rows(file: Path) -> bool:
    """Whether a trial has dynamics; the file of one that is to run again is empty."""
    return file.exists() and row_count(file) > 0


def _checked(trial: str, known: Sequence[str]) -> str:
    """Return the ``trial_id`` of a trial by its id or number."""
    trial_id = trial.zfill(len(known[0]))
    if trial_id not in known:
        allowed = listed(known if len(known) <= 5 else [*known[:3], "...", known[-1]])
        raise StudyError(Problem("no traced trial of the study has this id", key="--trial", got=trial, allowed=allowed))
    return trial_id


def _check_table(file: Path) -> None:
    """Raise StudyError for a table whose columns mean something else, or are not all there."""
    schema = read_schema(file)
    version = (schema.metadata or {}).get(b"table_version", b"none").decode()
    if version != str(VERSION):
        what = "the weight dynamics were written by another version of hpsearch"
        raise StudyError(Problem(what, file=file, key="table_version", got=version, allowed=str(VERSION)))
    missing = [name for name in COLUMNS if name not in schema.names]
    if missing:
        what = "columns are missing from the weight dynamics"
        raise StudyError(Problem(what, file=file, got=f"no {listed(missing)}", hint="results/README.md has them all"))
