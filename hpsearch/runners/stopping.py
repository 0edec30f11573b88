"""When to stop a trial that is worse than the others: pure rules on the values that trials had after the same epoch.

Truncated curves rank badly before half of an annealed schedule (the learning rate has not come down), so no rule acts
before ``grace`` of the schedule, none at its end, and none on fewer than ``MIN_PEERS`` other trials. Values are
*losses* here: lower is better, whatever the objective's mode.
"""

from bisect import bisect_left
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


class Curves:
    """The losses that trials reported, and how each stood at a share of its schedule.

    Trials may have schedules of different lengths (a parameter ``epochs``); half-way means half of one's own.
    """

    def __init__(self) -> None:
        self._epochs: dict[int, list[int]] = defaultdict(list)
        self._losses: dict[int, list[float]] = defaultdict(list)
        self._lengths: dict[int, int | None] = {}

    def add(self, number: int, epoch: int, loss: float, epochs: int | None) -> int:
        """Take a report; return the epoch of the trial's report before it, 0 where there was none."""
        before = self._epochs[number][-1] if self._epochs[number] else 0
        self._epochs[number].append(epoch)
        self._losses[number].append(loss)
        self._lengths[number] = epochs
        return before

    def peers(self, number: int, share: float, epochs: int) -> list[float]:
        """Return the losses of the other trials that came so far, each at its first report from ``share`` on.

        ``epochs`` stands in for a length that was not known.
        """
        others = (other for other in self._epochs if other != number)
        losses = (self._at(other, share, self._lengths[other] or epochs) for other in others)
        return [loss for loss in losses if loss is not None]

    def _at(self, number: int, share: float, epochs: int) -> float | None:
        position = bisect_left(self._epochs[number], at(share, epochs))
        return self._losses[number][position] if position < len(self._losses[number]) else None


class Median:
    """Stop a trial that is worse than the median of the others after the same share of the schedule.

    The rule of Golovin et al. 2017 (Google Vizier), on the value there rather than on running averages, which an
    annealed schedule makes meaningless.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._curves = Curves()

    def stops(self, number: int, epoch: int, loss: float, epochs: int | None) -> bool:
        """Compare with the trials that came as far."""
        self._curves.add(number, epoch, loss, epochs)
        if epochs is None or not at(self._grace, epochs) <= epoch < epochs:
            return False
        peers = self._curves.peers(number, epoch / epochs, epochs)
        return len(peers) >= MIN_PEERS and loss > median(peers)


class Halving:
    """Asynchronous successive halving (Li et al. 2020, ASHA) with reduction factor 2.

    The rungs lie at ``grace``, 2 ``grace``, 4 ``grace``, ... of the schedule, below its end. At a rung a trial goes on
    if it is in the better half of all that have reached it so far; it never waits for others.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._curves = Curves()

    def stops(self, number: int, epoch: int, loss: float, epochs: int | None) -> bool:
        """Compare at each rung that lies between the trial's previous report and this one."""
        before = self._curves.add(number, epoch, loss, epochs)
        if epochs is None or epoch >= epochs:
            return False
        passed = [share for share in rungs(self._grace) if before < at(share, epochs) <= epoch]
        return any(self._drops_out(number, share, loss, epochs) for share in passed)

    def _drops_out(self, number: int, share: float, loss: float, epochs: int) -> bool:
        """Whether ``loss``, which the trial had at a rung, is in the worse half of all there, its own included."""
        peers = self._curves.peers(number, share, epochs)
        better = sum(other < loss for other in peers)
        return len(peers) >= MIN_PEERS and better >= (len(peers) + 1) / 2


def at(share: float, epochs: int) -> float:
    """Return the position in epochs of a share of a schedule, less what rounding may have added to it."""
    return share * epochs - 1e-9


def rungs(grace: float) -> list[float]:
    """Return the shares of the schedule at which halving compares: grace, 2 grace, 4 grace, ..., all below 1."""
    shares = []
    while grace < 1:
        shares.append(grace)
        grace *= 2
    return shares


RULES: dict[str, Callable[[float], StoppingRule]] = {
    "none": lambda grace: Never(),
    "median": Median,
    "halving": Halving,
}

Told = tuple[int, int | None, Iterable[tuple[int, float]]]
"""What a trial of the history reported: its number, the length of its schedule, (epoch, loss) pairs."""


def rule(name: str, grace: float, history: Iterable[Told]) -> StoppingRule:
    """Make the rule ``name`` and tell it what earlier trials reported."""
    made = RULES[name](grace)
    for number, epochs, curve in history:
        for epoch, loss in curve:
            made.stops(number, epoch, loss, epochs)
    return made
