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

    Completed trials count with their objective, diverged ones with the worst there is. A stopped one counts as what
    became of the completed trial that was nearest to it at the epoch at which it was stopped; where none got there, it
    is left out. A failed one says nothing.
    """

    def __init__(self, space: Space) -> None:
        self.cube = Cube(space)
        self._objective = space.objective
        self._last: tuple[tuple[object, ...], Surrogate | None] = ((), None)

    def fit(self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial] = ()) -> Surrogate | None:
        """Return the posterior given ``history``, None before there are two results that differ.

        Trials that are ``pending`` count with what is expected of them, so that they are not proposed again.
        """
        results = (trial for trial in history if trial.status is not Status.FAILED)
        trials = sorted(results, key=lambda trial: trial.number)
        told = tuple((trial.number, trial.config, trial.status, trial.objective) for trial in trials)
        if told != self._last[0]:
            self._last = (told, self._fitted(trials))
        surrogate = self._last[1]
        if surrogate is None or not pending:
            return surrogate
        running = sorted(pending, key=lambda trial: trial.number)
        return surrogate.assuming(self.inputs(self.cube.points([trial.config for trial in running])))

    def inputs(self, points: Floats) -> Floats:
        """Return ``points`` as the process sees them."""
        return np.nan_to_num(points, nan=ABSENT)

    def _fitted(self, trials: Sequence[FinishedTrial]) -> Surrogate | None:
        completed = [trial for trial in trials if trial.final is not None and math.isfinite(trial.final)]
        losses = [(trial.config, self._loss(trial, completed)) for trial in trials]
        known = [(config, loss) for config, loss in losses if loss is not None]
        worst = max((loss for _, loss in known if loss < math.inf), default=0.0)
        values = np.array([min(loss, worst) for _, loss in known])
        if len(np.unique(values)) < 2:
            return None
        points = self.inputs(self.cube.points([config for config, _ in known]))
        return Surrogate.fit(points, (values - values.mean()) / values.std(), self.cube.unordered)

    def _loss(self, trial: FinishedTrial, completed: Sequence[FinishedTrial]) -> float | None:
        """Return what a trial counts as: infinite for the worst there is, None where it says nothing."""
        match trial.status:
            case Status.STOPPED:
                final = _end_of_the_nearest(trial, completed)
                return None if final is None else self._objective.loss(final)
            case _:
                final = trial.final
                return math.inf if final is None or not math.isfinite(final) else self._objective.loss(final)


def _end_of_the_nearest(stopped: FinishedTrial, completed: Sequence[FinishedTrial]) -> float | None:
    """Return the final objective of the completed trial that was nearest at the last epoch of ``stopped``."""
    epoch, value = next(reversed(stopped.curve), (0, 0.0))
    there = [(abs(dict(trial.curve)[epoch] - value), trial.final) for trial in completed if epoch in dict(trial.curve)]
    return min(there, default=(0.0, None))[1]
