"""What the folder of a study holds, read and checked: the common ground of the writer and the reader."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from hpsearch.errors import InputError, Problem, StudyError
from hpsearch.space.spec import Space
from hpsearch.store.files import read_json
from hpsearch.store.names import STUDY_FILE
from hpsearch.store.parts import read_parts
from hpsearch.store.rows import finished_trials
from hpsearch.store.schema import VERSION, StudySchema, metrics_in
from hpsearch.trial import FinishedTrial, Origin, PendingTrial

PENDING_FILE = "pending.json"


@dataclass(frozen=True)
class Contents:
    """A study as it stood at one moment.

    ``history`` are the trials that ended, in number order; ``pending`` those that were started and did not end, in the
    order of their start; ``trials`` and ``epochs`` the tables, of which ``epochs`` may hold rows of a trial that was
    cut off before its row in ``trials`` was written.
    """

    record: dict[str, Any]
    space: Space
    schema: StudySchema
    trials: pa.Table
    epochs: pa.Table
    history: tuple[FinishedTrial, ...]
    pending: tuple[PendingTrial, ...]


def read_contents(folder: Path) -> Contents:
    """Read the study in ``folder``; raises StudyError for a file that is missing, damaged or of another version."""
    record = read_record(folder)
    space = _space(folder, record)
    # A trial enters `epochs`, then `trials`, then leaves `pending`: read the other way round, it is in one of them.
    pending = _read_pending(folder)
    trials = read_parts(folder / "trials")
    epochs = read_parts(folder / "epochs")
    metrics = [*metrics_in(trials.schema), *metrics_in(epochs.schema)]
    schema = StudySchema.of(folder.name, space).with_metrics(metrics)
    _check_columns(folder / "trials", schema.trials, trials)
    _check_columns(folder / "epochs", schema.epochs, epochs)
    history = finished_trials(schema, trials, epochs)
    ended = {trial.number for trial in history}
    pending = tuple(trial for trial in pending if trial.number not in ended)
    return Contents(record, space, schema, trials, epochs, history, pending)


def read_record(folder: Path) -> dict[str, Any]:
    """Return study.json; raises StudyError where it is missing, damaged or of another version."""
    file = folder / STUDY_FILE
    record = read_json(file)
    version = record.get("schema_version") if isinstance(record, dict) else None
    if version != VERSION:
        what = "the study was written by another version of hpsearch"
        raise StudyError(Problem(what, file=file, key="schema_version", got=str(version), allowed=str(VERSION)))
    return dict(record)


def pending_data(trial: PendingTrial) -> dict[str, Any]:
    """Return the entry of pending.json for ``trial``."""
    return {
        "number": trial.number,
        "config": dict(trial.config),
        "seed": trial.seed,
        "schedule": trial.schedule,
        "origin": trial.origin.value,
        "repeat": trial.repeat,
    }


def _read_pending(folder: Path) -> tuple[PendingTrial, ...]:
    file = folder / PENDING_FILE
    try:
        return tuple(_pending(entry) for entry in read_json(file))
    except (KeyError, TypeError, ValueError):
        raise StudyError(Problem("not a list of pending trials", file=file)) from None


def _pending(entry: dict[str, Any]) -> PendingTrial:
    return PendingTrial(
        entry["number"],
        entry["config"],
        entry["seed"],
        schedule=entry.get("schedule"),
        origin=Origin(entry.get("origin", Origin.NEW)),
        repeat=entry.get("repeat", 0),
    )


def _space(folder: Path, record: dict[str, Any]) -> Space:
    try:
        return Space.restore({"prior": "uniform", **record["space"]})  # a study of before there were priors has none
    except (KeyError, TypeError, ValueError, InputError) as cause:
        what = f"the study does not hold a space: {cause}"
        raise StudyError(Problem(what, file=folder / STUDY_FILE, key="space")) from None


def _check_columns(folder: Path, schema: pa.Schema, table: pa.Table) -> None:
    missing = [name for name in schema.names if name not in table.column_names and name not in _optional(schema)]
    if missing:
        raise StudyError(Problem(f"the column '{missing[0]}' is missing from the table", file=folder))


def _optional(schema: pa.Schema) -> set[str]:
    """Return the columns that a table may lack: metrics come late, what is derived follows from the parameters."""
    return {field.name for field in schema if field.metadata.keys() & {b"metric", b"derived", b"optional"}}
