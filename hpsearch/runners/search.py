"""The search itself, whoever runs its trials: what to run next, when to stop a trial, what has come out of it.

One object holds the whole state, so Ray Tune's searcher and scheduler (two parts that cannot see each other) and the
inline loop ask the same questions and get the same answers.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from hpsearch.contract import EPOCHS
from hpsearch.runners import stopping
from hpsearch.runners.budget import Budget
from hpsearch.runners.drive import Outcome, Step, ended, now
from hpsearch.samplers.proposer import Proposer
from hpsearch.samplers.protocol import Sampler
from hpsearch.space.spec import Space
from hpsearch.trial import EpochReport, FinishedTrial, Origin, PendingTrial, Sink, Status

IDENTICAL_FAILURES = 3
"""So many failures at one place, before anything else has ended, mean that the training function is broken."""


@dataclass
class _Running:
    """What is known of a trial under way."""

    trial: PendingTrial
    started_at: datetime = field(default_factory=now)
    reports: list[EpochReport] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)


class Search:
    """Ask ``next`` for a trial, tell every ``Step`` of it; the answer says whether it goes on.

    ``history`` and ``pending`` are those of earlier sessions of the study: a resumed search reruns the pending trials
    first (same number, configuration and seed) and goes on numbering after the highest. ``epochs`` is the length of a
    full run in reports, None where the training function did not say; the longest completed trial stands in for it.
    """

    def __init__(
        self,
        space: Space,
        sampler: Sampler,
        budget: Budget,
        sinks: Sequence[Sink] = (),
        history: Iterable[FinishedTrial] = (),
        pending: Iterable[PendingTrial] = (),
        epochs: int | None = None,
    ) -> None:
        self.space = space
        self.budget = budget
        self.error: str | None = None
        self._proposer = Proposer(space, sampler)
        self._sinks = tuple(sinks)
        results = {trial.number: trial for trial in history}
        self._ended = [*results.values()]
        self._again = [trial for trial in pending if trial.number not in results]
        self._running: dict[int, _Running] = {}
        self._epochs = epochs
        completed = [trial.epochs for trial in self._ended if trial.status is Status.COMPLETED]
        self._longest = max(completed, default=None)
        self._next_number = 1 + max([*results, *(trial.number for trial in self._again)], default=-1)
        self._ended_before = len(self._ended)
        self._first_causes: list[str] | None = []
        self.target_reached = any(self._reaches_target(trial) for trial in self._ended)
        self._rule = stopping.rule(space.stopping.rule, space.stopping.grace, self._told())

    @property
    def running(self) -> tuple[PendingTrial, ...]:
        """The trials under way."""
        return tuple(run.trial for run in self._running.values())

    @property
    def finished(self) -> bool:
        """Whether no further trial will start. Those that an earlier session left unfinished always do."""
        if self.error is not None:
            return True
        if self._again:
            return False
        return self.target_reached or self.budget.out_of_time or self._next_number >= self.budget.trials

    def next(self) -> PendingTrial | None:
        """Propose a trial and note that it is about to run; None when no further trial starts."""
        if self.finished:
            return None
        trial = self._again.pop(0) if self._again else self._propose()
        self._running[trial.number] = _Running(trial)
        for sink in self._sinks:
            sink.started(trial)
        return trial

    def take(self, number: int, step: Step) -> bool:
        """Note what trial ``number`` gave. True: it is over, ended by itself or to be stopped by the caller."""
        run = self._running[number]
        run.started_at = step.started_at
        outcome = step.outcome
        if step.report is not None:
            stop = self._take_report(run, step.report)
            if stop and outcome is None:
                outcome = ended(Status.STOPPED)
        if outcome is None:
            return False
        self._finish(run, outcome)
        return True

    def lost(self, number: int, error: str) -> None:
        """Note that the process of trial ``number`` died."""
        if number in self._running:
            self._finish(self._running[number], Outcome(Status.FAILED, now(), error=error, cause="worker died"))

    def _propose(self) -> PendingTrial:
        number, self._next_number = self._next_number, self._next_number + 1
        trials = self.budget.projected(number, len(self._ended) - self._ended_before)
        return self._proposer.propose(self._ended, [*self.running, *self._again], number, trials)

    def _take_report(self, run: _Running, report: EpochReport) -> bool:
        run.reports.append(report)
        run.notes.update(report.notes)
        for sink in self._sinks:
            sink.reported(run.trial, report)
        value = report.metrics.get(self.space.objective.metric, math.nan)
        if report.diverged or not math.isfinite(value):
            return False
        loss = self.space.objective.loss(value)
        stops = self._rule.stops(run.trial.number, report.epoch, loss, self._length(run.trial))
        return stops and run.trial.origin is not Origin.REPEAT  # what a repeat is for is its end

    def _finish(self, run: _Running, outcome: Outcome) -> None:
        metric = self.space.objective.metric
        curve = tuple((report.epoch, report.metrics[metric]) for report in run.reports if metric in report.metrics)
        finite = [value for _, value in curve if math.isfinite(value)]
        trial = FinishedTrial(
            number=run.trial.number,
            config=run.trial.config,
            seed=run.trial.seed,
            schedule=run.trial.schedule,
            origin=run.trial.origin,
            repeat=run.trial.repeat,
            status=outcome.status,
            objective=finite[-1] if finite else None,
            curve=curve,
            metrics=run.reports[-1].metrics if run.reports else {},
            epochs=run.reports[-1].epoch if run.reports else 0,
            train_seconds=sum(report.seconds for report in run.reports),
            started_at=run.started_at,
            finished_at=outcome.finished_at,
            notes=run.notes,
            error=outcome.error,
        )
        del self._running[trial.number]
        if trial.status is not Status.FAILED:
            trial = replace(trial, prior_grade=self._proposer.grade([*self._ended, trial]))
        self._ended.append(trial)
        if trial.status is Status.COMPLETED:
            self._longest = max(self._longest or 0, trial.epochs)
        self.target_reached = self.target_reached or self._reaches_target(trial)
        self._watch_for_identical_failures(outcome)
        for sink in self._sinks:
            sink.finished(trial)

    def _reaches_target(self, trial: FinishedTrial) -> bool:
        return trial.final is not None and self.space.objective.reached_by(trial.final)

    def _watch_for_identical_failures(self, outcome: Outcome) -> None:
        if outcome.cause is None:
            self._first_causes = None
        if self._first_causes is None or outcome.cause is None:
            return
        self._first_causes.append(outcome.cause)
        if len(self._first_causes) == IDENTICAL_FAILURES:
            if len(set(self._first_causes)) == 1:
                self.error = outcome.error
            self._first_causes = None

    def _length(self, trial: PendingTrial) -> int | None:
        """Return the epochs of the trial's schedule: its own parameter, what the function said, the longest so far."""
        own = trial.schedule or trial.config.get(EPOCHS) or self.space.full_epochs
        if isinstance(own, int):
            return own
        return self._epochs if self._epochs is not None else self._longest

    def _told(self) -> list[stopping.Told]:
        """Return what the results so far reported, for a stopping rule that starts with a history."""
        loss = self.space.objective.loss
        return [
            (trial.number, self._length(trial), [(e, loss(value)) for e, value in trial.curve if math.isfinite(value)])
            for trial in self._ended
            if trial.status is not Status.FAILED
        ]
