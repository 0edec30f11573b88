"""Searches whose trials are scripted: a sampler that counts, and steps as a worker would send them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hpsearch.runners.budget import Budget
from hpsearch.runners.drive import Outcome, Step, ended, now
from hpsearch.runners.search import Search
from hpsearch.samplers.protocol import Sampler
from hpsearch.space.spec import Space
from hpsearch.trial import EpochReport, FinishedTrial, PendingTrial, Status


def space(trials=5, rule="none", mode="min", **keys):
    return Space.restore(
        {
            "train": {"function": "toy.py:train"},
            "parameters": {"lr": {"type": "real", "low": 0.001, "high": 1.0, "scale": "log"}},
            "objective": {"metric": "val_loss", "mode": mode, **keys.pop("objective", {})},
            "stopping": {"rule": rule, "grace": 0.5},
            "budget": {"trials": trials},
            **keys,
        }
    )


@dataclass
class CountingSampler(Sampler):
    """Proposes lr = 0.001 * (number + 1) and keeps what it was shown."""

    seen: list[tuple[Sequence[FinishedTrial], Sequence[PendingTrial], int]] = field(default_factory=list)

    def suggest(self, history, pending, number):
        self.seen.append((tuple(history), tuple(pending), number))
        return {"lr": 0.001 * (number + 1)}


@dataclass
class Record:
    """A sink that keeps the events in order."""

    events: list[tuple[str, int]] = field(default_factory=list)
    trials: dict[int, FinishedTrial] = field(default_factory=dict)

    def started(self, trial):
        self.events.append(("started", trial.number))

    def reported(self, trial, report):
        self.events.append(("reported", trial.number))

    def finished(self, trial):
        self.events.append(("finished", trial.number))
        self.trials[trial.number] = trial


@dataclass
class Clock:
    """A clock that a test moves."""

    seconds: float = 0.0

    def __call__(self):
        return self.seconds


def search(a_space=None, record=None, sampler=None, clock=None, hours=None, **keys):
    a_space = a_space or space()
    budget = Budget(a_space.budget.trials, hours, clock or Clock())
    return Search(a_space, sampler or CountingSampler(), budget, [record or Record()], **keys)


def report(epoch, value, **keys):
    return Step(now(), EpochReport(epoch, {"val_loss": value}, 1.0, **keys))


def end(status=Status.COMPLETED):
    return Step(now(), outcome=ended(status))


def failure(cause="line 3: ValueError", error="line 3\nValueError: x"):
    return Step(now(), outcome=Outcome(Status.FAILED, now(), error, cause))


def play(a_search, number, *values):
    """Report the values of a trial until it is stopped or through; return whether it was stopped early."""
    for epoch, value in enumerate(values, start=1):
        if a_search.take(number, report(epoch, value)):
            return True
    a_search.take(number, end())
    return False
