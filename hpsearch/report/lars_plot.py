"""The picture of SGD with decay against LARS without: what both reach after each epoch, and how they turn."""

from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from hpsearch.analysis.lars_equivalence import Compared, Difference, Equivalence, Equivalences, Turning
from hpsearch.errors import Problem, StudyError
from hpsearch.report.style import BLUE, GREY, ORANGE, look

MOST = 4
"""Settings that are drawn."""


def pairs(found: Equivalences) -> tuple[Equivalence, ...]:
    """Return the data of the picture. Raises StudyError where the study does not have both at a setting."""
    if not found.pairs:
        what = "there is no picture: no setting was run under LARS without weight decay and under SGD with it"
        raise StudyError(Problem(what, hint="optimizer.name: {type: choice, values: [sgd_nesterov, lars]}"))
    return found.pairs[:MOST]


def draw(shown: Sequence[Equivalence]) -> Figure:
    """Draw a row for each setting."""
    columns = 1 + max(len(pair.metrics) for pair in shown)
    with look():
        figure = Figure(figsize=(0.4 + 3.5 * columns, 0.7 + 2.9 * len(shown)))
        for row, pair in zip(figure.subplots(len(shown), columns, squeeze=False), shown, strict=True):
            for axes, metric in zip(row, pair.metrics, strict=False):
                _metric(axes, metric)
            _turning(row[len(pair.metrics)], pair.turning)
            row[0].set_title(f"{_setting(pair)}\n{row[0].get_title(loc='left')}", fontsize=9)
            for axes in row[len(pair.metrics) + 1 :]:
                axes.set_axis_off()
        figure.legend(handles=_legend(), loc="outside lower left", ncols=3)
    return figure


def words(of: Difference) -> str:
    """Return a difference in words."""
    if of.interval is None:
        return f"LARS - SGD {of.value:+.3g} (a single run)"
    return f"LARS - SGD {of.value:+.3g} ({of.interval.low:+.3g} to {of.interval.high:+.3g})"


def _metric(axes: Axes, data: Compared) -> None:
    for curve, colour in ((data.sgd, BLUE), (data.lars, ORANGE)):
        error = np.nan_to_num(curve.standard_error)
        axes.fill_between(data.epochs, curve.mean - error, curve.mean + error, color=colour, alpha=0.25, linewidth=0)
        axes.plot(data.epochs, curve.mean, color=colour, marker="o", markersize=3)
    axes.set(xlabel="epoch", ylabel=data.metric)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_title(words(data.difference), fontsize=9)


def _turning(axes: Axes, data: Turning) -> None:
    for values, colour in ((data.sgd, BLUE), (data.lars, ORANGE)):
        axes.plot(data.step, values, color=colour, linewidth=1.2)
    axes.set(xlabel="step", ylabel="rotation per step (radians)")
    axes.set_ylim(0)
    axes.set_title(f"rotation: LARS / SGD {data.ratio:.2f} in the last third", fontsize=9)


def _setting(pair: Equivalence) -> str:
    shown = {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in pair.config.items()}
    return ", ".join([pair.sgd, *(f"{name} {value}" for name, value in shown.items())])


def _legend() -> list[Artist]:
    lines: list[Artist] = [
        Line2D([], [], color=colour, label=label)
        for colour, label in ((BLUE, "SGD with decay"), (ORANGE, "LARS without"))
    ]
    return [*lines, Patch(color=GREY, alpha=0.25, linewidth=0, label="standard error of the mean")]
