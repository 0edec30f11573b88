"""What is left to do in a study that exists: trials, hours, and failed trials that are wanted again."""

from dataclasses import dataclass
from datetime import UTC, datetime

from hpsearch.errors import Problem, StudyError
from hpsearch.space.spec import Space
from hpsearch.store.sessions import FINISHED, hours_left
from hpsearch.store.writer import StudyWriter
from hpsearch.trial import Origin, Status


@dataclass(frozen=True)
class Left:
    """``space`` with its new budget, ``hours`` for this session (None: no limit), ``again`` the numbers to rerun.

    ``nothing`` is a sentence for the user where there is nothing to do.
    """

    space: Space
    hours: float | None
    again: tuple[int, ...] = ()
    nothing: str | None = None


def left(
    store: StudyWriter, more: int, hours: float | None, retry_failed: bool, repeats: int | str | None = None
) -> Left:
    """Find out what is left of an open study when ``more`` trials are added and ``hours`` are given.

    ``repeats`` says how many of these are repeats, "auto" all of them. Without ``hours``, more trials get the hours of
    the space anew; going on gets what the last session left of its own.
    """
    space = Space.restore(store.record["space"])
    again = tuple(trial.number for trial in store.history if retry_failed and trial.status is Status.FAILED)
    space = with_trials(space, _trials(store, space, more), _repeats(store, more, repeats))
    if hours is None:
        hours = space.budget.hours if more else _hours_left(store, space)
    return Left(space, hours, again, None if again or store.pending else _why_nothing(store, space, hours))


def with_trials(space: Space, trials: int, repeats: int | None = None) -> Space:
    """Return the space with another number of trials, and of repeats. Raises SpaceError where that is no budget."""
    changes = {"trials": trials} if repeats is None else {"trials": trials, "repeats": repeats}
    return Space.restore({**space.dump(), "budget": {**space.budget.model_dump(), **changes}})


def _trials(store: StudyWriter, space: Space, more: int) -> int:
    """Return the trials of the study in all: ``more`` than its budget, or than there are where it ended before that."""
    sessions = store.record["sessions"]
    ended = bool(sessions) and sessions[-1]["reason"] == FINISHED
    return (_count(store) if more and ended else space.budget.trials) + more


def _repeats(store: StudyWriter, more: int, wanted: int | str | None) -> int | None:
    """Return the repeats of the study in all, where so many are ``wanted`` among ``more`` trials; None as before."""
    if wanted is None:
        return None
    added = more if wanted == "auto" else wanted
    if not isinstance(added, int) or not 0 <= added <= more:
        what, allowed = "not a number of repeats among the new trials", f"auto (all of them), or 0 to {more}"
        raise StudyError(Problem(what, key="--repeats", got=str(wanted), allowed=allowed))
    done = sum(trial.origin is Origin.REPEAT for trial in (*store.history, *store.pending))
    return done + added


def _hours_left(store: StudyWriter, space: Space) -> float | None:
    sessions = store.record["sessions"]
    return hours_left(sessions[-1], store.history, datetime.now(UTC)) if sessions else space.budget.hours


def _count(store: StudyWriter) -> int:
    return len(store.history) + len(store.pending)


def _why_nothing(store: StudyWriter, space: Space, hours: float | None) -> str | None:
    """Say why no trial would start, None where one would."""
    name, trials = store.folder.name, space.budget.trials
    if any(trial.final is not None and space.objective.reached_by(trial.final) for trial in store.history):
        return f"nothing to do: {name} has reached its target, {space.objective.metric} {space.objective.target:g}"
    if _count(store) >= trials:
        return f"nothing to do: all {trials} trials of {name} have ended; `hpsearch extend {name} --trials N` adds more"
    if hours == 0:
        return f"nothing to do: the hours of {name} are spent; `hpsearch resume {name} --hours H` grants more"
    return None
