"""The picture of networks at initialisation: the mean of their channels over the spread, layer by layer."""

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from hpsearch.analysis.batch_norm_study import BatchNormStudy
from hpsearch.analysis.init_growth import InitGrowth
from hpsearch.report.batch_norm_look import DEEP, RECIPE, colour, nothing_to_draw, seeds_drawn, words
from hpsearch.report.style import look

DASHED = "--"
"""Of frozen batch norm, which at initialisation hides batch norm: its statistics are the same."""


@dataclass(frozen=True)
class Layers:
    """The deep networks, and those of the recipe; either may be missing."""

    deep: tuple[InitGrowth, ...]
    recipe: tuple[InitGrowth, ...]
    name: str


def layers(found: BatchNormStudy) -> Layers:
    """Return the data of the picture. Raises StudyError where no network was looked at when it was new."""
    if not found.growth:
        raise nothing_to_draw("networks at initialisation")
    deep = tuple(one for one in found.growth if one.network not in RECIPE)
    recipe = tuple(one for one in found.growth if one.network in RECIPE)
    return Layers(deep, recipe, str(found.about.get("recipe", "the recipe")))


def draw(data: Layers) -> Figure:
    """Draw a panel for the deep networks and one for the recipe's, thin lines for single seeds."""
    panels = [(nets, title) for nets, title in ((data.deep, ""), (data.recipe, data.name)) if nets]
    with look():
        figure = Figure(figsize=(0.8 + 4.6 * len(panels), 4.2))
        grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (nets, name) in zip(grid, panels, strict=True):
            _panel(axes, nets, name)
        grid[0].set_ylabel("mean over spread of the channels (rms)")
        grid[0].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        grid[0].yaxis.set_major_formatter("{x:g}")
        grid[0].yaxis.set_minor_formatter(NullFormatter())
        figure.suptitle(
            "Outputs of convolutions at initialisation: channel mean over spread", fontsize=10.5, x=0.01, ha="left"
        )
    return figure


def _panel(axes: Axes, nets: tuple[InitGrowth, ...], recipe: str) -> None:
    names = RECIPE if recipe else DEEP
    for one in nets:
        for ratios in one.ratios.values():
            axes.plot(one.depth, ratios, color=colour(one.network), linewidth=0.7, alpha=0.45)
        line = DASHED if one.network == "frozen_batch_norm" else "-"
        axes.plot(one.depth, one.mean, line, color=colour(one.network), label=words(one.network, names))
        if one.theory is not None:
            axes.plot(one.depth, one.theory, "--", color="black", linewidth=1, label="ReLU, theory", zorder=3)
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.set_xlabel("depth (convolutions)")
    deepest = max(int(one.depth.max()) for one in nets)
    what = recipe or f"plain networks of {deepest} layers"
    axes.set_title(f"{what}; {seeds_drawn(seed for one in nets for seed in one.ratios)}")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3 if len(nets) > 2 else 2)
