"""Histories for the sampler tests."""

from datetime import UTC, datetime
from typing import Any

from hpsearch.contract import Config
from hpsearch.trial import FinishedTrial, PendingTrial, Status

START = datetime(2026, 1, 1, tzinfo=UTC)


def pending(number: int, config: Config) -> PendingTrial:
    return PendingTrial(number, config, seed=number)


def finished(
    number: int,
    config: Config,
    objective: float | None,
    status: Status = Status.COMPLETED,
    curve: tuple[tuple[int, float], ...] | None = None,
    **keys: Any,
) -> FinishedTrial:
    """A trial of three epochs whose objective came down to ``objective``."""
    if curve is None:
        curve = () if objective is None else tuple((epoch, objective + 3 - epoch) for epoch in (1, 2, 3))
    return FinishedTrial(
        number, config, number, status=status, objective=objective, curve=curve, metrics={}, epochs=len(curve),
        train_seconds=1.0, started_at=START, finished_at=START, error="crash" if status is Status.FAILED else None,
        **keys,
    )  # fmt: skip
