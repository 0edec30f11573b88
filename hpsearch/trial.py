"""What a trial is, before and after it ran: plain frozen values that samplers, runners and the store exchange."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
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


class Origin(StrEnum):
    """Why a trial was proposed."""

    NEW = "new"
    """By the sampler."""
    PROMOTION = "promotion"
    """Its setting was among the best of shorter runs."""
    REPEAT = "repeat"
    """To tell the best settings apart from noise."""


Key = tuple[tuple[str, object], ...]
"""What tells settings apart: floats count to nine digits, because steps of sqrt 2 do not add up to 2 exactly."""


def key(config: Config) -> Key:
    """Return what tells ``config`` from others."""
    return tuple((name, float(f"{value:.9g}") if isinstance(value, float) else value) for name, value in config.items())


@dataclass(frozen=True)
class PendingTrial:
    """A trial that was proposed and has not finished.

    ``schedule`` is the length in epochs of the complete schedule that it trains, where that is shorter than a full run
    (``fidelity:``); None is the full length. ``repeat`` counts the trials before it with this setting and schedule.
    """

    number: int
    config: Config
    seed: int
    schedule: int | None = field(default=None, kw_only=True)
    origin: Origin = field(default=Origin.NEW, kw_only=True)
    repeat: int = field(default=0, kw_only=True)

    @property
    def trial_id(self) -> str:
        """The number as fixed-width text, the key that joins the tables of a study."""
        return f"{self.number:05d}"

    @cached_property
    def key(self) -> Key:
        """What tells its setting from others; kept, because every proposal compares it with those of all trials."""
        return key(self.config)

    def unfinished(self) -> "PendingTrial":
        """Return the trial as it was before it ran."""
        return PendingTrial(
            self.number, self.config, self.seed, schedule=self.schedule, origin=self.origin, repeat=self.repeat
        )


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
        """The objective at the end of a full run: None for a trial that did not complete, or was a shorter one."""
        return self.end if self.schedule is None else None

    @property
    def end(self) -> float | None:
        """The objective at the end of its own schedule, full or shorter: None for a trial that did not complete."""
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
