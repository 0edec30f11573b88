"""One look for all pictures, and how they become files; without the state of pyplot."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from hpsearch.errors import Problem, StudyError, listed

FORMATS = (".png", ".svg")
DPI = 150

BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
"""They stay apart for the colour-blind (M. Okabe and K. Ito, 2008)."""
GREY = "#5A5A5A"

LOOK = mpl.RcParams(
    {
        "font.size": 9,
        "axes.titlesize": 10,
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": GREY,
        "axes.grid": True,
        "grid.color": "#E6E6E6",
        "grid.linewidth": 0.6,
        "axes.axisbelow": True,
        "legend.frameon": False,
        "lines.linewidth": 1.8,
        "figure.constrained_layout.use": True,
        "svg.hashsalt": "hpsearch",  # the same picture is the same file
    }
)


@contextmanager
def look() -> Iterator[None]:
    """Draw inside this; what is drawn elsewhere in the process keeps its own look."""
    with mpl.rc_context(LOOK):
        yield


def save(figure: Figure, file: Path, option: str | None = "--plot") -> None:
    """Write a picture, PNG or SVG by its suffix; ``option`` is that of the command that names the file.

    Raises StudyError where the file cannot be written.
    """
    check(file, option)
    metadata = {"Date": None} if file.suffix.lower() == ".svg" else {"Software": None}
    try:
        with look():
            figure.savefig(file, dpi=DPI, metadata=metadata)
    except OSError as cause:
        what = f"cannot write the picture: {cause.strerror}"
        raise StudyError(Problem(what, key=option, got=str(file))) from cause


def check(file: Path, option: str | None = "--plot") -> None:
    """Raise StudyError where a picture cannot be written to ``file``, before anything is computed for it."""
    if file.suffix.lower() not in FORMATS:
        what = "a picture is written as PNG or SVG"
        raise StudyError(Problem(what, key=option, got=str(file), allowed=f"a name ending in {listed(FORMATS)}"))
    obstacle = _obstacle(file)
    if obstacle is not None:
        raise StudyError(Problem(f"cannot write the picture: {obstacle}", key=option, got=str(file)))


def _obstacle(file: Path) -> str | None:
    if not file.parent.is_dir():
        return "there is no such folder"
    if file.is_dir():
        return "this is a folder"
    return None if os.access(file if file.exists() else file.parent, os.W_OK) else "no permission to write there"
