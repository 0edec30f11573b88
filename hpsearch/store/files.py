"""Files that are replaced whole: a reader or a crash at any moment finds the old content or the new, never a part."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from hpsearch.errors import Problem, StudyError


def replace(path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, make it durable and put it in the place of ``path``.

    The temporary name starts with a dot, which readers of Parquet folders skip. Raises StudyError when the disk is
    full or the folder cannot be written; ``path`` then holds what it held before.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        write(temporary)
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    except OSError as cause:
        raise cannot_write(path, cause) from cause


def cannot_write(path: Path, cause: OSError) -> StudyError:
    """Return the error for a file or folder of the store that the system refused to write."""
    hint = "free some space or mend the folder; what was finished before is kept"
    return StudyError(Problem(f"the study cannot be written: {cause}", file=path, hint=hint))


def write_json(path: Path, data: Any) -> None:
    """Replace ``path`` by ``data`` as strict JSON: NaN and infinities are a ValueError, before anything is written."""
    text = json.dumps(data, indent=2, allow_nan=False) + "\n"
    replace(path, lambda temporary: _write_text(temporary, text))


def read_json(path: Path) -> Any:
    """Return the data of a JSON file; raises StudyError when it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as cause:
        raise _cannot_read(path, cause) from None


def write_parquet(
    path: Path,
    table: pa.Table,
    dictionary: Sequence[str] | None = None,
    compression: str = "snappy",
    split: Sequence[str] = (),
) -> None:
    """Replace ``path`` by ``table``; the columns ``dictionary`` are dictionary-encoded, ``split`` stored byte by byte.

    Without ``dictionary`` that is text, since measured numbers hardly repeat.
    """
    text = [field.name for field in table.schema if pa.types.is_string(field.type)]
    how = {"use_dictionary": text if dictionary is None else [*dictionary], "compression": compression}
    how |= {"use_byte_stream_split": [*split]} if split else {}
    replace(path, lambda temporary: pq.write_table(table.combine_chunks(), temporary, **how))


def read_parquet(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Return the table of one Parquet file, or its ``columns``; raises StudyError when it is missing or damaged."""
    try:
        with pq.ParquetFile(path) as file:
            return file.read(columns)
    except (OSError, pa.ArrowException) as cause:
        raise _cannot_read(path, cause) from None


def read_files(files: Sequence[Path], types: pa.Schema, columns: list[str], only: pc.Expression | None) -> pa.Table:
    """Return the ``columns`` of Parquet files of one folder, as one table of the ``types``, in the order of the files.

    ``only``  which rows; all where it is None

    Raises StudyError for a damaged file, and for values that are not of the type of their column.
    """
    try:
        rows = ds.dataset([str(file) for file in files], schema=types, format="parquet")
        return rows.to_table(columns=columns, filter=only)
    except (OSError, pa.ArrowException) as cause:
        raise _cannot_read(files[0].parent, cause) from None


def read_schema(path: Path) -> pa.Schema:
    """Return the columns of one Parquet file, and what it says about itself. Raises StudyError as ``read_parquet``."""
    try:
        return pq.read_schema(path)
    except (OSError, pa.ArrowException) as cause:
        raise _cannot_read(path, cause) from None


def row_count(path: Path) -> int:
    """Return how many rows a Parquet file has. Raises StudyError as ``read_parquet``."""
    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, pa.ArrowException) as cause:
        raise _cannot_read(path, cause) from None


def _cannot_read(path: Path, cause: Exception) -> StudyError:
    return StudyError(Problem(f"a file of the study cannot be read: {cause}", file=path))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _sync(path: Path) -> None:
    """Wait until the content of a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
