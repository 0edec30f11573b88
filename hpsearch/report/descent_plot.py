"""The picture of gradient descent below and above 2 / largest eigenvalue: the loss step by step."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from hpsearch.analysis.batch_norm_study import BatchNormStudy
from hpsearch.analysis.descent_verdicts import Descent
from hpsearch.report.batch_norm_look import colour, nothing_to_draw, seeds_drawn, words
from hpsearch.report.style import GREY, look

Style = Literal["-", ":", "--"]
DECADE = 10.0
"""The losses are drawn on a logarithmic axis where the largest is more times the smallest."""


@dataclass(frozen=True)
class Descents:
    """The descents of each network."""

    networks: dict[str, tuple[Descent, ...]]
    title: str

    @property
    def span(self) -> float:
        """The largest finite loss over the smallest above 0, 1 where there is none."""
        losses = np.concatenate([one.losses for found in self.networks.values() for one in found])
        shown = losses[np.isfinite(losses) & (losses > 0)]
        return float(shown.max() / shown.min()) if shown.size else 1.0


def descents(found: BatchNormStudy) -> Descents:
    """Return the data of the picture. Raises StudyError where there was no descent."""
    if not found.descents:
        raise nothing_to_draw("descents")
    names = dict.fromkeys(one.network for one in found.descents)
    of = {name: tuple(one for one in found.descents if one.network == name) for name in names}
    seeds = seeds_drawn(one.seed for one in found.descents)
    return Descents(of, f"Gradient descent on the fixed batches, rates in units of 2 / largest eigenvalue; {seeds}")


def draw(data: Descents) -> Figure:
    """Draw a panel for each network, dashed above the limit; a cross is the last finite loss before it diverged."""
    with look():
        figure = Figure(figsize=(0.8 + 3.1 * len(data.networks), 3.6))
        grid = figure.subplots(1, len(data.networks), sharey=True, squeeze=False)[0]
        for axes, (network, found) in zip(grid, data.networks.items(), strict=True):
            _panel(axes, network, found)
        grid[0].set(yscale="log" if data.span > DECADE else "linear", ylabel="loss (nat)")
        figure.suptitle(data.title, fontsize=10.5, x=0.01, ha="left")
        figure.legend(handles=_legend(data), loc="outside lower left", ncols=4)
    return figure


def _panel(axes: Axes, network: str, found: tuple[Descent, ...]) -> None:
    for one in found:
        losses = np.where(np.isfinite(one.losses) & (one.losses > 0), one.losses, np.nan)
        axes.plot(losses, color=colour(network), linestyle=_style(one.factor), linewidth=1.4, alpha=0.85)
        last = np.flatnonzero(np.isfinite(losses))
        if one.diverged and last.size:
            axes.plot(last[-1], losses[last[-1]], "x", color=colour(network), markersize=6)
    axes.set_xlabel("step")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    axes.set_title(words(network))


def _style(factor: float) -> Style:
    return "-" if factor < 1 else ":" if factor == 1 else "--"


def _legend(data: Descents) -> list[Line2D]:
    found = [one for descents in data.networks.values() for one in descents]
    lines = [
        Line2D([], [], color=GREY, linestyle=_style(factor), label=f"at {factor:g}")
        for factor in sorted({one.factor for one in found})
    ]
    cross = Line2D([], [], color=GREY, linestyle="", marker="x", label="given up: diverged")
    return [*lines, cross] if any(one.diverged for one in found) else lines
