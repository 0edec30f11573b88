"""The effects of a factorial study as Parquet: one row per parameter, in RESULTS/NAME/effects."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from hpsearch.store.files import cannot_write, write_parquet

FOLDER = "effects"
FILE = "part-00000.parquet"
VERSION = 1

COLUMNS = {
    "name": (pa.string(), "parameter, or technique of a recipe"),
    "about": (pa.string(), "what the technique is; empty for other parameters"),
    "effect": (pa.float64(), "mean with minus mean without it (its first value minus its second), by least squares"),
    "standard_error": (pa.float64(), "of the effect; the residuals hold interactions, too"),
    "low": (pa.float64(), "lower end of the 95% interval"),
    "high": (pa.float64(), "upper end of the 95% interval"),
    "p_value": (pa.float64(), "probability of an effect at least this large where there is none"),
    "n_with": (pa.int64(), "trials with it that have a result"),
    "n_without": (pa.int64(), "trials without it that have a result"),
    "resolution": (pa.int64(), "of the design: at 3, effects are mixed with interactions of two; null for a full one"),
}
IN_UNITS = ("effect", "standard_error", "low", "high")


def write_effects(study: Path, rows: Sequence[Mapping[str, Any]], unit: str) -> None:
    """Replace the effects in the folder ``study``; ``unit`` is that of effects and their errors. Raises StudyError."""
    folder = study / FOLDER
    try:
        folder.mkdir(exist_ok=True)
    except OSError as cause:
        raise cannot_write(folder, cause) from cause
    write_parquet(folder / FILE, pa.Table.from_pylist(list(rows), schema=_schema(unit)))


def _schema(unit: str) -> pa.Schema:
    fields = [
        pa.field(name, kind, metadata={"unit": unit if name in IN_UNITS else "", "meaning": meaning})
        for name, (kind, meaning) in COLUMNS.items()
    ]
    return pa.schema(fields, metadata={"schema_version": str(VERSION)})
