"""The picture of flat directions: for each claim what moving along it and across it changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MultipleLocator

from hpsearch.analysis.flat_axes import AXES
from hpsearch.analysis.flat_claims import Claim, Move
from hpsearch.analysis.flat_directions import Flatness
from hpsearch.analysis.flat_pairs import Pairs
from hpsearch.analysis.flat_window import Neighbourhood
from hpsearch.analysis.quadratic import change
from hpsearch.errors import Problem, StudyError
from hpsearch.report.style import BLUE, GREY, ORANGE, look
from hpsearch.space.axes import Floats

STEPS = 61
MOST_OCTAVES = 3.0
"""Farther than a factor of 8 from the best settings nothing is drawn."""
APART = 0.03
"""Octaves by which differences of the two moves are drawn beside each other."""
SHOWN = 98
"""Per cent of the points that the height of the panels has room for."""


@dataclass(frozen=True)
class Curve:
    """What moving from the best settings changes, over octaves of the second quantity of a claim.

    ``octaves``, ``change``, ``low``, ``high`` (m,): the surface within the trials, with its 95% band. ``places``,
    ``points`` (n,): trials, where they lie along the move; what they lost more or less than the surface says, added to
    the curve. ``pairs``: differences between trials, by octaves.
    """

    octaves: Floats
    change: Floats
    low: Floats
    high: Floats
    places: Floats
    points: Floats
    pairs: Mapping[float, Pairs]


@dataclass(frozen=True)
class Panel:
    """One claim."""

    claim: Claim
    along: Curve
    across: Curve
    kept: Curve


def panels(found: Flatness) -> tuple[Panel, ...]:
    """Return the data of the picture: the claims whose moves are known. Raises StudyError where there is none."""
    shown = [claim for claim in found.claims if claim.optimum and all(_known(move) for move in _moves(claim))]
    if not shown:
        what = "there is no picture: the trials do not say of any rule what moving by it and against it changes"
        reasons = (f"{claim.law.held}: {claim.why or 'only both ways together are known'}" for claim in found.claims)
        raise StudyError(Problem(what, key="--plot", hint="; ".join(reasons)))
    return tuple(Panel(claim, *(_curve(found.near, move) for move in _moves(claim))) for claim in shown)


def draw(shown: Sequence[Panel], metric: str) -> Figure:
    """Draw the panels side by side on one scale."""
    with look():
        figure = Figure(figsize=(3.6 * len(shown) + 0.4, 3.9))
        axes = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
        for one, panel in zip(axes, shown, strict=True):
            _panel(one, panel)
        axes[0].set_ylabel(f"{metric}: worse by")
        axes[0].set_ylim(*_heights(shown))
        axes[0].legend(*_legend(axes[0], shown), loc="upper left")
    return figure


def _moves(claim: Claim) -> tuple[Move, Move, Move]:
    return claim.along, claim.across, claim.kept


def _known(move: Move) -> bool:
    """Tell whether a move has a curve: not where the trials determine no more than the mean of both its ways."""
    return bool(move.ways)


def _curve(near: Neighbourhood, move: Move) -> Curve:
    along = (near.z - near.best) @ move.step / (move.step @ move.step)
    back, forward = _ends(near, move, along)
    octaves = np.linspace(back, forward, STEPS)
    found = [near.surface.estimate(change(near.best, by * move.step)) for by in octaves]
    middle, low, high = np.array([(one.value, one.low, one.high) for one in found if one]).T
    inside = (back <= along) & (along <= forward)
    places = along[inside]
    points = np.interp(places, octaves, middle) + near.residuals[inside]
    pairs = {way * float(np.log2(some.factor)): some for way, some in move.pairs.items()}
    return Curve(octaves, middle, low, high, places, points, pairs)


def _ends(near: Neighbourhood, move: Move, along: Floats) -> tuple[float, float]:
    """Return where a curve ends: with the last of the trials, which lie at ``along`` (n,), or before."""
    back, forward = near.reach(move.step)
    return max(back, float(along.min()), -MOST_OCTAVES), min(forward, float(along.max()), MOST_OCTAVES)


def _panel(axes: Axes, panel: Panel) -> None:
    claim = panel.claim
    for side, curve, colour, words in (
        (1, panel.across, ORANGE, "lr against it"),
        (-1, panel.along, BLUE, "lr by the rule"),
    ):
        axes.plot(curve.places, curve.points, ".", color=colour, alpha=0.35, markersize=4, markeredgewidth=0)
        axes.fill_between(curve.octaves, curve.low, curve.high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(curve.octaves, curve.change, color=colour, label=words)
        _differences(axes, curve, colour, side * APART)
    axes.plot(panel.kept.octaves, panel.kept.change, "--", color=GREY, linewidth=1.2, label="lr kept")
    axes.set_title(f"{claim.law.held}: {claim.verdict}\n{_ratio(claim)}")
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set_xlabel(f"{AXES[claim.law.other]}, from the best settings")
    axes.xaxis.set_major_locator(MultipleLocator(1))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda octaves, _: _factor(octaves)))


def _legend(axes: Axes, shown: Sequence[Panel]) -> tuple[list[Artist], list[str]]:
    handles, words = axes.get_legend_handles_labels()
    measured = any(panel.along.pairs or panel.across.pairs for panel in shown)
    diamond = Line2D([], [], linestyle="", marker="D", color=GREY, markerfacecolor="white", markersize=5)
    return ([*handles, diamond], [*words, "pairs of trials"]) if measured else (handles, words)


def _ratio(claim: Claim) -> str:
    ratio = claim.ratio
    return claim.why if ratio is None else f"ratio {ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"


def _differences(axes: Axes, curve: Curve, colour: str, aside: float) -> None:
    for octaves, some in curve.pairs.items():
        reach = [[some.change.value - some.change.low], [some.change.high - some.change.value]]
        axes.errorbar(
            octaves + aside,
            some.change.value,
            reach,
            fmt="D",
            color=colour,
            markerfacecolor="white",
            markersize=5,
            capsize=3,
        )


def _factor(octaves: float) -> str:
    return f"x{2**octaves:g}" if octaves >= 0 else f"/{2**-octaves:g}"


def _heights(shown: Sequence[Panel]) -> tuple[float, float]:
    curves = [curve for panel in shown for curve in (panel.along, panel.across)]
    points = np.concatenate([curve.points for curve in curves])
    low, high = np.percentile(points, [(100 - SHOWN) / 2, (100 + SHOWN) / 2])
    ends = [end for curve in curves for some in curve.pairs.values() for end in (some.change.low, some.change.high)]
    tops = [float(curve.change.max()) for curve in curves]
    low, high = min(low, 0.0, *ends), max(high, *tops, *ends)
    room = 0.05 * (high - low)
    return float(low - room), float(high + 3 * room)
