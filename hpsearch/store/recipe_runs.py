"""Runs of recipes as Parquet: one row per run, from any number of sessions, in RESULTS/reproduce/NAME/runs.parquet.

Beside it lies summary.json, what the last command said of them.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, NamedTuple, get_args, get_type_hints

import pyarrow as pa
from filelock import AcquireReturnProxy, FileLock

from hpsearch.errors import Problem, StudyError
from hpsearch.store.files import cannot_write, read_parquet, write_json, write_parquet

VERSION = 1
FILE = "runs.parquet"
SUMMARY_FILE = "summary.json"

_TYPES = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    datetime: pa.timestamp("us", tz="UTC"),
}


class Column(NamedTuple):
    """What a column says of itself in the file."""

    unit: str
    meaning: str


@dataclass(frozen=True)
class RecipeRun:
    """One run of a recipe on all the training images, tested once at the end; every field is a column."""

    name: Annotated[str, Column("", "name of the recipe")]
    recipe: Annotated[str, Column("JSON", "values of the recipe that decide the run, as it was scaled")]
    data: Annotated[str, Column("", "the images: data set and name of the folder or archive")]
    seed: Annotated[int, Column("", "seed of everything random")]
    device: Annotated[str, Column("", "where it ran: cpu, or the name of the GPU")]
    threads: Annotated[int, Column("", "CPU threads of torch")]
    width: Annotated[int, Column("channels", "of the first convolution")]
    full_width: Annotated[int, Column("channels", "the same in the recipe file")]
    epochs: Annotated[int, Column("epochs", "length of the schedule")]
    full_epochs: Annotated[int, Column("epochs", "the same in the recipe file")]
    images: Annotated[int, Column("images", "in the training set, all of them")]
    accuracy: Annotated[float | None, Column("fraction", "on the test set, at the end; null where it diverged")]
    test_loss: Annotated[float | None, Column("nat", "mean cross-entropy on the test set; null where it diverged")]
    diverged: Annotated[bool, Column("", "the loss became infinite, no number, or larger than the recipe's bound")]
    trained_epochs: Annotated[int, Column("epochs", "epochs that were trained")]
    seconds: Annotated[float, Column("s", "wall time of preparation and training, without reading files and the test")]
    cpu_seconds: Annotated[float, Column("s", "processor time of all threads over the same span")]
    eval_seconds: Annotated[float, Column("s", "wall time of the test")]
    images_per_second: Annotated[float, Column("1/s", "images trained on over seconds")]
    petaflop: Annotated[float, Column("10^15 FLOP", "arithmetic of the training in convolutions and matrix products")]
    flops_per_second: Annotated[float, Column("FLOP/s", "petaflop over seconds")]
    peak_flops_per_second: Annotated[float, Column("FLOP/s", "ceiling of the device, measured in the same process")]
    share_of_peak: Annotated[float, Column("fraction", "flops_per_second over peak_flops_per_second")]
    target: Annotated[float | None, Column("fraction", "accuracy to be reached; null where this scale has none")]
    reached: Annotated[bool | None, Column("", "whether the target was reached; null where there is none")]
    precision: Annotated[str, Column("", "number format of convolutions and matrix products")]
    note: Annotated[str | None, Column("", "remark of the training")]
    started_at: Annotated[datetime, Column("UTC", "when the run was started")]
    cpu: Annotated[str, Column("", "the processor of the machine")]
    cores: Annotated[int, Column("", "processor cores that the process could use")]
    torch: Annotated[str, Column("", "version")]
    python: Annotated[str, Column("", "version")]
    commit: Annotated[str | None, Column("", "revision of the source, with a + where files were changed since")]

    @property
    def place(self) -> tuple[str, str, int]:
        """Where it ran."""
        return self.device, self.cpu, self.threads

    @property
    def key(self) -> tuple[object, ...]:
        """What makes a run the repetition of another."""
        return self.recipe, self.data, self.seed, *self.place

    @property
    def busy_seconds(self) -> float:
        """Time of preparation and training; on a CPU, which others may use too, the processor time of each thread."""
        return self.cpu_seconds / self.threads if self.device == "cpu" else self.seconds

    @property
    def images_trained(self) -> int:
        """Images of all epochs that were trained; not those of a last batch that the recipe drops, or of one image."""
        values = json.loads(self.recipe)
        rest = self.images % values["batch_size"]
        return self.trained_epochs * (self.images - (rest if values["drop_last"] or rest == 1 else 0))

    @property
    def scale(self) -> str:
        """How the run was made smaller than the recipe file has it, or "full"."""
        return scale(self.width, self.full_width, self.epochs, self.full_epochs)


def scale(width: int, full_width: int, epochs: int, full_epochs: int) -> str:
    """Say by how much a network and a schedule are smaller than those of a recipe file: "full" for not at all."""
    parts = [f"width {width} of {full_width}"] if width != full_width else []
    parts += [f"{epochs} of {full_epochs} epochs"] if epochs != full_epochs else []
    return ", ".join(parts) or "full"


def _schema() -> pa.Schema:
    hints = get_type_hints(RecipeRun, include_extras=True)
    fields = [_field(name, *get_args(hint)) for name, hint in hints.items()]
    return pa.schema(fields, metadata={"schema_version": str(VERSION)})


def _field(name: str, hint: Any, column: Column) -> pa.Field:
    kind = get_args(hint)[0] if isinstance(hint, UnionType) else hint  # float | None is a float column
    return pa.field(name, _TYPES[kind], metadata=column._asdict())


SCHEMA = _schema()


def read(folder: Path) -> list[RecipeRun]:
    """Return the runs in ``folder`` in the order in which they ended, none where there is no file.

    Raises StudyError for a file that is damaged or of another version.
    """
    file = folder / FILE
    if not file.exists():
        return []
    table = read_parquet(file)
    if not table.schema.equals(SCHEMA):
        hint = "move it away, or give another --results"
        raise StudyError(Problem("the runs were written by another version", file=file, hint=hint))
    return [RecipeRun(**row) for row in table.to_pylist()]


def append(folder: Path, run: RecipeRun) -> None:
    """Add ``run`` to those in ``folder``; other sessions may do the same at any moment. Raises StudyError."""
    with _lock(folder):
        rows = [asdict(one) for one in [*read(folder), run]]
        write_parquet(folder / FILE, pa.Table.from_pylist(rows, schema=SCHEMA))


def write_summary(folder: Path, summary: Any) -> None:
    """Replace the summary of the runs in ``folder`` by plain data. Raises StudyError."""
    with _lock(folder):
        write_json(folder / SUMMARY_FILE, summary)


def prepare(folder: Path) -> None:
    """Make ``folder``, and find out before a long run that it cannot be written. Raises StudyError."""
    with _lock(folder):
        pass


def _lock(folder: Path) -> AcquireReturnProxy[FileLock]:
    """Take the lock of ``folder``, which is there for the moment of a change, until the end of a ``with`` block."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / ".lock").acquire()
    except OSError as cause:
        raise cannot_write(folder, cause) from cause
