"""What a user does to get more trials out of a study, in the state that it is in."""

from hpsearch.analysis.summary import State, state_of
from hpsearch.store.names import option_for
from hpsearch.store.reader import Study


def next_step(study: Study, extend: str = "--trials N") -> str:
    """Return the command that brings more trials; ``extend`` are its options where it has to add them."""
    match state_of(study):
        case State.RUNNING:
            return "wait for the trials that are running"
        case State.ABORTED:
            command = f"resume {study.name} --retry-failed"
        case State.INTERRUPTED:
            command = f"resume {study.name}"
        case _:
            command = f"extend {study.name} {extend}"
    return f"go on with `hpsearch {command}{option_for(study.folder)}`"
