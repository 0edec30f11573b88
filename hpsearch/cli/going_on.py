"""What is left to do in a study that exists: trials, hours, and failed trials that are wanted again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hpsearch.space.spec import Space
from hpsearch.store.writer import StudyWriter
from hpsearch.trial import FinishedTrial, Status


@dataclass(frozen=True)
class Left:
    """``space`` with its new budget, ``hours`` for this session (None: no limit), ``again`` the numbers to rerun.

    ``nothing`` is a sentence for the user where there is nothing to do.
    """

    space: Space
    hours: float | None
    again: tuple[int, ...] = ()
    nothing: str | None = None


def left(store: StudyWriter, more: int, hours: float | None, retry_failed: bool) -> Left:
    """Find out what is left of an open study when ``more`` trials are added and ``hours`` are given."""
    space = Space.restore(store.record["space"])
    numbers = [trial.number for trial in [*store.history, *store.pending]]
    again = tuple(trial.number for trial in store.history if retry_failed and trial.status is Status.FAILED)
    total = space.budget.trials
    if more:
        total = (len(numbers) if _came_to_its_end(store.record) else total) + more
    elif hours is None and space.budget.hours is not None:
        hours = max(0.0, space.budget.hours - spent_hours(store.record, store.history))
    if more and hours is None:
        hours = space.budget.hours
    budget = space.budget.model_copy(update={"trials": total})
    space = space.model_copy(update={"budget": budget})
    if not again and not store.pending and len(numbers) >= total:
        return Left(space, hours, nothing=_complete(store.folder.name, total))
    if hours == 0:
        return Left(space, hours, nothing=_out_of_hours(store.folder.name))
    return Left(space, hours, again)


def spent_hours(record: dict[str, Any], history: tuple[FinishedTrial, ...]) -> float:
    """Return the hours in which drivers were at work; one that was killed counts up to its last finished trial."""
    return sum(_seconds(session, history) for session in record["sessions"]) / 3600


def _seconds(session: dict[str, Any], history: tuple[FinishedTrial, ...]) -> float:
    if session["seconds"] is not None:
        return float(session["seconds"])
    started = datetime.fromisoformat(session["started_at"])
    ends = [trial.finished_at for trial in history if trial.finished_at > started]
    return max(((end - started).total_seconds() for end in ends), default=0.0)


def _came_to_its_end(record: dict[str, Any]) -> bool:
    sessions = record["sessions"]
    return bool(sessions) and sessions[-1]["reason"] == "finished"


def _complete(name: str, trials: int) -> str:
    return f"nothing to do: all {trials} trials of {name} have ended; `hpsearch extend {name} --trials N` adds more"


def _out_of_hours(name: str) -> str:
    return f"nothing to do: the hours of {name} are spent; `hpsearch resume {name} --hours H` grants more"
