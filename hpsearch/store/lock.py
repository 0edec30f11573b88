"""One driver per study: a lock of the operating system on a file, gone with the process however that ends."""

import os
import platform
from pathlib import Path

from filelock import FileLock, Timeout

from hpsearch.errors import Problem, StudyError
from hpsearch.store.files import cannot_write, read_json, write_json

_LOCK, _HOLDER = ".lock", ".lock-holder.json"
_PATIENCE = 0.5
"""Seconds to wait for the lock: ``is_locked`` of another process holds it for an instant."""


def lock(folder: Path) -> FileLock:
    """Take the lock of the study in ``folder`` until ``release()``; raises StudyError, saying who holds it."""
    taken = FileLock(folder / _LOCK)
    try:
        taken.acquire(timeout=_PATIENCE, poll_interval=0.02)
    except Timeout:
        hint = "wait for the other run, or stop it; a study has one driver"
        raise StudyError(Problem(f"the study is in use by {_holder(folder)}", file=folder, hint=hint)) from None
    except OSError as cause:
        raise cannot_write(folder, cause) from cause
    write_json(folder / _HOLDER, {"pid": os.getpid(), "host": platform.node()})
    return taken


def is_locked(folder: Path) -> bool:
    """Whether a driver is at work on the study in ``folder``."""
    if not (folder / _LOCK).exists():
        return False
    try:
        with FileLock(folder / _LOCK).acquire(timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # a study on a disk that cannot be written has no driver
        return False


def _holder(folder: Path) -> str:
    try:
        holder = read_json(folder / _HOLDER)
        return f"process {holder['pid']} on {holder['host']}"
    except (StudyError, KeyError, TypeError):
        return "another process"
