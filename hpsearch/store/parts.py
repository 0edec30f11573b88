"""A table as a folder of part files, each with the rows of so many trials, each replaced whole.

A trial's part follows from its number, so trials may finish in any order and a rerun replaces its own rows. The work
per trial is bounded by the size of a part: it does not grow with the study. No part is ever removed.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hpsearch.store.files import read_parquet, write_parquet

TRIALS_PER_PART = {"trials": 1000, "epochs": 500}
"""How many trials share a part. Opening a file costs a reader 0.4 to 0.8 ms however small it is: 100 trials per part,
which is less to rewrite, made reading 5,000 trials of 24 epochs 10 (``trials``) and 3 (``epochs``) times as slow as one
file with the same rows; these keep it below twice (``benchmarks/store.py``). The numbers are part of the format:
others need another schema version."""

PARTS_IN_MEMORY = 2


class PartFolder:
    """The one writer of a table of a study. Its schema has a column ``number`` (int64), the trial of a row."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        """Open ``folder``; parts that were written before ``schema`` got its latest columns are given them."""
        self.folder = folder
        self._schema = schema
        self._trials_per_part = TRIALS_PER_PART[folder.name]
        self._recent: dict[int, pa.Table] = {}
        self._bring_up_to_date()

    @classmethod
    def create(cls, folder: Path, schema: pa.Schema) -> "PartFolder":
        """Make ``folder`` with an empty first part, so that it can be read before there are any rows."""
        folder.mkdir()
        write_parquet(folder / part_name(0), schema.empty_table())
        return cls(folder, schema)

    def put(self, number: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Make ``rows`` the rows of trial ``number``, durably. A column that a row lacks is null there."""
        part = number // self._trials_per_part
        others = self._load(part).filter(pc.field("number") != number)
        self._store(part, pa.concat_tables([others, pa.Table.from_pylist(rows, schema=self._schema)]))

    def remove(self, numbers: Iterable[int]) -> None:
        """Remove the rows of the trials ``numbers``."""
        gone = sorted(numbers)
        for part in sorted({number // self._trials_per_part for number in gone}):
            table = self._load(part)
            kept = table.filter(~pc.field("number").isin(gone))
            if len(kept) < len(table):
                self._store(part, kept)

    def widen(self, schema: pa.Schema) -> None:
        """Give every part the columns of ``schema``, which are those of before and new ones."""
        self._schema = schema
        self._recent = {part: conformed(table, schema) for part, table in self._recent.items()}
        self._bring_up_to_date()

    def _bring_up_to_date(self) -> None:
        # The first part goes first: readers take the columns of the whole folder from it, and fill the narrower parts
        # that follow with nulls. The other way round they would drop the new columns.
        for path in part_files(self.folder):
            table = read_parquet(path)
            if table.schema.names != self._schema.names:
                write_parquet(path, conformed(table, self._schema))

    def _load(self, part: int) -> pa.Table:
        path = self.folder / part_name(part)
        if part not in self._recent and path.exists():
            return conformed(read_parquet(path), self._schema)
        return self._recent.get(part, self._schema.empty_table())

    def _store(self, part: int, table: pa.Table) -> None:
        order = [(key, "ascending") for key in ("number", "epoch") if key in self._schema.names]
        table = table.sort_by(order).combine_chunks()
        write_parquet(self.folder / part_name(part), table)
        self._recent.pop(part, None)
        self._recent[part] = table
        if len(self._recent) > PARTS_IN_MEMORY:
            del self._recent[next(iter(self._recent))]


def read_parts(folder: Path, columns: list[str] | None = None) -> pa.Table:
    """Return all rows of a folder of part files, by number; raises StudyError naming the file that is damaged."""
    tables = [read_parquet(path, columns) for path in part_files(folder)]
    return pa.concat_tables(tables, promote_options="default")


def part_files(folder: Path) -> list[Path]:
    """Return the part files of ``folder`` in the order of their trials; at least one, present or not."""
    return sorted(folder.glob("part-*.parquet")) or [folder / part_name(0)]


def part_name(part: int) -> str:
    """Return the file name of a part."""
    return f"part-{part:05d}.parquet"


def conformed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return ``table`` with the columns of ``schema``, in its order: cast where types differ, null where absent."""
    columns = [
        table[field.name].cast(field.type) if field.name in table.column_names else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
