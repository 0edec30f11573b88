"""The work of one ``hpsearch study``, part by part: what is stored is not repeated, an interruption loses one part."""

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import typer

from hpsearch.cli import console
from hpsearch.cli.plan import provenance
from hpsearch.store.diagnostics import FINDING, Diagnostics, Rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Part:
    """A part of a study's work: ``name`` is that of its files, ``what`` says it, ``compute`` returns its rows."""

    name: str
    what: str
    compute: Callable[[], Rows]


def carry_out(study: Diagnostics, parts: Sequence[Part]) -> None:
    """Compute the parts that are not stored yet, and store each when it is done.

    Exits with 130 after Ctrl-C; the same command then goes on.
    """
    due = [part for part in parts if part.name not in study.parts]
    if len(due) < len(parts):
        console.note(f"{len(parts) - len(due)} of {console.counted(len(parts), 'part')} are stored already")
    with interruptible():
        for number, part in enumerate(due, start=1):
            console.note(f"{number}/{len(due)}  {part.what}")
            began = time.perf_counter()
            rows = part.compute()
            seconds = time.perf_counter() - began
            study.put(part.name, rows, {"seconds": round(seconds, 1), **_where()})
            console.note(f"{' ' * len(f'{number}/{len(due)}')}  {console.duration(seconds)}")


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn Ctrl-C in the ``with`` block into the message that the work can go on, and exit code 130."""
    try:
        yield
    except KeyboardInterrupt:
        console.err.print("\ninterrupted; finished parts are kept: give the same command once more to go on")
        raise typer.Exit(128 + signal.SIGINT) from None


def conclude(study: Diagnostics, summary: str, text: str, pictures: Mapping[str, "Figure"]) -> None:
    """Keep the finding and its pictures, print its summary and where all of it is. Raises StudyError."""
    from hpsearch.report.style import save

    for name, figure in pictures.items():
        save(figure, study.path(f"{name}.png"), option=None)
    file = study.write(FINDING, text)
    console.say(f"\n{summary}\n")
    tables = [name for name in study.tables if (study.folder / name).is_dir()]
    console.facts(
        {
            "finding": console.shown(file),
            "pictures": ", ".join(f"{name}.png" for name in pictures),
            "tables": f'{", ".join(tables)}  (pandas.read_parquet("{console.shown(study.folder / tables[0])}"))',
        }
    )


def _where() -> dict[str, object]:
    here = provenance()
    return {"threads": torch.get_num_threads(), **{key: here[key] for key in ("versions", "git", "hardware")}}
