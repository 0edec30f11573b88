"""One trial in one process: pull the reports out of a training function, check them, time them, see it end."""

import math
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from hpsearch.contract import OWN_TABLES, RESERVED, TABLE_KEYS, Report, Trial
from hpsearch.trial import EpochReport, Status

NOTES = ("device", "note", "stop_reason")


@dataclass(frozen=True)
class Outcome:
    """How a trial ended.

    ``error`` is the text kept for the user, with the part of the traceback that is in the user's code; ``cause`` is
    the same without the message, so that two failures at one place can be seen to be the same.
    """

    status: Status
    finished_at: datetime
    error: str | None = None
    cause: str | None = None


@dataclass(frozen=True)
class Step:
    """What one pull gave: a report, an outcome, or a last report together with the outcome."""

    started_at: datetime
    report: EpochReport | None = None
    outcome: Outcome | None = None


class ReportError(Exception):
    """A report that is not of the form of ``contract.py``."""


def now() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(UTC)


def ended(status: Status) -> Outcome:
    """Return the outcome of a trial that ends now without an error."""
    return Outcome(status, now())


class Drive:
    """A trial under way. ``step`` pulls until a step carries an outcome; ``close`` stops it before that.

    ``metric`` names the objective; ``diverges`` says of a value of it whether it is out of bounds.
    """

    def __init__(
        self,
        function: Callable[[Trial], Iterator[Report] | Report],
        trial: Trial,
        metric: str,
        diverges: Callable[[float], bool],
    ) -> None:
        self._function = function
        self._trial = trial
        self._metric = metric
        self._diverges = diverges
        self._started_at = now()
        self._reports: Iterator[Report] | None = None
        self._count = 0
        self._closed = False

    def step(self) -> Step:
        """Run the training function up to its next report, or to its end."""
        begun = time.perf_counter()
        try:
            raw, last = self._pull()
            seconds = time.perf_counter() - begun
            report = None if raw is None else self._normalised(raw, seconds)
        except (Exception, SystemExit) as cause:  # a trial may do anything; the search goes on
            self.close()
            return Step(self._started_at, outcome=_failure(cause))
        if report is not None and report.diverged:
            self.close()
            return Step(self._started_at, report, ended(Status.DIVERGED))
        return Step(self._started_at, report, ended(Status.COMPLETED) if last else None)

    def close(self) -> None:
        """Close the training function; what it raises while it is being closed is not a result any more."""
        self._closed = True
        reports, self._reports = self._reports, iter(())
        if isinstance(reports, Generator):
            try:
                reports.close()
            except (Exception, SystemExit):
                traceback.print_exc()

    def _pull(self) -> tuple[Report | None, bool]:
        """Return the next raw report (None at the end) and whether it is known to be the last."""
        if self._reports is None:
            result = self._function(self._trial)
            if isinstance(result, Mapping):
                self._reports = iter(())
                return result, True
            if not isinstance(result, Iterator):
                raise ReportError(f"the training function must yield or return dicts, but returned {result!r:.80}")
            self._reports = result
        report = next(self._reports, None)
        if report is None and self._count == 0 and not self._closed:
            raise ReportError("the training function ended without a report")
        return report, report is None

    def _normalised(self, raw: Any, seconds: float) -> EpochReport:
        if not isinstance(raw, Mapping):
            raise ReportError(f"a report must be a dict of metrics, got {raw!r:.80}")
        self._count = int(raw.get("epoch", self._count + 1))
        metrics = {str(name): _number(name, value) for name, value in raw.items() if name not in RESERVED}
        diverged = bool(raw.get("diverged", False))
        if self._metric not in metrics and not diverged:
            has = ", ".join(metrics) or "nothing"
            raise ReportError(f"the report has no '{self._metric}', which the search optimises; it has {has}")
        value = metrics.get(self._metric, math.nan)
        return EpochReport(
            epoch=self._count,
            metrics=metrics,
            seconds=_number("seconds", raw.get("seconds", seconds)),
            diverged=diverged or not math.isfinite(value) or self._diverges(value),
            notes={name: str(raw[name]) for name in NOTES if raw.get(name) is not None},
            tables=_tables(raw.get("tables") or {}),
        )


def _number(name: object, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ReportError(f"the metric '{name}' must be a number, got {value!r:.80}") from None


def _tables(tables: Any) -> dict[str, dict[str, npt.NDArray[Any]]]:
    """Check the tables of a report: columns of one length each, by name."""
    checked = {}
    for table, columns in tables.items():
        arrays = {str(name): np.asarray(column) for name, column in columns.items()}
        if len({array.shape for array in arrays.values()}) > 1 or any(array.ndim != 1 for array in arrays.values()):
            shapes = {name: array.shape for name, array in arrays.items()}
            raise ReportError(f"the columns of table '{table}' must be one-dimensional and of one length, got {shapes}")
        if not str(table).isidentifier() or table in OWN_TABLES:
            raise ReportError(f"table '{table}': its name must be an identifier other than {', '.join(OWN_TABLES)}")
        if taken := [name for name in TABLE_KEYS if name in arrays]:
            raise ReportError(f"table '{table}': the column {' and '.join(taken)} is added by the store: leave it out")
        checked[table] = arrays
    return checked


def _failure(cause: BaseException) -> Outcome:
    """Turn an exception into an outcome whose text starts where the training function's own code does."""
    message = "".join(traceback.format_exception_only(cause)).strip()
    stack = "".join(traceback.format_list(traceback.extract_tb(_beyond_this_file(cause.__traceback__))))
    return Outcome(Status.FAILED, now(), error=f"{stack}{message}", cause=f"{stack}{type(cause).__name__}")


def _beyond_this_file(frames: TracebackType | None) -> TracebackType | None:
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    return frames
