"""When to stop a trial that is worse than the others: pure rules on the values that trials had after the same epoch.

Truncated curves rank badly before half of an annealed schedule (the learning rate has not come down), so no rule acts
before ``grace`` of the schedule, none at its end, and none on fewer than ``MIN_PEERS`` other trials. Values are
*losses* here: lower is better, whatever the objective's mode.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from statistics import median
from typing import Protocol

MIN_PEERS = 4
"""Trials that must have reported at the same point before one is stopped: a median of fewer is mostly noise."""


class StoppingRule(Protocol):
    """Told every report once, in the order they arrive."""

    def stops(self, number: int, epoch: int, loss: float, epochs: int | None) -> bool:
        """Record that trial ``number`` had ``loss`` after ``epoch`` of ``epochs``; say whether it should stop."""


class Never:
    """Every trial runs to its end."""

    def stops(self, number: int, epoch: int, loss: float, epochs: int | None) -> bool:
        """Never."""
        return False


class Median:
    """Stop a trial that is worse than the median of the others after the same epoch.

    The rule of Golovin et al. 2017 (Google Vizier), on the value at the epoch rather than on running averages, which
    an annealed schedule makes meaningless.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._losses: dict[int, dict[int, float]] = defaultdict(dict)

    def stops(self, number: int, epoch: int, loss: float, epochs: int | None) -> bool:
        """Compare with the trials that reported after exactly this epoch."""
        seen = self._losses[epoch]
        seen[number] = loss
        if epochs is None or not self._grace * epochs <= epoch < epochs:
            return False
        peers = [other for peer, other in seen.items() if peer != number]
        return len(peers) >= MIN_PEERS and loss > median(peers)


class Halving:
    """Asynchronous successive halving (Li et al. 2020, ASHA) with reduction factor 2.

    The rungs lie at ``grace``, 2 ``grace``, 4 ``grace``, ... of the schedule, below its end. At a rung a trial goes on
    if it is in the better half of all that have reached it so far; it never waits for others.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._curves: dict[int, list[tuple[int, float]]] = defaultdict(list)

    def stops(self, number: int, epoch: int, loss: float, epochs: int | None) -> bool:
        """Compare at each rung that lies between the trial's previous report and this one."""
        curve = self._curves[number]
        before = curve[-1][0] if curve else 0
        curve.append((epoch, loss))
        if epochs is None or epoch >= epochs:
            return False
        passed = [rung for rung in rungs(self._grace, epochs) if before < rung <= epoch]
        return any(self._drops_out(rung, loss) for rung in passed)

    def _drops_out(self, rung: int, loss: float) -> bool:
        """Whether ``loss``, which its trial had at ``rung``, is in the worse half of all there."""
        losses = [at for curve in self._curves.values() if (at := _loss_at(curve, rung)) is not None]
        better = sum(other < loss for other in losses)
        return len(losses) > MIN_PEERS and better >= len(losses) / 2


def _loss_at(curve: list[tuple[int, float]], rung: int) -> float | None:
    """Return the loss of the first report at ``rung`` or after it, None where the trial did not come so far."""
    return next((loss for epoch, loss in curve if epoch >= rung), None)


def rungs(grace: float, epochs: int) -> list[int]:
    """Return the epochs after which halving compares: grace, 2 grace, 4 grace, ... of ``epochs``, all below it."""
    first = grace * epochs
    count = max(0, math.ceil(math.log2(epochs / first))) if first else 0
    return sorted({rung for k in range(count) if 0 < (rung := math.ceil(first * 2**k)) < epochs})


RULES: dict[str, Callable[[float], StoppingRule]] = {
    "none": lambda grace: Never(),
    "median": Median,
    "halving": Halving,
}

Curve = Iterable[tuple[int, float]]
"""(epoch, loss) pairs."""


def rule(name: str, grace: float, curves: Iterable[tuple[int, Curve]], epochs: int | None) -> StoppingRule:
    """Make the rule ``name`` and tell it the curves of earlier trials, each with its number."""
    made = RULES[name](grace)
    for number, curve in curves:
        for epoch, loss in curve:
            made.stops(number, epoch, loss, epochs)
    return made
