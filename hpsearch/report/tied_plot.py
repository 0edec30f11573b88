"""The picture of tied settings: every run of the better ones, and what is to be expected of those that are tied."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hpsearch.analysis.repeats import Repeated, by_stability, varying
from hpsearch.analysis.tied import Tied, TiedSetting
from hpsearch.contract import TECHNIQUE, Value
from hpsearch.report.style import BLUE, GREY, ORANGE, look
from hpsearch.store.reader import Study

MOST = 30
"""Settings that are drawn: more do not fit on a page."""

REACH = 3.0
"""The panel ends so many resolutions beyond the best, or behind the last run of a tied setting: what is worse is."""

FAINT, BAND = "#9A9A9A", "#FBEBDD"


@dataclass(frozen=True)
class Row:
    """A setting: the objective of its ``runs`` in their order; ``tied`` is None where it is shown to be worse."""

    words: tuple[str, ...]
    runs: tuple[float, ...]
    mean: float
    tied: TiedSetting | None = None


@dataclass(frozen=True)
class Ranking:
    """The settings by their mean, best first.

    ``header``    what the words of each row are
    ``unstable``  the words of the settings of which a run diverged: they have no place on the axis
    ``better``, ``worse``  the ends of the axis
    """

    found: Tied
    header: tuple[str, ...]
    rows: tuple[Row, ...]
    unstable: tuple[tuple[str, ...], ...]
    better: float
    worse: float


def ranking(study: Study, found: Tied) -> Ranking:
    """Return the data of the picture: the best settings, and in any case the best and the cheapest of the tied ones."""
    named = (found.best.setting.config, found.cheapest.setting.config)
    settings, unstable = by_stability(study)
    shown = [one for place, one in enumerate(settings) if place < MOST or one.config in named]
    names = varying([*shown, *found.unstable])
    values = {trial.trial_id: trial.final for trial in study.history}
    members = {one.setting.trials: one for one in found.members}
    rows = []
    for one in shown:
        runs = tuple(value for trial in one.trials if (value := values[trial]) is not None)
        words = (*_words(one, names), _standing(found, members.get(one.trials)))
        rows.append(Row(words, runs, one.mean, members.get(one.trials)))
    header = (*(name.removeprefix(TECHNIQUE) for name in names), "seconds", "")
    beside = tuple((*_words(one, names), "a run diverged") for one in unstable[:MOST])
    return Ranking(found, header, tuple(rows), beside, *_ends(found, rows, study.space.objective.loss(1.0)))


def draw(data: Ranking) -> Figure:
    """Draw the settings as rows, one below the other."""
    labels = _aligned([data.header, *(row.words for row in data.rows), *data.unstable])
    with look():
        figure = Figure(figsize=(5.5 + 0.075 * len(labels[0]), 1.6 + 0.24 * len(labels)))
        axes = figure.subplots()
        _band(axes, data)
        for place, row in enumerate(data.rows):
            _row(axes, row, place, data)
        _beyond(axes, data)
        axes.set_yticks(range(-1, len(labels) - 1), labels, family="monospace", fontsize=8)
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        low, high = sorted((data.better, data.worse))
        axes.set(xlabel=data.found.metric, xlim=(low, high), ylim=(len(labels) - 1.4, -1.6))
        axes.set_title(_title(data))
        figure.legend(*_legend(axes), loc="outside lower right", ncols=3)
    return figure


def _words(setting: Repeated, names: Sequence[str]) -> tuple[str, ...]:
    values = (_value(setting.config[name]) if name in setting.config else "-" for name in names)
    return (*values, f"{setting.train_seconds:.3g}")


def _value(value: Value) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _standing(found: Tied, member: TiedSetting | None) -> str:
    if member is None:
        return ""
    if member is found.best:
        return "best"
    return "tied, cheapest" if member is found.cheapest else "tied"


def _ends(found: Tied, rows: Sequence[Row], sign: float) -> tuple[float, float]:
    """Return the better and the worse end of the axis; ``sign`` is 1 where less is better, else -1."""
    losses = [sign * value for row in rows for value in row.runs]
    of_tied = [sign * value for row in rows if row.tied for value in row.runs]
    errors = [(sign * one.expected, one.standard_error) for one in found.members]
    least = min([*losses, *(value - error for value, error in errors)])
    far = sign * found.best.expected + REACH * found.shows if found.shows else math.inf
    most = max([*of_tied, *(value + error for value, error in errors), min(max(losses), far)])
    room = 0.05 * (most - least) or 0.1 * abs(least) or 1.0
    return sign * (least - room), sign * (most + room)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return every row as a line of columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)) for row in rows]


def _band(axes: Axes, data: Ranking) -> None:
    best, shows = data.found.best.expected, data.found.shows
    end = best + math.copysign(shows, data.worse - data.better)
    axes.axvspan(best, end, color=BAND, linewidth=0, label="one run may not show that a setting here is worse")


def _row(axes: Axes, row: Row, place: int, data: Ranking) -> None:
    member = row.tied
    colour = FAINT if member is None else ORANGE if member is data.found.best else BLUE
    axes.plot(row.runs, [place - 0.15] * len(row.runs), "o", color=colour, alpha=0.6, markersize=4, markeredgewidth=0)
    axes.plot([row.mean], [place - 0.15], "|", color=colour, markersize=9)
    if member is not None:
        error = member.standard_error
        axes.errorbar(member.expected, place + 0.2, xerr=error, fmt="D", color=colour, markersize=4, linewidth=1.2)


def _beyond(axes: Axes, data: Ranking) -> None:
    """Mark at the worse edge what lies behind it, and what has no place on the axis."""
    worse = [place for place, row in enumerate(data.rows) for value in row.runs if _is_beyond(value, data)]
    arrow = ">" if data.worse > data.better else "<"
    for places, mark, words in (
        (worse, arrow, "worse than the panel"),
        (range(len(data.rows), len(data.rows) + len(data.unstable)), "x", "a run diverged: no choice"),
    ):
        if places:
            at = [data.worse] * len(places)
            axes.plot(at, places, mark, color=GREY, markersize=5, clip_on=False, label=words)


def _legend(axes: Axes) -> tuple[list[Artist], list[str]]:
    marks = {"a run": "o", "their mean": "|", "expected of another run, standard error": "D"}
    handles, words = axes.get_legend_handles_labels()
    lines = [Line2D([], [], linestyle="", marker=mark, color=GREY, markersize=5) for mark in marks.values()]
    return [*lines, *handles], [*marks, *words]


def _is_beyond(value: float, data: Ranking) -> bool:
    return value > data.worse if data.worse > data.better else value < data.worse


def _title(data: Ranking) -> str:
    found = data.found
    part = "" if len(data.rows) == found.settings else f" ({len(data.rows)} shown)"
    return f"{len(found.members)} of {found.settings} settings{part} may be the best: {found.confidence:.0%} confidence"
