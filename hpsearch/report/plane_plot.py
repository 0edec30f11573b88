"""The picture of results in the plane of decay and ratio: along which of them they are flat."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from hpsearch.analysis.collapse import Collapse
from hpsearch.analysis.decay_and_ratio import Cell, Run
from hpsearch.errors import Problem, StudyError
from hpsearch.report.collapse_plot import FEW, explained_words, representatives, rounded
from hpsearch.report.style import GREY, look
from hpsearch.space.axes import Floats

COLOURS = colormaps["cividis"]
MOST = 60
"""More cells than this have no room for numbers."""
SHOWN = 10
"""Per cent of the cells, the worst, that share the last colour: one failure does not make the others equal."""
ROOM = 1.6
"""The panel ends by this factor beyond the outermost cells."""
DARK = 0.55
"""Up to this share of the colours numbers are written in white."""
WIDE, HIGH = 0.1, 0.05
"""Shares of the horizontal and the vertical axis that the label of a value takes."""
FAINT = "#BDBDBD"
STEPS = (1.0, 2.0, 5.0)


@dataclass(frozen=True)
class Plane:
    """The mean results of the ``cells``; ``better`` and ``worse`` are the ends of the colours.

    ``lines``  peak learning rates whose lines lie in the panel, and ``lr_squared`` = lr^2 / (decay ratio); none where
               that is not the same for all runs
    """

    metric: str
    title: str
    cells: tuple[Cell, ...]
    better: float
    worse: float
    lines: tuple[float, ...]
    lr_squared: float


def plane(found: Collapse, mode: str) -> Plane:
    """Return the data of the picture; ``mode`` says whether ``min`` or ``max`` of the metric is best.

    Raises StudyError where the runs do not lie in two cells.
    """
    if len(found.plane) < 2:
        raise StudyError(Problem(f"there is no picture: {found.missing}"))
    means = np.array([cell.mean for cell in found.plane])
    low, high = (0, 100 - SHOWN) if mode == "min" else (SHOWN, 100)
    ends = float(np.percentile(means, low)), float(np.percentile(means, high))
    better, worse = ends if mode == "min" else ends[::-1]
    title = found.missing or "; ".join(dict.fromkeys(explained_words(found.results)))
    return Plane(found.metric, title, found.plane, better, worse, *_lines(found.runs))


def draw(data: Plane) -> Figure:
    """Draw every cell as a square with its mean, and the runs in it where there are several."""
    with look():
        figure = Figure(figsize=(7.2, 4.8))
        axes = figure.subplots()
        axes.set_xscale("log")
        axes.set_yscale("log")
        decay, ratio = (np.array([getattr(cell, name) for cell in data.cells]) for name in ("decay", "ratio"))
        axes.set_xlim(decay.min() / ROOM, decay.max() * ROOM)
        axes.set_ylim(ratio.min() / ROOM**2, ratio.max() * ROOM**2)
        _ticks(axes.xaxis, decay, WIDE)
        _ticks(axes.yaxis, ratio, HIGH)
        for lr in data.lines:
            _line(axes, lr, data.lr_squared)
        _cells(figure, axes, data)
        axes.set(xlabel="decay per step", ylabel="lr / weight decay", title=data.title)
    return figure


def _lines(runs: Sequence[Run]) -> tuple[tuple[float, ...], float]:
    """Return the round learning rates between the least and the largest, and what relates them to the plane."""
    squared = np.array([run.lr**2 / (run.decay * run.ratio) for run in runs])
    if np.ptp(squared) > 0.01 * squared.min():
        return (), 0.0
    least, most = min(run.lr for run in runs), max(run.lr for run in runs)
    decades = range(int(np.floor(np.log10(least))), int(np.ceil(np.log10(most))) + 1)
    rates = (step * 10.0**decade for decade in decades for step in STEPS)
    return tuple(lr for lr in rates if least / 1.01 <= lr <= most * 1.01), float(np.median(squared))


def _ticks(axis: Axis, values: Floats, room: float) -> None:
    """Mark the values themselves where they are few, with a label where the axis has ``room`` for it."""
    distinct = representatives(values)
    if len(distinct) <= FEW:
        low, high = np.log(axis.get_view_interval())
        axis.set_ticks(distinct.tolist(), labels=_labels(distinct, room * float(high - low)))
        axis.set_ticks([], minor=True)


def _labels(values: Floats, room: float) -> list[str]:
    """Label ``values``, ascending, but none whose log is nearer than ``room`` to that of the label before it."""
    labels, last = [], -np.inf
    for value in values:
        free = np.log(value) - last >= room
        labels.append(rounded(value) if free else "")
        last = np.log(value) if free else last
    return labels


def _line(axes: Axes, lr: float, lr_squared: float) -> None:
    """Draw where the peak learning rate is ``lr``: from the upper left to the lower right."""
    left, right = axes.get_xlim()
    low, high = axes.get_ylim()
    product = lr**2 / lr_squared
    axes.plot([left, right], [product / left, product / right], color=FAINT, linewidth=0.8, zorder=1)
    start = max(left, product / high)
    if start < right and product / start > low:
        place = (start, product / start)
        axes.annotate(f"lr {lr:g}", place, (4, -3), textcoords="offset points", fontsize=7, color=GREY, va="top")


def _cells(figure: Figure, axes: Axes, data: Plane) -> None:
    low, high = sorted((data.better, data.worse))
    norm = Normalize(low, high) if high > low else Normalize(low - 1, high + 1)
    few = len(data.cells) <= MOST
    for cell in data.cells:
        shade = float(np.clip(norm(cell.mean), 0, 1))
        colour = COLOURS(shade)
        axes.plot(cell.decay, cell.ratio, "s" if few else "o", color=colour, markersize=30 if few else 7)
        if few:
            words = f"{cell.mean:#.3g}" + (f"\nn={cell.n}" if cell.n > 1 else "")
            ink = "white" if shade < DARK else "black"
            axes.annotate(words, (cell.decay, cell.ratio), ha="center", va="center", fontsize=7, color=ink)
    bar = figure.colorbar(
        ScalarMappable(norm, COLOURS), ax=axes, pad=0.02, label=data.metric, extend=_beyond(norm, data.cells)
    )
    bar.outline.set_visible(False)


def _beyond(norm: Normalize, cells: Sequence[Cell]) -> str:
    """Return at which end of the colours a cell lies beyond them, by matplotlib's words; only the worse end has any."""
    shades = norm(np.array([cell.mean for cell in cells]))
    return "min" if shades.min() < 0 else "max" if shades.max() > 1 else "neither"
