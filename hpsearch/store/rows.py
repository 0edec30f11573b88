"""Trials as rows of the tables, and back."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from hpsearch.contract import Config
from hpsearch.store.schema import StudySchema
from hpsearch.trial import EpochReport, FinishedTrial, Origin, Status

Row = dict[str, Any]

_NOTES = ("device", "note", "stop_reason")


def trial_row(schema: StudySchema, trial: FinishedTrial) -> Row:
    """Return the row of ``trials``; columns that are absent from it are null."""
    return {
        "trial_id": trial.trial_id,
        "number": trial.number,
        "origin": trial.origin.value,
        "repeat": trial.repeat,
        **({} if schema.full is None else {"schedule": trial.schedule or schema.full}),
        "status": trial.status.value,
        **_config_cells(schema, trial.config),
        **schema.derived(trial.config),
        "objective": trial.objective,
        **_metric_cells(schema, trial.metrics),
        "epochs": trial.epochs,
        "train_seconds": trial.train_seconds,
        **({"prior_grade": trial.prior_grade} if schema.graded else {}),
        "seed": trial.seed,
        "started_at": trial.started_at,
        "finished_at": trial.finished_at,
        **{key: _printable(text) for key, text in trial.notes.items() if key in _NOTES},
        "error": None if trial.error is None else _printable(trial.error),
    }


def epoch_rows(schema: StudySchema, trial: FinishedTrial, reports: Iterable[EpochReport]) -> list[Row]:
    """Return the rows of ``epochs``; the objective is that of the trial's curve."""
    curve = dict(trial.curve)
    return [
        {
            "trial_id": trial.trial_id,
            "number": trial.number,
            "epoch": report.epoch,
            "seconds": report.seconds,
            "diverged": report.diverged,
            "objective": curve.get(report.epoch),
            **_metric_cells(schema, report.metrics),
        }
        for report in reports
    ]


def finished_trials(schema: StudySchema, trials: pa.Table, epochs: pa.Table) -> tuple[FinishedTrial, ...]:
    """Return the trials of the two tables in number order; of ``epochs`` it needs number, epoch and objective."""
    curves = _curves(epochs)
    rows = sorted(trials.to_pylist(), key=lambda row: row["number"])
    return tuple(_trial(schema, row, curves.get(row["number"], ())) for row in rows)


def _trial(schema: StudySchema, row: Row, curve: Sequence[tuple[int, float]]) -> FinishedTrial:
    config = {
        column.name: column.proposed(row[column.column]) for column in schema.parameters if _known(row, column.column)
    }
    return FinishedTrial(
        number=row["number"],
        config=config,
        seed=row["seed"],
        status=Status(row["status"]),
        objective=row["objective"],
        curve=tuple(curve),
        metrics={name: row[column] for name, column in schema.metric_columns.items() if _known(row, column)},
        epochs=row["epochs"],
        train_seconds=row["train_seconds"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        notes={key: row[key] for key in _NOTES if _known(row, key)},
        error=row["error"],
        prior_grade=row.get("prior_grade"),
        schedule=None if row.get("schedule") == schema.full else row["schedule"],
        origin=Origin(row.get("origin") or Origin.NEW),
        repeat=row.get("repeat") or 0,
    )


def _curves(epochs: pa.Table) -> dict[int, list[tuple[int, float]]]:
    """Return number -> (epoch, objective) of the epochs that have one."""
    curves: dict[int, list[tuple[int, float]]] = {}
    columns = (epochs[name].to_pylist() for name in ("number", "epoch", "objective"))
    for number, epoch, objective in zip(*columns, strict=True):
        if objective is not None:
            curves.setdefault(number, []).append((epoch, objective))
    return curves


def _config_cells(schema: StudySchema, config: Config) -> Row:
    return {column.column: column.stored(config[column.name]) for column in schema.parameters if column.name in config}


def _metric_cells(schema: StudySchema, metrics: Mapping[str, float]) -> Row:
    return {schema.metric_columns[name]: float(value) for name, value in metrics.items()}


def _known(row: Row, column: str) -> bool:
    return row.get(column) is not None


def _printable(text: str) -> str:
    """Return ``text`` as it can be stored: an error may quote bytes that are not UTF-8 (lone surrogates)."""
    return text.encode("utf-8", "backslashreplace").decode()
