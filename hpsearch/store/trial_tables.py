"""The tables that ride along in reports (weight dynamics and the like): one folder per table, one file per trial."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from hpsearch.contract import OWN_TABLES, TABLE_KEYS
from hpsearch.errors import Problem, StudyError
from hpsearch.store.dynamics import described, metadata
from hpsearch.store.files import read_parquet, write_parquet
from hpsearch.store.names import is_name
from hpsearch.store.parts import conformed
from hpsearch.trial import EpochReport, PendingTrial

LARGE = 20_000
"""Rows from which on a table is compressed: the exponents of its numbers repeat, which saves a quarter."""

SAMPLE = 1000
"""Rows that tell whether the values of a column repeat."""


class TableError(StudyError):
    """A table in a report that cannot be stored, or not beside those of earlier trials."""


@dataclass
class _Known:
    """What is written of one table: its ``schema`` so far and the ``first`` of its files, by which readers go."""

    schema: pa.Schema
    first: Path


class TrialTables:
    """The one writer of the tables that ride along in a study's reports."""

    def __init__(self, folder: Path, metadata: Mapping[str, str]) -> None:
        """Write below the study's ``folder``; ``metadata`` goes into every file."""
        self._folder = folder
        self._metadata = metadata
        self._known: dict[str, _Known] = {}

    def put(self, trial: PendingTrial, reports: Sequence[EpochReport]) -> None:
        """Write the tables of ``reports``, a file each; raises TableError for one that is not a table."""
        for name in dict.fromkeys(name for report in reports for name in report.tables):
            try:
                self._write(name, trial, _combined(name, trial, reports))
            except (pa.ArrowException, TypeError, ValueError) as cause:
                raise _refused(name, trial, str(cause)) from None

    def clear(self, trial: PendingTrial) -> None:
        """Empty the files of a trial that is to run again (they stay, since a reader may have listed them)."""
        for path in self._folder.glob(f"*/{_file_name(trial)}"):
            _write_file(path, read_parquet(path).slice(0, 0))

    def _write(self, name: str, trial: PendingTrial, table: pa.Table) -> None:
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        path = folder / _file_name(trial)
        known = self._known.get(name) or self._look_up(folder, table.schema, path)
        schema = pa.unify_schemas([known.schema, table.schema], promote_options="permissive")
        schema = described(name, schema).with_metadata({**self._metadata, **metadata(name)})
        if known.first.exists() and not schema.equals(known.schema):
            _write_file(known.first, conformed(read_parquet(known.first), schema))
        _write_file(path, conformed(table, schema))
        self._known[name] = _Known(schema, min(known.first, path))

    def _look_up(self, folder: Path, schema: pa.Schema, path: Path) -> _Known:
        first = min(folder.glob("trial-*.parquet"), default=path)
        return _Known(read_parquet(first).schema if first.exists() else schema, first)


def _combined(name: str, trial: PendingTrial, reports: Iterable[EpochReport]) -> pa.Table:
    """Return the rows of all epochs of one table, with the columns ``trial_id`` and ``epoch`` in front."""
    if not is_name(name) or name in OWN_TABLES:
        raise ValueError(
            f"the name of a table is letters, digits, '.', '_' and '-', and none of {', '.join(OWN_TABLES)}"
        )
    epochs = [_epoch_table(trial, report.epoch, report.tables[name]) for report in reports if name in report.tables]
    return pa.concat_tables(epochs, promote_options="permissive")


def _epoch_table(trial: PendingTrial, epoch: int, columns: Mapping[str, Any]) -> pa.Table:
    if taken := [key for key in TABLE_KEYS if key in columns]:
        raise ValueError(f"the column '{taken[0]}' is added by the store")
    table = pa.table({name: pa.array(np.asarray(values)) for name, values in columns.items()})
    keys = {"trial_id": pa.array([trial.trial_id] * len(table)), "epoch": pa.array([epoch] * len(table), pa.int64())}
    return pa.table({**keys, **dict(zip(table.column_names, table.columns, strict=True))})


def _write_file(path: Path, table: pa.Table) -> None:
    """Write a file that is opened together with hundreds: what repeats as a dictionary, and nothing compressed.

    Noise would hardly get smaller, and reading 500 files of 5,000 rows takes a fifth less than with text alone as
    dictionaries and the rest compressed (``benchmarks/dynamics_store.py``). In a large file the little counts.
    """
    repeated = [name for name in table.column_names if _repeats(table[name])]
    if len(table) <= LARGE:
        write_parquet(path, table, repeated, "none")
    else:
        floats = [one.name for one in table.schema if pa.types.is_floating(one.type) and one.name not in repeated]
        write_parquet(path, table, repeated, "zstd", floats)


def _repeats(column: pa.ChunkedArray) -> bool:
    """Whether the first values of ``column`` are there twice or more, on average."""
    head = column.slice(0, SAMPLE)
    return 2 * len(head.unique()) <= len(head)


def _file_name(trial: PendingTrial) -> str:
    return f"trial-{trial.trial_id}.parquet"


def _refused(name: str, trial: PendingTrial, why: str) -> TableError:
    what = f"the table '{name}' in a report of trial {trial.trial_id} cannot be stored: {why}"
    return TableError(Problem(what, allowed="a mapping of column names to one-dimensional arrays of one length"))
