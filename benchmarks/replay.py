"""A search whose trainings are looked up: one trial after the other, by the real samplers."""

import math
from collections.abc import Callable
from datetime import UTC, datetime

from hpsearch.contract import Config
from hpsearch.samplers.by_name import make_sampler
from hpsearch.space.spec import Space
from hpsearch.trial import FinishedTrial, Status

_NOW = datetime(2026, 1, 1, tzinfo=UTC)

Train = Callable[[Config], float]
"""What a setting gives."""


def finished(number: int, config: Config, objective: float) -> FinishedTrial:
    """Return a completed trial of one epoch."""
    return FinishedTrial(
        number=number,
        config=config,
        seed=0,
        status=Status.COMPLETED,
        objective=objective,
        curve=((1, objective),),
        metrics={},
        epochs=1,
        train_seconds=1.0,
        started_at=_NOW,
        finished_at=_NOW,
    )


def search(space: Space, trials: int, train: Train, enough: float = -math.inf) -> list[FinishedTrial]:
    """Return the trials of a search of ``space``, in their order, up to the first that gives ``enough`` or less."""
    sampler = make_sampler(space)
    history: list[FinishedTrial] = []
    for number in range(trials):
        config = sampler.suggest(history, [], number)
        history.append(finished(number, config, train(config)))
        if history[-1].objective <= enough:
            break
    return history
