"""Small spaces, trials and reports for the tests of the store."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hpsearch.space.spec import Space
from hpsearch.store.writer import StudyWriter
from hpsearch.trial import EpochReport, FinishedTrial, PendingTrial, Status

START = datetime(2025, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def make_space(parameters: Mapping[str, Any] | None = None, **keys: Any) -> Space:
    data = {
        "goal": "a goal",
        "parameters": parameters
        or {
            "lr": {"type": "real", "low": 0.01, "high": 1.0, "scale": "log"},
            "batch_size": {"type": "choice", "values": [128, 256]},
            "momentum": {"type": "constant", "value": 0.9},
        },
        "objective": {"metric": "val_loss", "mode": "min"},
        "budget": {"trials": 4},
        **keys,
    }
    return Space.restore(data)


def make_reports(losses: Sequence[float], **more: Any) -> list[EpochReport]:
    return [
        EpochReport(epoch, {"val_loss": loss, "val_accuracy": 1 / (1 + abs(loss))}, seconds=0.5, **more)
        for epoch, loss in enumerate(losses, start=1)
    ]


def make_trial(number: int, reports: Sequence[EpochReport] = (), **changes: Any) -> FinishedTrial:
    curve = tuple((report.epoch, report.metrics["val_loss"]) for report in reports if "val_loss" in report.metrics)
    fields: dict[str, Any] = {
        "number": number,
        "config": {"lr": 0.1 + number / 1000, "batch_size": 128, "momentum": 0.9},
        "seed": 1000 + number,
        "status": Status.COMPLETED,
        "objective": curve[-1][1] if curve else None,
        "curve": curve,
        "metrics": dict(reports[-1].metrics) if reports else {},
        "epochs": len(reports),
        "train_seconds": 0.5 * len(reports),
        "started_at": START + timedelta(seconds=number),
        "finished_at": START + timedelta(seconds=number + 1),
        "notes": {"device": "cpu"},
    }
    return FinishedTrial(**{**fields, **changes})


def run_trial(writer: StudyWriter, trial: FinishedTrial, reports: Sequence[EpochReport] = ()) -> None:
    """Tell ``writer`` what a runner tells it about one trial."""
    pending = PendingTrial(trial.number, trial.config, trial.seed)
    writer.started(pending)
    for report in reports:
        writer.reported(pending, report)
    writer.finished(trial)
