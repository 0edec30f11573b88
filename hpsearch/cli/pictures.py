"""The ``--plot`` of a command."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hpsearch.cli import console

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Plot = Annotated[Path | None, typer.Option("--plot", metavar="FILE", help="Write the picture as PNG or SVG.")]


def check_plot(file: Path | None) -> None:
    """Raise StudyError where a picture cannot be written there, before anything is computed."""
    if file is not None:
        from hpsearch.report.style import check

        check(file)


def keep_plot(figure: "Figure", file: Path) -> None:
    """Write a picture and say where. Raises StudyError where the file cannot be written."""
    from hpsearch.report.style import save

    save(figure, file)
    console.note(f"picture in {console.shown(file)}")
