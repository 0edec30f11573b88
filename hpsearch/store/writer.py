"""The writer of a study: a sink of the runners that keeps every trial durably, and picks up where a crash left off.

Order when a trial ends: rows of ``epochs``, tables of its reports, row of ``trials``. The last decides: before it the
trial is pending and runs again with the same number, configuration and seed; after it the trial is finished. What
``pending.json`` still says of a finished trial counts for nothing, so it is left there until the next trial starts.
"""

import shutil
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from filelock import FileLock

from hpsearch.contract import CHECKPOINT
from hpsearch.space.spec import Space
from hpsearch.store.contents import PENDING_FILE, Contents, pending_data, read_contents
from hpsearch.store.files import cannot_write, write_json
from hpsearch.store.lock import lock
from hpsearch.store.names import STUDY_FILE, check_free, find_study
from hpsearch.store.schema import VERSION, StudySchema
from hpsearch.store.tables import StudyTables
from hpsearch.trial import EpochReport, FinishedTrial, PendingTrial, Status


class StudyWriter:
    """The one driver of a study; made by ``create`` or ``open``, and to be closed. A ``hpsearch.trial.Sink``."""

    def __init__(self, folder: Path, held: FileLock, contents: Contents) -> None:
        self.folder = folder
        self._lock = held
        self._record = contents.record
        self._history = {trial.number: trial for trial in contents.history}
        self._pending = {trial.number: trial for trial in contents.pending}
        self._reports: dict[int, list[EpochReport]] = {}
        self._session_start = time.monotonic()
        self._tables = StudyTables(folder, contents.schema)
        self._tables.remove(self.pending)  # what a crash left of them

    @classmethod
    def create(cls, results: Path, name: str, space: Space, record: Mapping[str, Any]) -> "StudyWriter":
        """Make the study ``name`` in ``results``; ``record`` (JSON data) goes into study.json beside the space.

        Raises StudyError when the name is taken or unusable or the folder cannot be written. The folder appears
        complete or not at all.
        """
        check_free(results, name)
        folder = results.absolute() / name
        draft = folder.with_name(f".{name}.{uuid4().hex[:8]}")
        try:
            draft.mkdir(parents=True)
            _fill(draft, name, space, record)
            draft.rename(folder)
        except OSError as cause:
            raise cannot_write(folder, cause) from cause
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return cls.open(results, name)

    @classmethod
    def open(cls, results: Path, name: str) -> "StudyWriter":
        """Take over the study ``name`` as it was left, to resume or extend it.

        Raises StudyError when there is none, another driver has it, or it is damaged or of another version.
        """
        folder = find_study(results, name)
        held = lock(folder)
        try:
            return cls(folder, held, read_contents(folder))
        except BaseException:
            held.release()
            raise

    @property
    def history(self) -> tuple[FinishedTrial, ...]:
        """The trials that ended, failed ones too, in number order."""
        return tuple(self._history[number] for number in sorted(self._history))

    @property
    def pending(self) -> tuple[PendingTrial, ...]:
        """The trials that were started and have not ended, in the order of their start: to be run (again)."""
        return tuple(self._pending.values())

    @property
    def record(self) -> dict[str, Any]:
        """The content of study.json."""
        return dict(self._record)

    def started(self, trial: PendingTrial) -> None:
        """Note ``trial`` as pending, durably, before it runs; a rerun forgets the reports of the run before."""
        self._pending[trial.number] = trial.unfinished()
        self._reports[trial.number] = []
        self._write_pending()

    def reported(self, trial: PendingTrial, report: EpochReport) -> None:
        """Keep ``report`` until the trial ends; it takes the place of an earlier one of the same epoch or later."""
        reports = self._reports.setdefault(trial.number, [])
        while reports and reports[-1].epoch >= report.epoch:
            reports.pop()
        reports.append(report)

    def finished(self, trial: FinishedTrial) -> None:
        """Keep ``trial`` and its reports durably; raises StudyError when the disk refuses, the trial stays pending."""
        self._tables.put(trial, self._reports.pop(trial.number, []))
        self._history[trial.number] = trial
        self._pending.pop(trial.number, None)
        _clean_up(self.folder / "work" / trial.trial_id, trial)

    def forget(self, numbers: Iterable[int]) -> None:
        """Make finished trials pending again, to be rerun with the same configuration and seed; their rows go."""
        trials = [self._history[number] for number in numbers]
        self._pending |= {trial.number: trial.unfinished() for trial in trials}
        self._write_pending()
        self._tables.remove(trials)
        for trial in trials:
            del self._history[trial.number]

    def update(self, **keys: Any) -> None:
        """Set keys of study.json (JSON data)."""
        record = {**self._record, **keys}
        write_json(self.folder / STUDY_FILE, record)
        self._record = record

    def begin_session(self, command: list[str], hours: float | None = None, **details: Any) -> None:
        """Note in study.json that a driver goes to work: its command line, its limit in hours, and ``details``."""
        self._session_start = time.monotonic()
        ahead = {"finished_at": None, "reason": None, "seconds": None}
        session = {"command": command, "hours": hours, **details, "started_at": _now(), **ahead}
        self.update(sessions=[*self._record["sessions"], session])

    def end_session(self, reason: str) -> None:
        """Note in study.json that the driver stops, and why."""
        *earlier, session = self._record["sessions"]
        seconds = round(time.monotonic() - self._session_start, 3)
        self.update(sessions=[*earlier, {**session, "finished_at": _now(), "reason": reason, "seconds": seconds}])

    def close(self) -> None:
        """Let go of the study; another driver may open it."""
        _remove_if_empty(self.folder / "work")
        try:
            self._write_pending()
        finally:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write_pending(self) -> None:
        write_json(self.folder / PENDING_FILE, [pending_data(trial) for trial in self._pending.values()])


def _fill(folder: Path, name: str, space: Space, record: Mapping[str, Any]) -> None:
    """Write the files of a study without trials."""
    StudyTables.create(folder, StudySchema.of(name, space))
    write_json(folder / PENDING_FILE, [])
    identity = {"schema_version": VERSION, "name": name, "created_at": _now(), "space": space.dump()}
    write_json(folder / STUDY_FILE, {**identity, **record, "sessions": []})


def _clean_up(folder: Path, trial: FinishedTrial) -> None:
    """Remove the checkpoint of a trial that is over from its ``folder``, and the folder if that is empty now."""
    if trial.status is not Status.FAILED:  # a failed one may be wanted again
        (folder / CHECKPOINT).unlink(missing_ok=True)
    _remove_if_empty(folder)


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
