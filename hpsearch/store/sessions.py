"""The sessions of a study: what each driver that was at work on it left in study.json."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from hpsearch.trial import FinishedTrial

FINISHED = "finished"
"""The reason of a session that came to the end of its budget."""


def session_seconds(session: Mapping[str, Any], history: Iterable[FinishedTrial], until: datetime) -> float:
    """Return how long a session was at work that was over by ``until``; a killed one was until its last trial ended."""
    if session["seconds"] is not None:
        return float(session["seconds"])
    start = datetime.fromisoformat(session["started_at"])
    ends = (trial.finished_at for trial in history if start <= trial.finished_at <= until)
    return (max(ends, default=start) - start).total_seconds()


def hours_left(session: Mapping[str, Any], history: Iterable[FinishedTrial], until: datetime) -> float | None:
    """Return what is left of the hours that a session was granted, None where it had no limit."""
    if session["hours"] is None:
        return None
    return max(0.0, float(session["hours"]) - session_seconds(session, history, until) / 3600)
