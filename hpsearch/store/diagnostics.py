"""A study of the built-in trainer in RESULTS/studies/NAME: tables of Parquet that are filled part by part.

``record.json``           what is studied, and the parts that are finished, with the time each took and where
``TABLE/PART.parquet``    the rows of one part of the work; ``pandas.read_parquet(NAME/TABLE)`` reads all of them
``finding.md``, pictures  what the tables say, written anew by every session

A part is finished when the record says so, after all its rows are stored: an interrupted study goes on with the others.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from hpsearch.errors import Problem, StudyError
from hpsearch.store.files import cannot_write, read_files, read_json, replace, write_json, write_parquet
from hpsearch.store.lock import lock
from hpsearch.store.names import check_name

VERSION = 1
FOLDER = "studies"
RECORD = "record.json"
FINDING = "finding.md"

Row = Mapping[str, Any]
Rows = Mapping[str, Sequence[Row]]
"""The rows of one part by the name of their table."""


class Column(NamedTuple):
    """What a column holds, and what it says of itself in the file."""

    type: pa.DataType
    unit: str
    meaning: str


Tables = Mapping[str, Mapping[str, Column]]
"""The tables of a kind of study: name -> column -> what it holds."""


@dataclass
class Diagnostics:
    """A study that is read, or written by whoever opened it; ``record`` is what its record.json holds."""

    folder: Path
    tables: Tables
    record: dict[str, Any]

    @property
    def about(self) -> Mapping[str, Any]:
        """What is studied."""
        found: Mapping[str, Any] = self.record["about"]
        return found

    @property
    def parts(self) -> Mapping[str, Any]:
        """The finished parts by name, each with its ``seconds`` and where it was computed."""
        found: Mapping[str, Any] = self.record["parts"]
        return found

    def table(self, name: str) -> pd.DataFrame:
        """Return the rows of all finished parts, part by part in the order in which they ended.

        Raises StudyError for a damaged file. A study without finished parts has no rows.
        """
        files = [file for part in self.parts if (file := self._file(name, part)).exists()]
        types = schema(self.tables[name])
        rows = read_files(files, types, types.names, None) if files else types.empty_table()
        frame: pd.DataFrame = rows.to_pandas()
        return frame

    def put(self, part: str, rows: Rows, where: Mapping[str, Any]) -> None:
        """Store the rows of a part, in the place of any it had, and record it as finished. Raises StudyError.

        ``where``  plain data on how it was computed: ``seconds``, versions, hardware
        """
        for name, content in rows.items():
            file = self._file(name, part)
            self._make(file.parent)
            write_parquet(file, pa.Table.from_pylist([dict(row) for row in content], schema=schema(self.tables[name])))
        self.record["parts"][part] = dict(where)
        write_json(self.folder / RECORD, self.record)

    def write(self, name: str, text: str) -> Path:
        """Replace a text file of the study and return it. Raises StudyError."""
        file = self.folder / name
        replace(file, lambda temporary: _write_text(temporary, text))
        return file

    def path(self, *names: str) -> Path:
        """Return the place of a file of the study that is no table, in a folder that exists. Raises StudyError."""
        file = self.folder.joinpath(*names)
        self._make(file.parent)
        return file

    def _file(self, table: str, part: str) -> Path:
        return self.folder / table / f"{part}.parquet"

    @staticmethod
    def _make(folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as cause:
            raise cannot_write(folder, cause) from cause


def schema(columns: Mapping[str, Column]) -> pa.Schema:
    """Return the columns of a table, with unit and meaning at each."""
    fields = [
        pa.field(name, column.type, metadata={"unit": column.unit, "meaning": column.meaning})
        for name, column in columns.items()
    ]
    return pa.schema(fields, metadata={"schema_version": str(VERSION)})


@contextmanager
def opened(results: Path, name: str, kind: str, tables: Tables, about: Mapping[str, Any]) -> Iterator[Diagnostics]:
    """Give the study ``name`` to fill: a new one, or the one that was begun with the same plain data ``about`` it.

    Raises StudyError where it cannot be written, is in use, or was begun as something else, and where there are files
    without a record: what another study left would pass for parts of this one.
    """
    check_name(name)
    folder = results.absolute() / FOLDER / name
    Diagnostics._make(folder)
    held = lock(folder)
    try:
        record: dict[str, Any] = {"version": VERSION, "kind": kind, "about": dict(about), "parts": {}}
        if (folder / RECORD).exists():
            found = _record(folder, kind)
            _check_same(folder, found["about"], record["about"])
            record = found
        else:
            _check_empty(folder)
            write_json(folder / RECORD, record)
        yield Diagnostics(folder, tables, record)
    finally:
        held.release()


def read(folder: Path, kind: str, tables: Tables) -> Diagnostics:
    """Return the study in ``folder`` to read. Raises StudyError where there is none of this kind."""
    return Diagnostics(folder, tables, _record(folder, kind))


def _record(folder: Path, kind: str) -> dict[str, Any]:
    file = folder / RECORD
    found = read_json(file)
    if not isinstance(found, dict) or (found.get("version"), found.get("kind")) != (VERSION, kind):
        got = f"{found.get('kind')}, version {found.get('version')}" if isinstance(found, dict) else None
        what, allowed = "this is another kind of study", f"{kind}, version {VERSION}"
        raise StudyError(Problem(what, file=file, got=got, allowed=allowed, hint="give another --name"))
    return found


def _check_empty(folder: Path) -> None:
    if any(not file.name.startswith(".") for file in folder.iterdir()):
        what, hint = f"there are files, but no {RECORD} that says of what", "remove them, or give another --name"
        raise StudyError(Problem(what, file=folder, hint=hint))


def _check_same(folder: Path, about: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    stored, given = _leaves(about), _leaves(wanted)
    different = [key for key in {**stored, **given} if stored.get(key) != given.get(key)]
    if different:
        key = different[0]
        what = f"the study '{folder.name}' was begun with another {key}"
        hint = "give the same options to go on with it, or another --name"
        got, allowed = (_short(values.get(key)) for values in (given, stored))
        raise StudyError(Problem(what, file=folder, got=got, allowed=allowed, hint=hint))


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested mappings to key paths."""
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        leaves |= _leaves(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return leaves


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
