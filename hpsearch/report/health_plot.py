"""The picture of a search: its results in the order of its trials, and the importance of its parameters."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from hpsearch.analysis.forest import Mask
from hpsearch.analysis.importance import Importances
from hpsearch.analysis.search_health import Health, Kind, kind_of
from hpsearch.contract import TECHNIQUE
from hpsearch.errors import Problem, StudyError
from hpsearch.report.style import BLUE, GREY, ORANGE, look
from hpsearch.space.axes import Floats
from hpsearch.store.reader import Study

FAINT = "#BDBDBD"

SHOWN = 90
"""The panel has room for this per cent of the results, from the best on, and for all where these take twice as much."""

MARKS = {Kind.SHORTER: ".", Kind.STOPPED: "|", Kind.DIVERGED: "x", Kind.FAILED: "+"}
"""Kinds of trial without a result of a full run: they stand at the worse edge, at no value."""


@dataclass(frozen=True)
class History:
    """The results of a search by the number of the trial.

    ``numbers``, ``values`` (n,)  full runs; ``repeat`` (n,) which are of a setting that ran before
    ``best`` (n,)                 the best value up to each of them
    ``others``                    the numbers of the trials without a full run, by what they came to
    ``noise``                     std of one run, None where it is not known
    """

    metric: str
    mode: str
    numbers: Floats
    values: Floats
    repeat: Mask
    best: Floats
    others: Mapping[Kind, tuple[int, ...]]
    noise: float | None


def history(study: Study, health: Health) -> History:
    """Return the data of the picture. Raises StudyError where no trial has a result."""
    kinds = [(trial, kind_of(trial)) for trial in study.history]
    full = [trial for trial, kind in kinds if kind is Kind.COMPLETED]
    if not full:
        raise StudyError(Problem("there is no picture: no trial has run to its end", key="--plot", got=study.name))
    numbers, values = np.array([(trial.number, trial.final) for trial in full], dtype=np.float64).T
    first = {trial.key: trial.number for trial in reversed(full)}
    repeat = np.array([first[trial.key] != trial.number for trial in full])
    least = np.minimum if health.mode == "min" else np.maximum
    others = {kind: tuple(trial.number for trial, one in kinds if one is kind) for kind in MARKS}
    best = least.accumulate(values)
    noise = None if health.noise is None else health.noise.seed_std
    return History(health.metric, health.mode, numbers, values, repeat, best, others, noise)


def heights(data: History) -> tuple[float, float]:
    """Return the better and the worse end of the panel; results beyond the worse one stand at the edge."""
    sign = 1.0 if data.mode == "min" else -1.0
    losses = sign * data.values
    least, most, usual = losses.min() - (data.noise or 0.0), losses.max(), np.percentile(losses, SHOWN)
    most = most if most - least <= 2 * (usual - least) else usual
    room = 0.08 * (most - least) or 0.1 * abs(least) or 1.0
    return sign * float(least - room), sign * float(most + 2 * room)


def draw(data: History, importance: Importances | None) -> Figure:
    """Draw the history, and the importance beside it where there is one."""
    panels = 1 if importance is None else 2
    with look():
        figure = Figure(figsize=(3 + 3.4 * panels, 3.8))
        axes = figure.subplots(1, panels, squeeze=False, width_ratios=[1.6, 1][:panels])[0]
        _history(axes[0], data)
        figure.legend(loc="outside lower left", ncols=4)
        if importance is not None:
            _importance(axes[1], importance)
    return figure


def _history(axes: Axes, data: History) -> None:
    better, worse = heights(data)
    inside = (data.values < worse) if data.mode == "min" else (data.values > worse)
    for runs, fill, words in ((~data.repeat & inside, BLUE, "full run"), (data.repeat & inside, "white", "repeat")):
        if runs.any():
            axes.plot(data.numbers[runs], data.values[runs], "o", color=BLUE, mfc=fill, markersize=4, label=words)
    _best(axes, data)
    edge = {f"{kind}": (MARKS[kind], numbers) for kind, numbers in data.others.items()}
    edge["worse than the panel"] = (_worse(data.mode), tuple(data.numbers[~inside].astype(int).tolist()))
    for words, (mark, numbers) in edge.items():
        if numbers:
            label = f"{words} ({len(numbers)})"
            axes.plot(numbers, [worse] * len(numbers), mark, color=GREY, markersize=6, clip_on=False, label=label)
    axes.set(xlabel="trial", ylabel=data.metric, ylim=(min(better, worse), max(better, worse)))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title("results" if data.noise is not None else "results (the noise of a run is not known)")


def _best(axes: Axes, data: History) -> None:
    """Draw the best so far, up to the last trial."""
    last = max(data.numbers[-1], *(number for some in data.others.values() for number in some), 0)
    numbers, best = np.append(data.numbers, last), np.append(data.best, data.best[-1])
    if data.noise is not None:
        low, high = best - data.noise, best + data.noise
        words = "noise of one run (std)"
        axes.fill_between(numbers, low, high, step="post", color=ORANGE, alpha=0.2, linewidth=0, label=words)
    axes.step(numbers, best, where="post", color=ORANGE, label="best single run so far")


def _worse(mode: str) -> str:
    return "^" if mode == "min" else "v"


def _importance(axes: Axes, importance: Importances) -> None:
    parameters = importance.parameters[::-1]
    places = np.arange(len(parameters))
    share, low, high, chance = np.array([(one.share, one.low, one.high, one.chance) for one in parameters]).T
    colours = [BLUE if one.shown else FAINT for one in parameters]
    axes.barh(places, share, color=colours, height=0.6)
    axes.hlines(places, low, high, color="black", linewidth=1)
    axes.vlines(chance, places - 0.4, places + 0.4, color=ORANGE, linewidth=2)
    axes.set_yticks(places, [one.name.removeprefix(TECHNIQUE) for one in parameters])
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(visible=False, axis="y")
    axes.set_xlim(0)
    axes.set_title("importance, 90% interval\nmark: what chance reaches; grey: not beyond it")
