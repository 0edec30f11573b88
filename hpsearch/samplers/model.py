"""What a Gaussian process makes of a history of trials."""

import math
from collections.abc import Sequence

import numpy as np

from hpsearch.samplers.cube import Cube
from hpsearch.samplers.surrogate import Surrogate
from hpsearch.space.axes import Floats
from hpsearch.space.spec import Space
from hpsearch.trial import FinishedTrial, PendingTrial, Status

ABSENT = 0.5
"""Where a parameter that does not exist stands for the process, which knows no gaps."""


class Model:
    """Fits the process to a history, and keeps the last fit, which the sampler and the prior's grade share.

    Completed trials count with their objective, diverged ones with the worst objective there is; stopped ones say
    nothing about the end of a run, and are left out.
    """

    def __init__(self, space: Space) -> None:
        self.cube = Cube(space)
        self._objective = space.objective
        self._last: tuple[tuple[object, ...], Surrogate | None] = ((), None)

    def fit(self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial] = ()) -> Surrogate | None:
        """Return the posterior given ``history``, None before there are two results that differ.

        Trials that are ``pending`` count with what is expected of them, so that they are not proposed again.
        """
        trials = sorted((trial for trial in history if _counts(trial)), key=lambda trial: trial.number)
        told = tuple((trial.number, trial.config, trial.final) for trial in trials)
        if told != self._last[0]:
            self._last = (told, self._fitted(trials))
        surrogate = self._last[1]
        if surrogate is None or not pending:
            return surrogate
        return surrogate.assuming(
            self.inputs(self.cube.points([trial.config for trial in sorted(pending, key=lambda trial: trial.number)]))
        )

    def inputs(self, points: Floats) -> Floats:
        """Return ``points`` as the process sees them."""
        return np.nan_to_num(points, nan=ABSENT)

    def _fitted(self, trials: Sequence[FinishedTrial]) -> Surrogate | None:
        values = self._losses(trials)
        if len(np.unique(values)) < 2:
            return None
        points = self.inputs(self.cube.points([trial.config for trial in trials]))
        return Surrogate.fit(points, (values - values.mean()) / values.std(), self.cube.unordered)

    def _losses(self, trials: Sequence[FinishedTrial]) -> Floats:
        finals = [trial.final if _is_finite(trial.final) else None for trial in trials]
        losses = [math.inf if final is None else self._objective.loss(final) for final in finals]
        worst = max((loss for loss in losses if loss < math.inf), default=0.0)
        return np.minimum(losses, worst)


def _counts(trial: FinishedTrial) -> bool:
    return trial.status in (Status.COMPLETED, Status.DIVERGED)


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
