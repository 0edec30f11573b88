"""The picture of a scan: the final loss against rate and against learning rate, a line for each batch size."""

from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator

from hpsearch.analysis.curvature_limit import BESIDE, CurvatureLimit, Point
from hpsearch.analysis.means import Moments, standard_error
from hpsearch.errors import Problem, StudyError
from hpsearch.report.style import GREY, look

COLOURS = colormaps["viridis"]
DARKEST, LIGHTEST = 0.0, 0.85
BEYOND = 2.5
"""A loss of more than so many times the least is marked at the upper edge."""
AXES = {"rate": "lr / (batch size (1 - momentum))", "lr": "learning rate"}


@dataclass(frozen=True)
class Line:
    """The points of one batch size that came to a result, by rising rate, and the one where its flat region ends."""

    batch_size: int
    points: tuple[Point, ...]
    end: Point | None


@dataclass(frozen=True)
class Panels:
    """``lines`` of all batch sizes; no loss is drawn above ``top``."""

    metric: str
    lines: tuple[Line, ...]
    top: float


def panels(found: CurvatureLimit) -> Panels:
    """Return the data of the picture. Raises StudyError where every training diverged."""
    least = [point.loss.mean for point in found.points if point.loss]
    if not least:
        raise StudyError(Problem("there is no picture: every training of the search diverged"))
    ends = {end.batch_size: end.first_off for end in found.ends}
    lines = tuple(Line(size, found.of(size), ends.get(size)) for size in found.batch_sizes)
    return Panels(found.metric, lines, min(max(least), BEYOND * abs(min(least))))


def draw(data: Panels) -> Figure:
    """Draw loss (above) and accuracy against both coordinates."""
    colours = [COLOURS(place) for place in np.linspace(DARKEST, LIGHTEST, len(data.lines))]
    with look():
        figure = Figure(figsize=(8.6, 6.2))
        grid = figure.subplots(2, 2, sharex="col", sharey="row")
        for column, (name, label) in enumerate(AXES.items()):
            for line, colour in zip(data.lines, colours, strict=True):
                _loss(grid[0, column], line, name, colour, data.top)
                _accuracy(grid[1, column], line, name, colour)
            grid[1, column].set_xscale("log", base=2)
            grid[1, column].xaxis.set_major_formatter("{x:.3g}")
            grid[1, column].xaxis.set_major_locator(LogLocator(base=2, numticks=6))
            grid[1, column].set_xlabel(label)
        least = min(point.loss.mean for line in data.lines for point in line.points if point.loss)
        room = 0.06 * (data.top - least) or 0.1
        grid[0, 0].set(ylabel=data.metric, ylim=(least - room, data.top + room))
        grid[1, 0].set(ylabel=BESIDE)
        grid[0, 0].set_title("the same rate")
        grid[0, 1].set_title("the same step")
        figure.legend(handles=_legend(data, colours), loc="outside lower left", ncols=4)
    return figure


def _loss(axes: Axes, line: Line, name: str, colour: tuple[float, ...], top: float) -> None:
    ended = [point for point in line.points if point.loss]
    at = [getattr(point, name) for point in ended]
    means = [min(point.loss.mean, top) for point in ended if point.loss]
    errors = [_error(point.loss) if point.loss and point.loss.mean <= top else 0.0 for point in ended]
    axes.errorbar(at, means, yerr=errors, color=colour, linewidth=1.3, capsize=2)
    for place, mean, point in zip(at, means, ended, strict=True):
        marker = "^" if point.loss and point.loss.mean > top else "o"
        axes.plot(place, mean, marker, color=colour, markerfacecolor=colour if point.follows else "white", markersize=5)
    lost = [getattr(point, name) for point in line.points if point.diverged]
    axes.plot(lost, [top] * len(lost), "x", color=colour, markersize=7)
    if line.end is not None:
        axes.axvline(getattr(line.end, name), color=colour, linestyle=":", linewidth=1)


def _accuracy(axes: Axes, line: Line, name: str, colour: tuple[float, ...]) -> None:
    ended = [point for point in line.points if point.beside]
    means = [point.beside.mean for point in ended if point.beside]
    errors = [_error(point.beside) for point in ended]
    at = [getattr(point, name) for point in ended]
    axes.errorbar(at, means, yerr=errors, color=colour, marker="o", markersize=3, linewidth=1.3, capsize=2)


def _error(of: Moments | None) -> float:
    return (of and standard_error(of)) or 0.0


def _legend(data: Panels, colours: list[tuple[float, float, float, float]]) -> list[Line2D]:
    lines = [
        Line2D([], [], color=colour, label=f"batches of {line.batch_size}")
        for line, colour in zip(data.lines, colours, strict=True)
    ]
    marks = {
        "as the smallest batch": ("o", GREY),
        "shown to be worse": ("o", "white"),
        "a run diverged": ("x", GREY),
    }
    styled = [
        Line2D([], [], color=GREY, linestyle="", marker=marker, markerfacecolor=face, markersize=5, label=words)
        for words, (marker, face) in marks.items()
    ]
    return [*lines, *styled, Line2D([], [], color=GREY, linestyle=":", linewidth=1, label="end of the flat region")]
