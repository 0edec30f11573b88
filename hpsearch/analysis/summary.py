"""What a study amounts to so far: the best settings, counts by status, the time it took, and what to look at next."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from hpsearch.contract import Config, Value
from hpsearch.space.parameters import Integer, Parameter, Real
from hpsearch.store.reader import Study
from hpsearch.store.sessions import FINISHED, session_seconds
from hpsearch.trial import FinishedTrial, Status, headline

TOP = 5
EDGE = 0.05
"""A best value within this share of a range (on its scale) from one of the bounds is worth a warning."""


class State(StrEnum):
    """Where a study stands."""

    RUNNING = "running"
    """A driver is at work on it."""
    FINISHED = "finished"
    """Its last driver came to the end of its budget."""
    ABORTED = "aborted"
    """Its first trials failed in the same way."""
    INTERRUPTED = "interrupted"
    """Its last driver was stopped or killed; ``resume`` goes on."""


@dataclass(frozen=True)
class Setting:
    """A completed trial, as one line of the list of the best."""

    trial_id: str
    objective: float
    config: Config
    metrics: Mapping[str, float]
    epochs: int
    train_seconds: float


@dataclass(frozen=True)
class Edge:
    """A parameter whose best value lies at the ``low`` or ``high`` end of its range: the optimum may be outside."""

    parameter: str
    value: Value
    low: float
    high: float
    end: str


@dataclass(frozen=True)
class Summary:
    """The figures of a study; times in seconds.

    ``counts`` has every status and ``pending``. ``top`` are the best completed trials, best first: a trial that was
    stopped early has seen less of its schedule and is not compared. ``wall_seconds`` is the time in which a driver
    was at work; ``epochs_saved`` what stopped trials would have run on, by the longest completed trial.
    """

    name: str
    goal: str
    state: State
    metric: str
    mode: str
    counts: Mapping[str, int]
    top: tuple[Setting, ...]
    edges: tuple[Edge, ...]
    train_seconds: float
    wall_seconds: float
    trials_per_hour: float | None
    epochs_saved: int
    failures: Mapping[str, int]
    """Type and message of what failed trials raised -> how many of them."""

    @property
    def best(self) -> Setting | None:
        """The best completed trial, if there is one."""
        return self.top[0] if self.top else None

    def to_json(self) -> dict[str, Any]:
        """Return plain data for strict JSON; numbers that are not finite become None."""
        data = _plain({**asdict(self), "best": self.best and asdict(self.best)})
        return dict(data)


def summarise(study: Study, top: int = TOP) -> Summary:
    """Return the figures of ``study`` with its ``top`` best settings."""
    objective = study.space.objective
    ranked = _ranked(study)
    wall_seconds = _wall_seconds(study)
    return Summary(
        name=study.name,
        goal=study.space.goal,
        state=state_of(study),
        metric=objective.metric,
        mode=objective.mode,
        counts=_counts(study),
        top=tuple(ranked[:top]),
        edges=edges(study.space.parameters, ranked[0].config) if ranked else (),
        train_seconds=math.fsum(trial.train_seconds for trial in study.history),
        wall_seconds=wall_seconds,
        trials_per_hour=len(study.history) * 3600 / wall_seconds if wall_seconds > 0 else None,
        epochs_saved=_epochs_saved(study.history),
        failures=dict(Counter(headline(trial.error or "") for trial in study.history if trial.status is Status.FAILED)),
    )


def _ranked(study: Study) -> list[Setting]:
    """Return the completed trials that have an objective, best first, equal ones in the order of their numbers."""
    settings = [
        Setting(trial.trial_id, trial.final, trial.config, trial.metrics, trial.epochs, trial.train_seconds)
        for trial in study.history
        if trial.final is not None
    ]
    return sorted(settings, key=lambda setting: study.space.objective.loss(setting.objective))


def _counts(study: Study) -> dict[str, int]:
    ended = Counter(trial.status.value for trial in study.history)
    return {**{status.value: ended[status.value] for status in Status}, "pending": len(study.pending)}


def state_of(study: Study) -> State:
    """Return where ``study`` stands."""
    if study.running:
        return State.RUNNING
    reason = study.record["sessions"][-1]["reason"] if study.record["sessions"] else None
    if reason == "aborted":
        return State.ABORTED
    return State.FINISHED if reason == FINISHED and not study.pending else State.INTERRUPTED


def _wall_seconds(study: Study) -> float:
    sessions = study.record["sessions"]
    starts = [datetime.fromisoformat(session["started_at"]) for session in sessions]
    seconds = [
        session_seconds(session, study.history, until)
        for session, until in zip(sessions, [*starts[1:], datetime.now(UTC)], strict=False)
    ]
    if study.running and seconds:
        seconds[-1] = (datetime.now(UTC) - starts[-1]).total_seconds()
    return math.fsum(seconds)


def _epochs_saved(history: tuple[FinishedTrial, ...]) -> int:
    full = max((trial.epochs for trial in history if trial.status is Status.COMPLETED), default=0)
    return sum(max(0, full - trial.epochs) for trial in history if trial.status is Status.STOPPED)


def edges(parameters: Mapping[str, Parameter], config: Config) -> tuple[Edge, ...]:
    """Return the parameters whose value in ``config`` lies at an end of their range."""
    found = []
    for name, value in config.items():
        parameter = parameters.get(name)
        if isinstance(parameter, Real | Integer) and parameter.low < parameter.high:
            share = _share(parameter, float(value))
            if min(share, 1 - share) <= EDGE:
                end = "low" if share < 0.5 else "high"
                found.append(Edge(name, value, parameter.low, parameter.high, end))
    return tuple(found)


def _share(parameter: Real | Integer, value: float) -> float:
    """Return where ``value`` lies between the bounds, 0 to 1, on the scale of the parameter."""
    if parameter.scale == "log":
        return math.log(value / parameter.low) / math.log(parameter.high / parameter.low)
    if parameter.scale == "log1m":
        return math.log((1 - value) / (1 - parameter.low)) / math.log((1 - parameter.high) / (1 - parameter.low))
    return (value - parameter.low) / (parameter.high - parameter.low)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
