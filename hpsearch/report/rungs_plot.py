"""The picture of shorter runs: what each length says of a setting against what the next one does."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hpsearch.analysis.rungs import Rung, rungs
from hpsearch.errors import Problem, StudyError
from hpsearch.report.style import BLUE, GREY, ORANGE, look
from hpsearch.samplers.rungs import Losses, Rungs
from hpsearch.space.blocks import Objective
from hpsearch.store.reader import Study

BETTER = 25
"""Of the settings that went no further the panel has room for this per cent at least, from the best on."""
INSIDE = 0.03
"""How far from an axis its ticks stand, as a share of the panel."""


@dataclass(frozen=True)
class Step:
    """Two lengths, each setting by the mean of the objective of its runs there.

    ``pairs``     settings with a result at both
    ``shorter``   those that went no further, ``longer`` those that began at the longer one
    ``diverged``  the result at the shorter one of those that then diverged
    """

    lower: Rung
    upper: Rung
    mode: str
    pairs: tuple[tuple[float, float], ...]
    shorter: tuple[float, ...]
    longer: tuple[float, ...]
    diverged: tuple[float, ...]


def steps(study: Study) -> tuple[Step, ...]:
    """Return the data of the picture, shortest runs first. Raises StudyError where no setting was run longer."""
    fidelity, objective = study.space.fidelity, study.space.objective
    losses = [] if fidelity is None else Rungs(fidelity, objective).losses(study.history)
    found = tuple(
        _step(*both, *values, objective) for both, values in zip(pairwise(rungs(study)), pairwise(losses), strict=True)
    )
    if not any(step.pairs for step in found):
        what, hint = "there is no picture: no setting has a result at two lengths", f"`hpsearch show {study.name}`"
        raise StudyError(Problem(what, key="--plot", got=study.name, hint=hint))
    return found


def draw(shown: Sequence[Step], metric: str) -> Figure:
    """Draw the steps side by side."""
    with look():
        figure = Figure(figsize=(0.6 + 4.2 * len(shown), 4.3))
        for axes, step in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
            _panel(axes, step)
            unit = "epoch" if step.lower.epochs == 1 else "epochs"
            axes.set_xlabel(f"{metric} after {step.lower.epochs} {unit}")
            axes.set_ylabel(f"after {step.upper.epochs} epochs")
        figure.legend(*_legend(figure), loc="outside lower left", ncols=2)
    return figure


def _step(lower: Rung, upper: Rung, at_lower: Losses, at_upper: Losses, objective: Objective) -> Step:
    first = {one: objective.loss(loss) for one, loss in at_lower.items() if math.isfinite(loss)}
    later = {one: objective.loss(loss) for one, loss in at_upper.items() if math.isfinite(loss)}
    return Step(
        lower=lower,
        upper=upper,
        mode=objective.mode,
        pairs=tuple((value, later[one]) for one, value in first.items() if one in later),
        shorter=tuple(value for one, value in first.items() if one not in at_upper),
        longer=tuple(value for one, value in later.items() if one not in at_lower),
        diverged=tuple(value for one, value in first.items() if one in at_upper and one not in later),
    )


def _panel(axes: Axes, step: Step) -> None:
    along, up = axes.get_xaxis_transform(), axes.get_yaxis_transform()
    n, alone, later = len(step.diverged), len(step.shorter), len(step.longer)
    low, high = _reach(step)
    axes.set_xlim(low, high)
    if step.pairs:
        axes.plot(*zip(*step.pairs, strict=True), "o", color=BLUE, markersize=5, alpha=0.8, label="run at both lengths")
    if alone:
        axes.plot(step.shorter, [INSIDE] * alone, "|", color=GREY, transform=along, label="went no further")
    if later:
        axes.plot([INSIDE] * later, step.longer, "_", color=GREY, transform=up, label="began at the longer one")
    if n:
        edge = [1.0 if step.mode == "min" else 0.0] * n
        axes.plot(step.diverged, edge, "x", color=ORANGE, transform=along, clip_on=False, label="then diverged")
    axes.set_title(f"{_ranks(step)}\n{_counts(step, low, high)}")


def _reach(step: Step) -> tuple[float, float]:
    """Return the ends of the axis of the shorter runs: the worst of those that went no further have no room."""
    sign = 1.0 if step.mode == "min" else -1.0
    on = sign * np.array([*(first for first, _ in step.pairs), *step.diverged])
    alone = sign * np.array(step.shorter)
    far = max(on.max() + np.ptp(on), np.percentile(alone, BETTER)) if on.size and alone.size else np.inf
    losses = np.concatenate([on, alone[alone <= far]])
    if not losses.size:
        return 0.0, 1.0
    room = 0.06 * float(np.ptp(losses)) or 0.1 * abs(float(losses[0])) or 1.0
    low, high = sorted((sign * (float(losses.min()) - room), sign * (float(losses.max()) + room)))
    return low, high


def _ranks(step: Step) -> str:
    agreement = step.lower.agreement
    if agreement is None:
        return "too few for a rank correlation"
    interval = f"{agreement.low:.2f} to {agreement.high:.2f}"
    misleads = "" if step.lower.used else ": misleads"
    return f"rank correlation {agreement.value:.2f} ({interval}){misleads}"


def _counts(step: Step, low: float, high: float) -> str:
    beyond = sum(not low <= value <= high for value in step.shorter)
    off = f" ({beyond} worse than the panel)" if beyond else ""
    return f"{len(step.pairs) + len(step.diverged)} settings went on, {len(step.shorter)} did not{off}"


def _legend(figure: Figure) -> tuple[list[Artist], list[str]]:
    """Return one entry for every mark that is drawn."""
    found = {str(line.get_label()): line for axes in figure.axes for line in axes.get_lines()}
    return [*found.values()], [*found]
