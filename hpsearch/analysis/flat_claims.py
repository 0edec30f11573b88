"""The three claims of post 5 about flat directions, and what a surface around the best settings says of each.

Post 5 of the series: the accuracy of a ResNet hardly changes while lr / batch_size, lr / (1 - momentum) or
lr * weight_decay is held. For each claim two moves of equal length are compared: *along*, the second quantity and lr
by the rule, and *across*, the same with lr moved the other way. A move costs what the fitted loss changes by for a
factor of 2 from the middle of the best settings, on average over the ways that stay within the trials: both ways
together are half the curvature per square octave and free of slope.

ratio = cost along / cost across:   0 where a claim is exact, 1 where both quantities act each on its own

A claim *holds* where the 95% interval of the ratio lies between -1/2 and 1/2, it *does not* where it lies outside.
Where a move is shown to make the best settings better there is no optimum to speak of, and no verdict.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from hpsearch.analysis.flat_axes import AXES, Places
from hpsearch.analysis.flat_pairs import Pairs, pairs
from hpsearch.analysis.flat_window import Neighbourhood, ways
from hpsearch.analysis.quadratic import Estimate, change, curvature
from hpsearch.space.axes import Floats

FLAT = 0.5
"""Midway between a claim that is exact and two quantities that have nothing to do with each other."""


NO_OPTIMUM = "the surface has no optimum where its best trials lie: a move away from them makes it better"


class Verdict(StrEnum):
    """What the trials say of a claim."""

    HOLDS = "holds"
    FAILS = "does not hold"
    OPEN = "not enough data"


@dataclass(frozen=True)
class Law:
    """A claim: the axis ``other`` doubled and lr changed by 2^sign, which leaves ``held`` as it is, change nothing."""

    held: str
    other: int
    sign: int

    @property
    def moves(self) -> tuple[Floats, Floats, Floats]:
        """By the rule, against it, and with lr kept, each (4,) in octaves."""
        lr, other = np.eye(len(AXES))[[0, self.other]]
        return other + self.sign * lr, other - self.sign * lr, other


LAWS = (Law("lr / batch_size", 2, 1), Law("lr / (1 - momentum)", 3, 1), Law("lr * weight_decay", 1, -1))


@dataclass(frozen=True)
class Move:
    """What a move by ``step``, (4,) in octaves, does to the objective: more is worse.

    ``cost``       from the middle of the best settings, the mean of the ways that stay within the trials
    ``ways``       each of these ways, 1 forward and -1 back
    ``curvature``  second derivative, per square octave
    ``pairs``      measured differences each way, for the factor that they say

    What is not known is None or absent.
    """

    step: Floats
    cost: Estimate | None
    ways: Mapping[int, Estimate]
    curvature: Estimate | None
    pairs: Mapping[int, Pairs]

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        names = {1: "forward", -1: "back"}
        return {
            "octaves": {axis: float(by) for axis, by in zip(AXES, self.step, strict=True) if by},
            "cost": self.cost and asdict(self.cost),
            **{f"cost_{names[way]}": asdict(one) for way, one in self.ways.items()},
            "curvature": self.curvature and asdict(self.curvature),
            "pairs": {names[way]: asdict(some) for way, some in self.pairs.items()},
        }


@dataclass(frozen=True)
class Claim:
    """A law with its verdict, and why there is none; ``ratio`` is that of the costs along and across.

    ``kept`` is the move with lr kept. Without an ``optimum`` the costs are none: a move from the best settings, or what
    the surface takes for these, is shown to make them better.
    """

    law: Law
    verdict: Verdict
    why: str
    ratio: Estimate | None
    along: Move
    across: Move
    kept: Move
    optimum: bool

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        moves = {name: getattr(self, name).to_json() for name in ("along", "across", "kept")}
        ratio = self.ratio and asdict(self.ratio)
        return {
            "held": self.law.held,
            "verdict": self.verdict.value,
            "why": self.why,
            "optimum": self.optimum,
            "ratio": ratio,
            **moves,
        }


def verdict_of(ratio: Estimate) -> Verdict:
    """Return what the interval of a ratio says; one that holds the threshold leaves it open."""
    if ratio.low >= -FLAT and ratio.high <= FLAT:
        return Verdict.HOLDS
    return Verdict.FAILS if ratio.low > FLAT or ratio.high < -FLAT else Verdict.OPEN


def claim_of(law: Law, places: Places, near: Neighbourhood) -> Claim:
    """Return the verdict of a surface on a law, with the pairs of trials beside it."""
    found = pairs(places, near.lowest, law.moves)
    along, across, kept = (_move(near, step, some) for step, some in zip(law.moves, found, strict=True))
    ratio = _ratio(near, along, across)
    verdict = Verdict.OPEN if ratio is None else verdict_of(ratio)
    if verdict is not Verdict.HOLDS and any(move.cost and move.cost.high < 0 for move in (along, across, kept)):
        return Claim(law, Verdict.OPEN, NO_OPTIMUM, None, along, across, kept, optimum=False)
    why = _why(law, places, near, along, across) if verdict is Verdict.OPEN else ""
    return Claim(law, verdict, why, ratio, along, across, kept, optimum=True)


def _ratio(near: Neighbourhood, along: Move, across: Move) -> Estimate | None:
    if along.cost is None or across.cost is None:
        return None
    return near.surface.ratio(near.cost(along.step), near.cost(across.step))


def _move(near: Neighbourhood, step: Floats, measured: Mapping[int, Pairs]) -> Move:
    estimate = near.surface.estimate
    bend = estimate(curvature(step))
    if bend is None or not near.ways(step):
        return Move(step, None, {}, bend, measured)
    ways = {way: estimate(change(near.best, way * step)) for way in near.ways(step)}
    known = {way: one for way, one in ways.items() if one is not None}
    return Move(step, estimate(near.cost(step)), known, bend, measured)


def _why(law: Law, places: Places, near: Neighbourhood, along: Move, across: Move) -> str:
    """Say what is missing for a verdict."""
    roles = [(AXES[axis].removeprefix("1 - "), places.levels[axis]) for axis in (0, law.other)]
    absent = [name for name, levels in roles if not levels]
    still = [name for name, levels in roles if levels == 1]
    if absent:
        return f"the study does not know {' and '.join(absent)}"
    if still:
        return f"{' and '.join(still)} would have to vary"
    if not near.ways(along.step) or not near.ways(across.step):
        return _no_room(places, near, along, across)
    if along.cost is None or across.cost is None:
        return "the trials do not tell both quantities apart: they take three values of each, also against each other"
    if across.cost.low <= 0:
        return "the move across is not shown to cost anything"
    return f"the ratio may lie on either side of {FLAT:g}"


def _no_room(places: Places, near: Neighbourhood, along: Move, across: Move) -> str:
    """Say whether the window is too narrow for the moves, or all that was tried."""
    n, fitted = len(places.z), len(near.z)
    if fitted < n and all(ways(places.z, near.best, move.step) for move in (along, across)):
        who = f"the trials that were fitted, the better {fitted} of {n},"
        return f"{who} lie too close together: try --window 1, or more trials"
    return "no room for a factor of 2 around the best settings within what was tried"
