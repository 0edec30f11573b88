"""The picture of the norms of a trial: |w| of its scale-invariant tensors, beside what theory makes of them."""

import math
from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from hpsearch.analysis.layer_dynamics import Layer, TrialDynamics
from hpsearch.analysis.layer_norms import Floats, Norms
from hpsearch.errors import Problem, StudyError
from hpsearch.report.style import BLUE, GREY, ORANGE, look

MOST = 12
"""Tensors that are drawn: of more, so many from the first to the last."""
COLUMNS = 4

STRIP = 0.22
"""Share of a panel that the highest learning rate takes."""
FAINT = "#ECECEC"


@dataclass(frozen=True)
class Panel:
    """One tensor: ``epochs`` (n,) are the traced steps in epochs, ``note`` says how far off theory is."""

    name: str
    note: str
    epochs: Floats
    norms: Norms


@dataclass(frozen=True)
class Norming:
    """The panels, and the title of all of them."""

    title: str
    panels: tuple[Panel, ...]


def norming(found: TrialDynamics) -> Norming:
    """Return the data of the picture. Raises StudyError where theory says nothing of any tensor."""
    layers = found.layers
    if not layers:
        what = "there is no picture: theory says nothing of the tensors that were traced"
        raise StudyError(Problem(what, got=f"trial {found.trial_id}"))
    shown = sorted({round(place) for place in np.linspace(0, len(layers) - 1, MOST)})
    panels = [_panel(layers[place], found.steps_per_epoch) for place in shown]
    part = "" if len(shown) == len(layers) else f", {len(shown)} of {len(layers)} tensors"
    end = "" if found.diverged_at_step is None else f", up to where it diverged at step {found.diverged_at_step}"
    return Norming(f"Norms of trial {found.trial_id}{part}{end}", tuple(panels))


def draw(data: Norming) -> Figure:
    """Draw a small panel for each tensor, with one axis of epochs."""
    columns = min(COLUMNS, len(data.panels))
    rows = math.ceil(len(data.panels) / columns)
    with look():
        figure = Figure(figsize=(1 + 2.7 * max(columns, 2), 1.1 + 2.2 * rows))
        grid = list(figure.subplots(rows, columns, squeeze=False).flat)
        for axes, panel in zip(grid, data.panels, strict=False):
            _draw_panel(axes, panel)
        for axes in grid[len(data.panels) :]:
            axes.remove()
        for axes in figure.axes[::columns]:
            axes.set_ylabel("|w|")
        for axes in figure.axes[-columns:]:
            axes.set_xlabel("epochs")
        figure.suptitle(data.title, fontsize=10, x=0.01, ha="left")
        figure.legend(handles=_legend(figure.axes[0]), loc="outside lower right", ncols=4 if columns > 2 else 2)
    return figure


def _panel(layer: Layer, steps_per_epoch: float) -> Panel:
    norms = layer.norms
    note = f"theory off by {norms.path_error:.1%}"
    if norms.lag is not None:
        theory = "" if norms.lag.by_theory is None else f" (theory {norms.lag.by_theory:.0f})"
        note += f"; lag {norms.lag.steps:.0f} steps{theory}"
    return Panel(layer.name, note, norms.step / steps_per_epoch, norms)


def _draw_panel(axes: Axes, panel: Panel) -> None:
    norms = panel.norms
    height = STRIP * norms.lr / (norms.lr.max() or 1)
    axes.fill_between(panel.epochs, 0, height, transform=axes.get_xaxis_transform(), color=FAINT, linewidth=0)
    axes.plot(panel.epochs, norms.balance, color=GREY, linewidth=0.9, label="its balance, at this rate and gradient")
    axes.plot(panel.epochs, norms.measured, color=BLUE, label="|w| measured")
    axes.plot(panel.epochs, norms.path, "--", color=ORANGE, linewidth=1.3, label="by theory from the start")
    axes.set_yscale("log")
    _limit(axes, norms)
    axes.set_title(f"{panel.name}\n", fontsize=9)
    axes.text(0, 1.03, panel.note, transform=axes.transAxes, fontsize=7.5, color=GREY)


def _limit(axes: Axes, norms: Norms) -> None:
    """Fit the axis to |w|: near a learning rate of 0 the balance goes to 0."""
    lines = np.concatenate([norms.measured, norms.path])
    low, high = lines.min(), lines.max()
    axes.set_ylim(low / 1.5, high * 1.25)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 4, 5, 7)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def _legend(axes: Axes) -> list[Artist]:
    handles, words = axes.get_legend_handles_labels()
    order = sorted(zip(words, handles, strict=True), key=lambda pair: pair[0] != "|w| measured")
    strip = axes.fill_between([], [], color=FAINT, label="learning rate")
    return [*(handle for _, handle in order), strip]
