"""The picture of small moves towards single outputs: accuracy and the share of the chosen class, before and after."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from hpsearch.analysis.batch_norm_study import BatchNormStudy
from hpsearch.analysis.by_seed import BySeed
from hpsearch.analysis.constant_function import Floats
from hpsearch.analysis.output_moves import OutputMoves
from hpsearch.report.batch_norm_look import colour, nothing_to_draw, seeds_drawn, words
from hpsearch.report.style import GREY, look

WIDTH = 0.5
"""Of the band of points of a network, whose neighbours are 1 apart."""


@dataclass(frozen=True)
class Moved:
    """The networks, and what was done to them in words."""

    networks: tuple[OutputMoves, ...]
    title: str


def moved(found: BatchNormStudy) -> Moved:
    """Return the data of the picture. Raises StudyError where no network was moved."""
    if not found.moves:
        raise nothing_to_draw("moves of the parameters")
    one = found.moves[0]
    seeds = seeds_drawn(seed for net in found.moves for seed in net.share.values)
    how = f"Parameters moved by {100 * one.size:.2g}% of their length to raise one output's mean"
    return Moved(found.moves, f"{how}: {one.outputs} outputs, {seeds}")


def draw(data: Moved) -> Figure:
    """Draw a point for each move, their mean, and where they began."""
    with look():
        figure = Figure(figsize=(8.6, 3.9))
        left, right = figure.subplots(1, 2, sharey=True)
        for place, one in enumerate(data.networks):
            _column(left, place, one.network, one.each_accuracy, one.accuracy, one.accuracy_before)
            _column(right, place, one.network, one.each_share, one.share, one.share_before)
        for axes, what in ((left, "accuracy"), (right, "images taken for the chosen class")):
            axes.set_title(f"{what} after the move")
            axes.set_xticks(range(len(data.networks)), [words(one.network) for one in data.networks])
            axes.set_xlim(-0.6, len(data.networks) - 0.4)
            axes.grid(visible=False, axis="x")
        left.set_ylim(-0.02, 1.02)
        left.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        left.set_ylabel("share of the images")
        figure.suptitle(data.title, fontsize=10.5, x=0.01, ha="left")
        figure.legend(handles=_legend(), loc="outside lower left", ncols=3)
    return figure


def _column(axes: Axes, place: int, network: str, each: Floats, after: BySeed, before: BySeed) -> None:
    places = place + np.linspace(-WIDTH / 2, WIDTH / 2, len(each))
    axes.plot(places, each, "o", color=colour(network), markersize=3.5, alpha=0.45, markeredgewidth=0)
    for value, tint, style in ((after, colour(network), "-"), (before, GREY, "--")):
        if value.moments is not None:
            mean = value.moments.mean
            axes.plot([place - 0.36, place + 0.36], [mean, mean], style, color=tint, linewidth=2)


def _legend() -> list[Line2D]:
    return [
        Line2D([], [], color=GREY, linestyle="--", label="before, mean"),
        Line2D([], [], color=GREY, label="after, mean"),
        Line2D(
            [], [], color=GREY, linestyle="", marker="o", markersize=3.5, alpha=0.6, label="after, one output and seed"
        ),
    ]
