"""Studies as data frames, for reports: read only, at any moment, also while a driver writes."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.compute as pc

from hpsearch.errors import StudyError
from hpsearch.space.spec import Space
from hpsearch.store.contents import read_contents, read_record
from hpsearch.store.lock import is_locked
from hpsearch.store.names import find_study, study_names
from hpsearch.store.parts import read_parts
from hpsearch.trial import FinishedTrial, PendingTrial


@dataclass(frozen=True)
class Study:
    """A study as it stood when it was read.

    ``record``   study.json
    ``trials``   one row per trial that ended; ``epochs`` one row per epoch of them (columns: results/README.md)
    ``history``  the same trials as values, in number order, their configurations exactly as proposed
    ``pending``  the trials that were started and have not ended
    ``running``  a driver is at work on it
    """

    name: str
    folder: Path
    record: Mapping[str, Any]
    space: Space
    trials: pd.DataFrame
    epochs: pd.DataFrame
    history: tuple[FinishedTrial, ...]
    pending: tuple[PendingTrial, ...]
    running: bool


@dataclass(frozen=True)
class StudyEntry:
    """One line of a list of studies; ``counts`` maps status to trials, ``problem`` says why it cannot be read."""

    name: str
    folder: Path
    created_at: str | None = None
    goal: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    running: bool = False
    problem: str | None = None


def open_study(results: Path, name: str) -> Study:
    """Read the study ``name`` in ``results``.

    Raises StudyError when there is none (with the nearest name), or it is damaged or of another version.
    """
    folder = find_study(results, name)
    running = is_locked(folder)
    contents = read_contents(folder)
    ended = pc.field("number").isin([trial.number for trial in contents.history])
    return Study(
        name=name,
        folder=folder,
        record=contents.record,
        space=contents.space,
        trials=contents.trials.to_pandas(),
        epochs=contents.epochs.filter(ended).to_pandas(),
        history=contents.history,
        pending=contents.pending,
        running=running,
    )


def list_studies(results: Path) -> list[StudyEntry]:
    """Return an entry for every study in ``results``, by name; a damaged one has its ``problem`` in it."""
    return [_entry(results.absolute() / name) for name in study_names(results)]


def _entry(folder: Path) -> StudyEntry:
    try:
        record = read_record(folder)
        statuses = read_parts(folder / "trials", ["status"])["status"].to_pylist()
    except StudyError as error:
        return StudyEntry(folder.name, folder, problem=str(error))
    goal = str(record.get("space", {}).get("goal", ""))
    return StudyEntry(folder.name, folder, record.get("created_at"), goal, dict(Counter(statuses)), is_locked(folder))
