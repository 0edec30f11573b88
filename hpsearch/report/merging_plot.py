"""The picture of initial weights of several scales: the length of each tensor, and when these are one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator

from hpsearch.analysis.merging import Merging, Mergings
from hpsearch.analysis.merging_layers import WITHIN, Layer
from hpsearch.errors import Problem, StudyError
from hpsearch.report.style import GREY, look

MOST = 9
"""Tensors that are drawn; of more, every so many-th, first and last among them."""
COLUMNS = 3
COLOURS = colormaps["viridis"]
DARKEST, LIGHTEST = 0.0, 0.8


@dataclass(frozen=True)
class Panels:
    """Tensors of one setting, in the order of the analysis, with the ``scales`` of their initial weights."""

    layers: tuple[Layer, ...]
    scales: tuple[float, ...]
    title: str


def panels(found: Mergings, setting: int = 0) -> Panels:
    """Return the data of the picture. Raises StudyError where no setting was started from several scales."""
    if not found.settings:
        what = "there is no picture: no setting was run with initial weights of several scales"
        raise StudyError(Problem(what, hint="model.weight_scale: {type: choice, values: [0.25, 1.0, 4.0]}"))
    one = found.settings[setting]
    count = len(one.layers)
    places = np.unique(np.linspace(0, count - 1, min(count, MOST)).round().astype(int))
    return Panels(tuple(one.layers[place] for place in places), tuple(one.results), _title(one))


def draw(data: Panels) -> Figure:
    """Draw a panel for each tensor."""
    columns = min(COLUMNS, len(data.layers))
    rows = -(-len(data.layers) // columns)
    with look():
        figure = Figure(figsize=(0.4 + 3.2 * columns, 0.9 + 2.2 * rows))
        grid = figure.subplots(rows, columns, sharex=True, squeeze=False)
        for axes, layer in zip(grid.flat, data.layers, strict=False):
            _panel(axes, layer)
        for axes in grid.flat[len(data.layers) :]:
            axes.set_axis_off()
        for axes in grid.flat[max(0, len(data.layers) - columns) : len(data.layers)]:
            axes.set_xlabel("step")
            axes.tick_params(labelbottom=True)
        for axes in grid[:, 0]:
            axes.set_ylabel("|w|")
        figure.suptitle(data.title, fontsize=10, x=0.01, ha="left")
        figure.legend(handles=_legend(data.scales), loc="outside lower left", ncols=len(data.scales) + 3)
    return figure


def _panel(axes: Axes, layer: Layer) -> None:
    for (scale, norms), colour in zip(layer.norms.items(), _colours(len(layer.norms)), strict=True):
        axes.plot(layer.step, norms, color=colour, alpha=0.55, linewidth=2.2)
        if layer.has_theory:
            axes.plot(layer.step, layer.paths[scale], "--", color=colour, linewidth=1)
    for step, style in ((layer.measured, "-"), (layer.predicted, ":")):
        if step is not None:
            axes.axvline(step, color=GREY, linestyle=style, linewidth=1)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
    predicted = f"predicted {_at(layer.predicted)}" if layer.has_theory else "no theory"
    axes.set_title(f"{layer.name}\nmerged {_at(layer.measured)}, {predicted}", fontsize=8)


def _at(step: float | None) -> str:
    return "never" if step is None else f"at {step:.0f}"


def _colours(n: int) -> list[tuple[float, float, float, float]]:
    """Return ``n`` colours in order of lightness."""
    return [COLOURS(place) for place in np.linspace(DARKEST, LIGHTEST, n)]


def _legend(scales: Sequence[float]) -> list[Line2D]:
    marks = [
        Line2D([], [], color=colour, label=f"weights x {scale:g}")
        for scale, colour in zip(scales, _colours(len(scales)), strict=True)
    ]
    styles = [Line2D([], [], color=GREY, linestyle=style, linewidth=1) for style in ("--", "-", ":")]
    for line, words in zip(styles, ("|w| by theory", "merged", "predicted"), strict=True):
        line.set_label(words)
    return [*marks, *styles]


def _title(of: Merging) -> str:
    setting = ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in of.config.items()
    )
    ratio = "" if of.ratio is None else f", after {of.ratio:.2f} times the predicted steps (median)"
    return f"lengths within {WITHIN - 1:.0%}{ratio}" + (f"; {setting}" if setting else "")
