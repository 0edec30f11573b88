"""The picture of runs of equal decay: the effective rates of all trials, coloured by decay and by ratio."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, PercentFormatter

from hpsearch.analysis.collapse import LATER, Collapse
from hpsearch.analysis.decay_and_ratio import Shares, Spread
from hpsearch.errors import Problem, StudyError
from hpsearch.report.style import BLUE, GREEN, ORANGE, look
from hpsearch.space.axes import Floats
from hpsearch.statistics.explained import Explained, levels

COLOURS = ListedColormap(colormaps["viridis"](np.linspace(0, 0.9, 256)))
"""In order of lightness, without the end that is not seen on white."""
EDGE = 1.01
"""Room at the ends of a scale of colours, so that a single value has one as well."""
FEW = 8
"""As many values have a mark each on their scale of colours."""
HIDDEN = 1.0
"""Per cent of the points, the lowest, that need no room: a learning rate on its way to zero has no end."""
WORDS = {"decay": "decay per step", "ratio": "lr / weight decay"}
FIRST = {"decay_alone": "decay alone", "ratio": "ratio adds"}
"""The shares that are drawn, which all but sum up to that of both: the ratio should have nothing to add."""
BAND = "#F3F3F3"


@dataclass(frozen=True)
class Curves:
    """Effective rates (n, m) over ``grid`` (m,), the share of the run.

    ``colours``   decay and ratio, where there is more than one -> that of each run (n,);  ``titles``  said of them
    ``over_run``  words -> the share of the variance that is explained (m,); none where it is not known
    ``spread``    of runs of equal decay, None where there are none
    ``power``     the effective rate is lr over |w| to this power
    """

    grid: Floats
    rates: Floats
    colours: Mapping[str, Floats]
    titles: Mapping[str, str]
    over_run: Mapping[str, Floats]
    spread: Spread | None
    power: float


def curves(found: Collapse) -> Curves:
    """Return the data of the picture. Raises StudyError where there are no two runs to compare."""
    factors = {name: np.array([getattr(run, name) for run in found.runs]) for name in WORDS}
    colours = {name: values for name, values in factors.items() if len(representatives(values)) > 1}
    if not colours or not found.curves.size:
        what = f"there is no picture: {found.missing or 'the runs have no step in common'}"
        raise StudyError(Problem(what))
    words = dict(zip(WORDS, explained_words(found.effective), strict=True))
    titles = {name: f"by {WORDS[name]}\n{found.missing or words[name]}" for name in colours}
    over_run = {} if found.missing else {words: found.over_run[name] for name, words in FIRST.items()}
    return Curves(found.grid, np.exp(found.curves), colours, titles, over_run, found.spread, found.power)


def representatives(values: Floats) -> Floats:
    """Return the distinct ones of ``values`` (n,), ascending."""
    _, first = np.unique(levels(values), return_index=True)
    return values[first]


def rounded(value: float) -> str:
    """Return a value with two digits that count."""
    return f"{float(f'{value:.2g}'):g}"


def explained_words(of: Shares) -> tuple[str, str]:
    """Return what decay explains of a variance, and what the ratio adds to that, in words; equal values have none."""
    if of.both is None:
        return ("there is no variance to explain",) * 2
    return f"decay alone explains {_share(of.decay_alone)}", f"ratio adds {_share(of.ratio)}"


def draw(data: Curves) -> Figure:
    """Draw the curves by decay and by ratio, and below them what is explained, and how runs of equal decay differ."""
    strips = [strip for strip, known in ((_explained, data.over_run), (_spread, data.spread)) if known]
    rows, columns = 2 if strips else 1, max(len(data.colours), len(strips))
    with look():
        figure = Figure(figsize=(0.4 + 4.4 * columns, 3.2 + 1.5 * (rows - 1)))
        axes = figure.subplots(rows, columns, sharex=True, squeeze=False, height_ratios=[2.5, 1][:rows])
        for one, name in zip(axes[0], data.colours, strict=False):
            _curves(figure, one, data, name)
        for one, strip in zip(axes[-1], strips, strict=False):
            strip(one, data)
        for one in axes[-1]:
            one.set_xlabel("share of the run")
            one.xaxis.set_major_formatter(PercentFormatter(1))
    return figure


def _share(of: Explained | None) -> str:
    if of is None:
        return "nothing"
    return f"{max(0.0, of.share):.1%} (chance: up to {max(0.0, of.chance):.1%})"


def _curves(figure: Figure, axes: Axes, data: Curves, name: str) -> None:
    values = data.colours[name]
    norm = LogNorm(values.min() / EDGE, values.max() * EDGE)
    for place in np.argsort(values):
        axes.plot(data.grid, data.rates[place], color=COLOURS(norm(values[place])), linewidth=1.2, alpha=0.85)
    axes.set_yscale("log")
    axes.set_ylim(float(np.percentile(data.rates, HIDDEN)) / 1.2, float(data.rates.max()) * 1.2)
    axes.set_ylabel("effective rate  lr / |w|" + (f"$^{data.power:g}$" if data.power != 1 else ""))
    axes.set_title(data.titles[name])
    _scale(figure, axes, norm, values)


def _scale(figure: Figure, axes: Axes, norm: LogNorm, values: Floats) -> None:
    """Say which colour is which value, each by name where they are few."""
    bar = figure.colorbar(ScalarMappable(norm, COLOURS), ax=axes, pad=0.02, aspect=30)
    bar.outline.set_visible(False)
    distinct = representatives(values)
    if len(distinct) <= FEW:
        bar.set_ticks(distinct.tolist(), labels=[rounded(value) for value in distinct])
        bar.minorticks_off()


def _explained(axes: Axes, data: Curves) -> None:
    for (words, share), colour in zip(data.over_run.items(), (BLUE, ORANGE), strict=True):
        axes.plot(data.grid, share, color=colour, label=words)
    axes.axvspan(LATER, 1, color=BAND, linewidth=0)
    axes.set_ylim(-0.08, 1.08)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.yaxis.set_major_locator(FixedLocator([0, 0.5, 1]))
    axes.set_ylabel("explained")
    axes.legend(loc="center", fontsize=8)


def _spread(axes: Axes, data: Curves) -> None:
    if data.spread is not None:
        axes.plot(data.grid, data.spread.curve, color=GREEN)
        axes.set_ylim(0)
        axes.set_ylabel("std of log")
        start, end = data.spread.start, data.spread.end
        words = f"at equal decay: {start:.2g} to {end:.2g}, ratios over {data.spread.decades:.2g} decades"
        axes.set_title(words, fontsize=8)
