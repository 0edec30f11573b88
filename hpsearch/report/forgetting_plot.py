"""The picture of forgetting: the loss of frozen networks on the batches of their last epoch, by the age of these."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from hpsearch.analysis.forgetting_curve import Condition, Forgetting, by_age
from hpsearch.analysis.forgetting_fit import Fit
from hpsearch.errors import Problem, StudyError
from hpsearch.report.style import BLUE, GREEN, GREY, ORANGE, PURPLE, look
from hpsearch.space.axes import Floats

BINS = 12
"""Ages are put together to so many for the mean and its band."""
MOMENTUM, DECAY = "memory of the momentum", "memory of the decay"
MARKS: dict[str, Literal[":", "-."]] = {MOMENTUM: ":", DECAY: "-."}
"""The known times and their lines."""
ROOM = 0.08
"""Share of a panel that stays free above and below."""


@dataclass(frozen=True)
class Panel:
    """One condition: ``age`` (n,) and ``loss`` (n,) of each batch, means over the runs, adjusted by the better fit.

    ``middle``, ``mean``, ``error``  (bins,) of the losses of all runs, with the standard error of the mean
    ``curve``, ``plain``  the fitted ones (n,) with and without the momentum's part, None where they are flat
    ``marks``  known times (steps) that lie inside the epoch, by their words
    """

    title: str
    age: Floats
    loss: Floats
    middle: Floats
    mean: Floats
    error: Floats
    curve: Floats | None
    plain: Floats | None
    unseen: float
    marks: dict[str, float]


def panels(found: Forgetting) -> tuple[tuple[Panel, ...], ...]:
    """Return the data of the picture, a row for each learning rate. Raises StudyError where nothing was replayed."""
    rates = dict.fromkeys(one.factor for one in found.conditions)
    fitted = [(one, one.better) for one in found.conditions if one.better]
    rows = [[_panel(one, better) for one, better in fitted if one.factor == rate] for rate in rates]
    if not any(rows):
        raise StudyError(Problem("there is no picture: no run that did not diverge has batches enough"))
    return tuple(tuple(row) for row in rows if row)


def draw(rows: tuple[tuple[Panel, ...], ...]) -> Figure:
    """Draw a panel for each condition; all of them span the same difference of losses."""
    span = max(np.ptp([*_losses(panel)]) for row in rows for panel in row) * (1 + 2 * ROOM)
    columns = max(map(len, rows))
    with look():
        figure = Figure(figsize=(0.8 + 4.0 * columns, 0.9 + 2.7 * len(rows)))
        grid = figure.subplots(len(rows), columns, squeeze=False)
        for axes_of_row, row in zip(grid, rows, strict=True):
            for axes, panel in zip(axes_of_row, row, strict=False):
                _draw(axes, panel, span)
            for axes in axes_of_row[len(row) :]:
                axes.set_axis_off()
            axes_of_row[0].set_ylabel("loss (nat)")
        for axes in grid[-1]:
            axes.set_xlabel("age of the batch (steps)")
        figure.legend(handles=_legend(rows), loc="outside lower left", ncols=3)
    return figure


def _panel(of: Condition, fit: Fit) -> Panel:
    age, loss = (np.asarray(values, float) for values in by_age(fit))
    edges = np.linspace(age.min(), age.max() + 1, min(BINS, len(age)) + 1)
    groups = [fit.adjusted[(fit.replays.age >= low) & (fit.replays.age < high)] for low, high in _pairs(edges)]
    known = {MOMENTUM: of.momentum_steps, DECAY: of.memory_steps}
    return Panel(
        title=f"{of.name}\n{words(fit)}",
        age=age,
        loss=loss,
        middle=(edges[:-1] + edges[1:] - 1) / 2,
        mean=np.array([group.mean() for group in groups]),
        error=np.array([group.std(ddof=1) / np.sqrt(len(group)) if len(group) > 1 else 0.0 for group in groups]),
        curve=_curve(of.fit, age),
        plain=_curve(of.plain, age),
        unseen=of.results["unseen_loss"].mean,
        marks={name: steps for name, steps in known.items() if steps <= age.max()},
    )


def _curve(fit: Fit | None, age: Floats) -> Floats | None:
    return None if fit is None or fit.is_flat else fit.curve(age)


def words(fit: Fit) -> str:
    """Return what the fit found in a few words."""
    return f"flat within the noise (p = {fit.chance:.2g})" if fit.is_flat else f"forgets, T {timescale(fit)}"


def timescale(fit: Fit) -> str:
    """Return the timescale in steps with its interval, as far as this has ends."""
    low, high = fit.interval.low, fit.interval.high
    if low and np.isfinite(high):
        return f"{fit.timescale:.0f} ({low:.0f} to {high:.0f}) steps"
    if low:
        return f"above {low:.0f} steps"
    return f"below {high:.0f} steps" if np.isfinite(high) else "not known"


def _pairs(edges: Floats) -> list[tuple[float, float]]:
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def _losses(panel: Panel) -> list[float]:
    """Return all that a panel has to show."""
    return [*panel.loss, *(panel.mean - panel.error), *(panel.mean + panel.error), panel.unseen]


def _draw(axes: Axes, panel: Panel, span: float) -> None:
    axes.plot(panel.age, panel.loss, ".", color=GREY, alpha=0.35, markersize=4, markeredgewidth=0)
    low, high = panel.mean - panel.error, panel.mean + panel.error
    axes.fill_between(panel.middle, low, high, color=BLUE, alpha=0.25, linewidth=0)
    axes.plot(panel.middle, panel.mean, color=BLUE)
    axes.axhline(panel.unseen, color=GREEN, linestyle="--", linewidth=1.2)
    if panel.curve is not None:
        axes.plot(panel.age, panel.curve, color=ORANGE)
    if panel.plain is not None:
        axes.plot(panel.age, panel.plain, color=ORANGE, linestyle="--", linewidth=1.1)
    for name, steps in panel.marks.items():
        axes.axvline(steps, color=PURPLE, linestyle=MARKS[name], linewidth=1.2)
    middle = (min(_losses(panel)) + max(_losses(panel))) / 2
    axes.set_ylim(middle - span / 2, middle + span / 2)
    axes.set_title(panel.title, fontsize=9)


def _legend(rows: tuple[tuple[Panel, ...], ...]) -> list[Artist]:
    lines: list[Artist] = [
        Line2D([], [], color=GREY, linestyle="", marker=".", alpha=0.5, label="a batch, mean over runs"),
        Line2D([], [], color=BLUE, label="mean"),
        Patch(color=BLUE, alpha=0.25, linewidth=0, label="standard error"),
        Line2D([], [], color=GREEN, linestyle="--", linewidth=1.2, label="images never seen"),
        Line2D([], [], color=ORANGE, label="fit with the momentum's part"),
        Line2D([], [], color=ORANGE, linestyle="--", linewidth=1.1, label="fit of a plain exponential"),
    ]
    marks = {name for row in rows for panel in row for name in panel.marks}
    known = [
        Line2D([], [], color=PURPLE, linestyle=style, linewidth=1.2, label=name)
        for name, style in MARKS.items()
        if name in marks
    ]
    return [*lines, *known]
