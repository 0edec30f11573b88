"""Successive halving over complete schedules of growing length: which setting is run longer, and what is learnt of it.

lengths   of the schedules, in epochs, the last that of a full run; rung k has the trials of lengths[k]
eta_k     lengths[k + 1] / lengths[k], at least 2: for eta_k settings that have ended on rung k, one is run on rung
          k + 1, the best of those that were not yet

So every rung takes about as much compute. Promotion never waits for others, as in ASHA (Li et al. 2020); unlike there,
a rung is a run of its own whose learning rate has come down, not the beginning of a longer one.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import fmean

from hpsearch.contract import Config
from hpsearch.space.blocks import Fidelity, Objective
from hpsearch.statistics.rank_correlation import Agreement, agreement
from hpsearch.trial import FinishedTrial, Key, PendingTrial, Status

MISLEADS = 0.5
"""A rung whose ranks agree less than this with those of the next, even at the upper end of the interval, misleads."""

Losses = dict[Key, float]


class Rungs:
    """The rungs of a search. Its answers depend on the trials alone, not on earlier questions."""

    def __init__(self, fidelity: Fidelity, objective: Objective) -> None:
        self._lengths = fidelity.epochs
        self._objective = objective

    def rung(self, trial: PendingTrial) -> int:
        """Return the rung of ``trial``."""
        return len(self._lengths) - 1 if trial.schedule is None else self._lengths.index(trial.schedule)

    def schedule(self, rung: int) -> int | None:
        """Return the length of a rung as trials have it: None for a full run."""
        return None if rung == len(self._lengths) - 1 else self._lengths[rung]

    def losses(self, history: Iterable[FinishedTrial]) -> list[Losses]:
        """Return the mean loss of every setting on every rung, infinite where a trial there diverged."""
        found: list[dict[Key, list[float]]] = [defaultdict(list) for _ in self._lengths]
        for trial in history:
            if trial.status is not Status.FAILED:
                end = trial.end
                found[self.rung(trial)][trial.key].append(math.inf if end is None else self._objective.loss(end))
        return [{one: fmean(values) for one, values in rung.items()} for rung in found]

    def agreements(self, history: Iterable[FinishedTrial]) -> list[Agreement | None]:
        """Return how well each rung but the last ranks the settings that were run on the next one as well."""
        losses = self.losses(history)
        return [_agreement(lower, upper) for lower, upper in pairwise(losses)]

    def lowest(self, history: Iterable[FinishedTrial]) -> int:
        """Return the rung where new settings begin: above those that mislead."""
        misleads = (one is not None and one.high < MISLEADS for one in self.agreements(history))
        return next((rung for rung, does in enumerate(misleads) if not does), len(self._lengths) - 1)

    def promotion(
        self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial], left: int
    ) -> tuple[Config, int] | None:
        """Return a setting that is to be run on a higher rung, and that rung; None where none has earned it.

        With as many trials ``left`` as it takes to climb all rungs beside those that are ``pending``, the best goes up
        whether it has earned it or not, one at a time: a search should not end without a full run.
        """
        configs = {trial.key: trial.config for trial in history}
        losses, lowest = self.losses(history), self.lowest(history)
        above, climbing = self._above(history, pending), {self.rung(trial) for trial in pending}
        steps = range(len(self._lengths) - 2, lowest - 1, -1)
        for climb in (False, left <= len(steps) * (1 + len(pending))):
            for rung in steps:
                earned = len(losses[rung]) // self._eta(rung) - len(above[rung] & losses[rung].keys())
                best = next((one for one in _ranked(losses[rung]) if one not in above[rung]), None)
                if best is not None and (earned > 0 or (climb and rung + 1 not in climbing)):
                    return configs[best], rung + 1
        return None

    def comparable(self, history: Iterable[FinishedTrial]) -> list[FinishedTrial]:
        """Return the trials as if all had been full runs, for a sampler that knows nothing of rungs.

        A setting counts where it was run longest. What it had there is moved by what the settings that were run on two
        rungs gained on average from one to the next, up to the full run.
        """
        history = sorted(history, key=lambda trial: trial.number)
        losses = self.losses(history)
        highest = {one: rung for rung, found in enumerate(losses) for one in found}
        first = {trial.key: trial.number for trial in reversed(history)}
        gains = [_gain(lower, upper) for lower, upper in pairwise(losses)]
        comparable = []
        for trial in history:
            rung = self.rung(trial)
            if trial.status is Status.FAILED or highest[trial.key] == rung:
                moved = self._moved(trial, math.fsum(gains[rung:]))
                comparable.append(replace(moved, number=first.pop(trial.key, trial.number), schedule=None))
        return comparable

    def _moved(self, trial: FinishedTrial, loss: float) -> FinishedTrial:
        if trial.objective is None or not math.isfinite(trial.objective):
            return trial
        return replace(trial, objective=self._objective.loss(self._objective.loss(trial.objective) + loss))

    def _eta(self, rung: int) -> int:
        return max(2, round(self._lengths[rung + 1] / self._lengths[rung]))

    def _above(self, history: Iterable[FinishedTrial], pending: Iterable[PendingTrial]) -> list[set[Key]]:
        """Return for every rung the settings that were started on a higher one; a crash there is forgiven once."""
        ended = [(trial.key, self.rung(trial)) for trial in history if trial.status is not Status.FAILED]
        crashes = Counter((trial.key, self.rung(trial)) for trial in history if trial.status is Status.FAILED)
        running = [(trial.key, self.rung(trial)) for trial in pending]
        started = [*ended, *running, *(one for one, times in crashes.items() if times > 1)]
        return [{one for one, where in started if where > rung} for rung in range(len(self._lengths))]


def _ranked(losses: Losses) -> list[Key]:
    """Return the settings with a finite loss, best first."""
    return sorted((one for one, loss in losses.items() if math.isfinite(loss)), key=lambda one: losses[one])


def _both(lower: Losses, upper: Losses) -> list[tuple[float, float]]:
    """Return the finite losses of the settings that have one on both rungs."""
    pairs = ((loss, upper[one]) for one, loss in lower.items() if one in upper)
    return [pair for pair in pairs if all(map(math.isfinite, pair))]


def _gain(lower: Losses, upper: Losses) -> float:
    pairs = _both(lower, upper)
    return fmean(after - before for before, after in pairs) if pairs else 0.0


def _agreement(lower: Losses, upper: Losses) -> Agreement | None:
    return agreement([loss for loss in lower.values() if math.isfinite(loss)], _both(lower, upper))
