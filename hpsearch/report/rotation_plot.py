"""The picture of how fast the tensors of a trial turn, over what theory predicts, and what the norms say of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter, NullLocator

from hpsearch.analysis.layer_dynamics import TrialDynamics
from hpsearch.analysis.layer_norms import Floats
from hpsearch.analysis.layer_rotation import AGREE, Rotation
from hpsearch.errors import Problem, StudyError
from hpsearch.report.style import GREY, look

BAND = "#E3F1EA"
MOST = (0.2, 5.0)
"""The axis goes no further: near a learning rate of 0 nothing turns."""
ROOM = 0.3
"""Epochs beside the first and the last."""
TICKS = [0.2, 0.3, 0.5, 0.7, 1, 1.4, 2, 3, 5]


@dataclass(frozen=True)
class Turning:
    """Rotations by epoch.

    ``names``        of the tensors, m of them
    ``epochs``       (n,)
    ``ratio``        (m, n) measured over predicted rotation, NaN where there is none
    ``correlation``  (m, n) measured over that of uncorrelated gradients at the measured |w|
    """

    title: str
    names: tuple[str, ...]
    epochs: Floats
    ratio: Floats
    correlation: Floats


def turning(found: TrialDynamics) -> Turning:
    """Return the data of the picture. Raises StudyError where there is no prediction for any tensor."""
    layers = [one for one in found.layers if np.isfinite(one.rotations.late.ratio)]
    if not layers:
        what = "there is no picture: theory predicts no rotation of the tensors that were traced"
        raise StudyError(Problem(what, got=f"trial {found.trial_id}"))
    epochs = sorted({epoch for one in layers for epoch in one.rotations.epochs})
    nothing = Rotation(np.nan, np.nan, np.nan, np.nan)
    table = [[one.rotations.epochs.get(epoch, nothing) for epoch in epochs] for one in layers]
    late = f"median {np.median(found.ratios):.2f} of the predicted in the last third"
    return Turning(
        title=f"Rotation of trial {found.trial_id}: {late}",
        names=tuple(one.name for one in layers),
        epochs=np.array(epochs, dtype=np.float64),
        ratio=np.array([[each.ratio for each in row] for row in table]),
        correlation=np.array([[each.by_correlation for each in row] for row in table]),
    )


def draw(data: Turning) -> Figure:
    """Draw measured over predicted rotation, and beside it over what is predicted at the measured norms."""
    with look():
        figure = Figure(figsize=(10.5, max(4.2, 1.6 + 0.17 * len(data.names))))
        left, right = figure.subplots(1, 2, sharey=True)
        _draw_lines(left, data, data.ratio)
        _draw_lines(right, data, data.correlation)
        left.set_ylabel("rotation per step, measured / predicted")
        left.set_title("predicted in balance")
        right.set_title("predicted at the measured |w|")
        _scale(left, [data.ratio, data.correlation])
        figure.suptitle(data.title, fontsize=10, x=0.01, ha="left")
        figure.legend(*left.get_legend_handles_labels(), loc="outside right upper", fontsize=7.5)
    return figure


def _draw_lines(axes: Axes, data: Turning, ratios: Floats) -> None:
    axes.axhspan(*AGREE, color=BAND, linewidth=0)
    axes.axhline(1, color=GREY, linewidth=0.8)
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.9, len(data.names)))
    for name, colour, line in zip(data.names, colours, ratios, strict=True):
        axes.plot(data.epochs, line, color=colour, linewidth=1, marker=".", markersize=3, label=name)
    axes.plot(data.epochs, _median(ratios), color="black", linewidth=2.4, marker="o", markersize=4, label="median")
    axes.set_xlabel("epoch")
    axes.set_xlim(data.epochs[0] - ROOM, data.epochs[-1] + ROOM)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _median(ratios: Floats) -> Floats:
    """Return the median of each column; NaN where it has no number."""
    columns = [column[np.isfinite(column)] for column in ratios.T]
    return np.array([np.median(column) if len(column) else np.nan for column in columns])


def _scale(axes: Axes, ratios: Sequence[Floats]) -> None:
    values = np.concatenate([each[np.isfinite(each) & (each > 0)] for each in ratios])
    axes.set_yscale("log")
    low, high = np.clip([values.min() / 1.05, values.max() * 1.05], *MOST)
    axes.set_ylim(min(0.65, low), max(1.55, high))
    axes.yaxis.set_major_locator(FixedLocator(TICKS))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
