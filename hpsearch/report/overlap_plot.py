"""The picture of the leading eigenvectors: how much of each lies in the span of gradients of the outputs' moments."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from hpsearch.analysis.batch_norm_study import BatchNormStudy
from hpsearch.analysis.eigenvector_overlaps import Overlaps
from hpsearch.report.batch_norm_look import colour, legend, nothing_to_draw, seeds_drawn
from hpsearch.report.style import GREY, look


@dataclass(frozen=True)
class Panels:
    """The overlaps of all networks by span."""

    spans: dict[str, tuple[Overlaps, ...]]
    title: str

    @property
    def networks(self) -> tuple[str, ...]:
        """The networks in their order."""
        return tuple(dict.fromkeys(one.network for found in self.spans.values() for one in found))


def panels(found: BatchNormStudy) -> Panels:
    """Return the data of the picture. Raises StudyError where no overlaps are stored."""
    if not found.overlaps:
        raise nothing_to_draw("overlaps of eigenvectors")
    names = dict.fromkeys(one.span for one in found.overlaps)
    spans = {name: tuple(one for one in found.overlaps if one.span == name) for name in names}
    seeds = seeds_drawn(seed for one in found.overlaps for seed in one.seeds)
    return Panels(spans, f"Share of Hessian eigenvectors in the span of gradients of the outputs' moments; {seeds}")


def draw(data: Panels) -> Figure:
    """Draw a panel for each span, a line for each seed of a network, and what a random direction would have."""
    with look():
        figure = Figure(figsize=(0.8 + 3.1 * len(data.spans), 3.7))
        grid = figure.subplots(1, len(data.spans), sharey=True, squeeze=False)[0]
        for axes, (span, found) in zip(grid, data.spans.items(), strict=True):
            _panel(axes, span, found)
        grid[0].set_ylabel("squared projection on the span")
        grid[0].set_ylim(-0.03, 1.03)
        grid[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        figure.suptitle(data.title, fontsize=10.5, x=0.01, ha="left")
        chance = Line2D([], [], color=GREY, linestyle=":", linewidth=1.2, label="a random direction")
        legend(figure, data.networks, [chance])
    return figure


def _panel(axes: Axes, span: str, found: tuple[Overlaps, ...]) -> None:
    for one in found:
        for values in one.seeds.values():
            index = np.arange(1, len(values) + 1)
            axes.plot(index, values, color=colour(one.network), marker="o", markersize=3.5, linewidth=1.1, alpha=0.8)
    axes.axhline(max(one.chance for one in found), color=GREY, linestyle=":", linewidth=1.2)
    axes.set_xlabel("index of the eigenvector")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    size = max(one.span_size for one in found)
    axes.set_title(f"{span}\n({size} directions)", fontsize=9)
