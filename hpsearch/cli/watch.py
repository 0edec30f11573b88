"""A search as it runs: one table that updates on a terminal, one plain line per trial elsewhere."""

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from hpsearch.cli import console
from hpsearch.cli.plan import Plan
from hpsearch.cli.prior_words import latest_grade, verdict
from hpsearch.contract import EPOCHS
from hpsearch.runners.budget import Budget
from hpsearch.space.spec import Objective, Space
from hpsearch.trial import EpochReport, FinishedTrial, PendingTrial, Sink, Status, headline


class Watch(Sink, AbstractContextManager["Watch"], Protocol):
    """A sink that shows something while it is entered."""


@dataclass
class Progress:
    """The figures that both forms show. Times in seconds since this session began (monotonic clock)."""

    space: Space
    budget: Budget
    counts: Counter[str] = field(default_factory=Counter)
    best: FinishedTrial | None = None
    grade: float | None = None
    """What the results so far make of the prior; None where there is none."""
    running: dict[int, tuple[PendingTrial, EpochReport | None]] = field(default_factory=dict)
    ended_now: int = 0
    begun: float = field(default_factory=time.monotonic)

    def count(self, trial: FinishedTrial) -> None:
        """Take a trial that ended."""
        self.counts[trial.status] += 1
        if trial.final is not None and (self.best is None or self.objective.better(trial.final, self.best.final)):
            self.best = trial

    def end(self, trial: FinishedTrial) -> None:
        """Take a trial that ended in this session."""
        self.count(trial)
        self.ended_now += 1
        self.grade = self.grade if trial.prior_grade is None else trial.prior_grade

    @property
    def objective(self) -> Objective:
        """What is searched for."""
        return self.space.objective

    @property
    def ended(self) -> int:
        """Trials of the study that have ended."""
        return sum(self.counts.values())

    @property
    def seconds_left(self) -> float | None:
        """The time until the budget is spent, by the pace so far; None before the first trial has ended."""
        limit = self.budget.seconds_left()
        if not self.ended_now:
            return limit
        pace = (time.monotonic() - self.begun) / self.ended_now
        by_trials = pace * max(0, self.budget.trials - self.ended)
        return by_trials if limit is None else min(by_trials, limit)


class Lines:
    """One line for each trial that ends."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def started(self, trial: PendingTrial) -> None:
        """Nothing: the line comes when it ends."""

    def reported(self, trial: PendingTrial, report: EpochReport) -> None:
        """Nothing."""

    def finished(self, trial: FinishedTrial) -> None:
        """Print the trial."""
        progress = self._progress
        progress.end(trial)
        epochs = console.counted(trial.epochs, "epoch")
        parts = [f"[{progress.ended}/{progress.budget.trials}]", f"trial {trial.trial_id}", f"{trial.status:<9}"]
        parts += [result(trial, progress.objective), f"{epochs} {console.duration(trial.train_seconds)}"]
        parts += [console.settings(trial.config), *console.kind(trial)]
        if trial.prior_grade is not None:
            parts.append(f"prior {trial.prior_grade:+.1f}")
        if progress.best is trial:
            parts.append("(best so far)")
        console.say("  ".join(parts))


class LiveTable:
    """One table, redrawn in place twice a second."""

    def __init__(self, progress: Progress, epochs: int | None) -> None:
        self._progress = progress
        self._epochs = epochs
        self._problems: list[str] = []
        self._live = Live(get_renderable=self._draw, console=Console(highlight=False), refresh_per_second=2)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def started(self, trial: PendingTrial) -> None:
        """Show the trial as running."""
        self._progress.running[trial.number] = (trial, None)

    def reported(self, trial: PendingTrial, report: EpochReport) -> None:
        """Show its epoch."""
        self._progress.running[trial.number] = (trial, report)

    def finished(self, trial: FinishedTrial) -> None:
        """Move it to the counts."""
        del self._progress.running[trial.number]
        self._progress.end(trial)
        if trial.error:
            self._problems.append(f"trial {trial.trial_id} failed: {headline(trial.error)}")

    def _draw(self) -> RenderableType:
        progress = self._progress
        parts: list[RenderableType] = [Text(), Text(self._counts())]
        if progress.best is not None:
            best = progress.best
            line = f"best  {result(best, progress.objective)}  trial {best.trial_id}  {console.settings(best.config)}"
            parts.append(Text(line, style="green"))
        if progress.grade is not None:
            parts.append(Text(f"prior  {verdict(progress.grade, progress.space)}"))
        if progress.running:
            running = console.table("running", "epoch", progress.objective.metric, "settings")
            for trial, report in list(progress.running.values()):
                running.add_row(*self._row(trial, report))
            parts += [Text(), running]
        parts += [Text(problem, style="red") for problem in self._problems[-3:]]
        return Group(*parts)

    def _counts(self) -> str:
        progress = self._progress
        counts = "  ".join(f"{status} {progress.counts[status]}" for status in Status)
        left = progress.seconds_left
        time_left = "" if left is None else f"   about {console.duration(left)} left"
        spent = console.duration(time.monotonic() - progress.begun)
        return f"{progress.ended} of {progress.budget.trials} trials   {spent}{time_left}\n{counts}"

    def _row(self, trial: PendingTrial, report: EpochReport | None) -> list[str]:
        own = trial.schedule or self._progress.space.full_epochs
        length = own or trial.config.get(EPOCHS, self._epochs)
        of = f"/{length}" if length else ""
        epoch = f"{report.epoch if report else 0}{of}"
        value = report.metrics.get(self._progress.objective.metric) if report else None
        settings = "  ".join([console.settings(trial.config), *console.kind(trial)])
        return [trial.trial_id, epoch, "" if value is None else console.number(value), settings]


def result(trial: FinishedTrial, objective: Objective) -> str:
    """What came out of a trial: the objective, the held-out accuracy beside it, or its error."""
    if trial.error:
        return headline(trial.error)
    names = dict.fromkeys([objective.metric, "val_loss", "val_accuracy"])
    values = [(name, trial.metrics[name]) for name in names if name in trial.metrics]
    return "  ".join(f"{name} {console.number(value)}" for name, value in values)


def watching(plan: Plan, budget: Budget, history: Sequence[FinishedTrial]) -> Watch:
    """Return the form that suits the standard output, told what earlier sessions have found."""
    progress = Progress(plan.space, budget, grade=latest_grade(history))
    for trial in history:
        progress.count(trial)
    if console.out.is_terminal:
        return LiveTable(progress, plan.description.get("epochs"))
    return Lines(progress)
