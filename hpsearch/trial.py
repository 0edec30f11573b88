"""What a trial is, before and after it ran: plain frozen values that samplers, runners and the store exchange."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from hpsearch.contract import Config


class Status(StrEnum):
    """How a trial ended."""

    COMPLETED = "completed"
    """It ran to its end."""
    STOPPED = "stopped"
    """The search ended it early; its last epoch says when."""
    DIVERGED = "diverged"
    """Its loss left the finite or the allowed range: a result, told to the sampler as infeasible."""
    FAILED = "failed"
    """It crashed: not a result, never told to the sampler."""


@dataclass(frozen=True)
class PendingTrial:
    """A trial that was proposed and has not finished."""

    number: int
    config: Config
    seed: int

    @property
    def trial_id(self) -> str:
        """The number as fixed-width text, the key that joins the tables of a study."""
        return f"{self.number:05d}"


@dataclass(frozen=True)
class EpochReport:
    """One report of a training function, checked and counted (``runners/drive.py``).

    ``seconds`` is the wall time of this epoch inside the training function. ``metrics`` holds finite and non-finite
    numbers alike; ``notes`` the reserved text keys (``device``, ``note``, ``stop_reason``).
    """

    epoch: int
    metrics: Mapping[str, float]
    seconds: float
    diverged: bool = False
    notes: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class FinishedTrial(PendingTrial):
    """A trial that ended, with all that the tables keep of it.

    ``objective`` is the last finite value of the objective (None where there is none); ``curve`` its value after each
    reported epoch, as (epoch, value); ``metrics`` the last report; times are UTC; ``train_seconds`` is wall time inside
    the training function. ``prior_grade`` is the log Bayes factor (nat) of the search's prior against a uniform one,
    given all results up to this one.
    """

    status: Status
    objective: float | None
    curve: tuple[tuple[int, float], ...]
    metrics: Mapping[str, float]
    epochs: int
    train_seconds: float
    started_at: datetime
    finished_at: datetime
    notes: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None
    prior_grade: float | None = None

    @property
    def final(self) -> float | None:
        """The objective at the end of a whole run: None for a trial that did not complete."""
        return self.objective if self.status is Status.COMPLETED else None


def headline(error: str) -> str:
    """Return the line of an error kept by a trial that has its type and message: the first after the indented stack."""
    return next((line for line in error.splitlines() if line.strip() and not line.startswith(" ")), error.strip())


class Sink(Protocol):
    """Who is told what happens in a search, in the driver process: the store, the terminal, the gauges."""

    def started(self, trial: PendingTrial) -> None:
        """``trial`` was handed to a worker."""

    def reported(self, trial: PendingTrial, report: EpochReport) -> None:
        """``trial`` finished an epoch."""

    def finished(self, trial: FinishedTrial) -> None:
        """``trial`` ended; a store keeps it durably before this returns."""
