"""The picture of where the gradient of an output's mean lies: the share of each layer in its squared norm."""

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hpsearch.analysis.batch_norm_study import BatchNormStudy
from hpsearch.analysis.output_moves import GradientShares
from hpsearch.report.batch_norm_look import colour, legend, nothing_to_draw, seeds_drawn
from hpsearch.report.style import GREY, look

SMALLEST = 1e-6
"""Shares below this are drawn here: a layer may have no gradient at all."""


@dataclass(frozen=True)
class Shares:
    """The networks and the ``layers`` of any of them, from input to output."""

    networks: tuple[GradientShares, ...]
    layers: tuple[str, ...]
    title: str


def shares(found: BatchNormStudy) -> Shares:
    """Return the data of the picture. Raises StudyError where no gradients are stored."""
    if not found.gradients:
        raise nothing_to_draw("gradients of the outputs' means")
    nets = found.gradients
    longest = max(nets, key=lambda one: len(one.layers))
    names = dict.fromkeys([*longest.layers, *(name for one in nets for name in one.layers)])
    seeds = seeds_drawn(seed for one in nets for seed in one.last.values)
    return Shares(
        nets, tuple(names), f"Squared gradient norm of an output's mean by layer; {nets[0].outputs} outputs, {seeds}"
    )


def draw(data: Shares) -> Figure:
    """Draw a row for each layer, a point for each network, small ones for single seeds."""
    with look():
        figure = Figure(figsize=(7.6, 1.5 + 0.24 * len(data.layers)))
        axes = figure.subplots()
        for one in data.networks:
            _points(axes, one, data.layers)
        axes.set_xscale("log")
        axes.set_yticks(range(len(data.layers)), data.layers)
        axes.set_ylim(len(data.layers) - 0.5, -0.5)
        axes.axvline(1, color=GREY, linewidth=0.8)
        axes.set_xlabel("share of the whole squared norm (mean over outputs)")
        axes.set_title(data.title, fontsize=10, x=0.0)
        legend(figure, [one.network for one in data.networks])
    return figure


def _points(axes: Axes, one: GradientShares, names: tuple[str, ...]) -> None:
    tint = colour(one.network)
    for name, by_seed in one.layers.items():
        row = names.index(name)
        values = [max(value, SMALLEST) for value in by_seed.finite.values()]
        axes.plot(values, [row] * len(values), "o", color=tint, markersize=3, alpha=0.4, markeredgewidth=0)
        if by_seed.moments is not None:
            axes.plot(max(by_seed.moments.mean, SMALLEST), row, "o", color=tint, markersize=6)
