"""When to stop a trial that is worse than the others: pure rules on the values that trials had after the same epoch.

Truncated curves rank badly before half of an annealed schedule (the learning rate has not come down), so no rule acts
before ``grace`` of the schedule, none at its end, and none on fewer than ``MIN_PEERS`` other trials. Values are
*losses* here: lower is better, whatever the objective's mode.
"""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import chain
from math import ceil
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
    """The losses that trials reported, and how all stood at a share of their schedules.

    Trials may have schedules of different lengths (a parameter ``epochs``); half-way means half of one's own. Losses
    are kept sorted by length and epoch, so that a comparison costs no more when thousands of trials have ended.
    """

    def __init__(self) -> None:
        self._losses: dict[int, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        self._last: dict[int, int] = defaultdict(int)
        self._unknown: dict[int, list[tuple[int, float]]] = defaultdict(list)

    def add(self, number: int, epoch: int, loss: float, epochs: int | None) -> int:
        """Take a report; return the epoch of the trial's report before it, 0 where there was none.

        Reports of trials whose length was not known count as of the first length that is.
        """
        if epochs is None:
            self._unknown[number].append((epoch, loss))
            return 0
        for other, curve in self._unknown.items():
            for point in curve:
                self._insert(other, *point, epochs)
        self._unknown.clear()
        return self._insert(number, epoch, loss, epochs)

    def _insert(self, number: int, epoch: int, loss: float, epochs: int) -> int:
        before, self._last[number] = self._last[number], epoch
        for passed in range(before + 1, epoch + 1):  # a report stands for the epochs since the one before it
            insort(self._losses[epochs][passed], loss)
        return before

    def others(self, loss: float, share: float) -> list[float]:
        """Return, in order, what the others had at ``share``, where the trial at hand had ``loss``."""
        there = [
            losses[epoch] for length, losses in self._losses.items() if (epoch := ceil(at(share, length))) in losses
        ]
        merged = sorted(chain(*there))
        merged.pop(bisect_left(merged, loss))
        return merged


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
        peers = self._curves.others(loss, epoch / epochs)
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
        return any(self._drops_out(share, loss) for share in passed)

    def _drops_out(self, share: float, loss: float) -> bool:
        """Whether ``loss``, which the trial had at a rung, is in the worse half of all there, its own included."""
        peers = self._curves.others(loss, share)
        better = bisect_left(peers, loss)
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
