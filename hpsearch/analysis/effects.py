"""What each parameter of a two-level factorial design does to the objective, by least squares.

n      completed trials          k   parameters
level  +1 where a parameter has the first of its two values ("with"), -1 where it has the second ("without")
y = b0 + sum_j b_j level_j + residual; the effect of parameter j, with minus without, is 2 b_j

An effect is an average over the settings of the other parameters. The residuals have n - k - 1 degrees of freedom and
hold the interactions of parameters beside the noise of the seeds, so the intervals are too wide rather than too narrow.
G. E. P. Box, J. S. Hunter, W. G. Hunter, Statistics for Experimenters, 2nd ed. (2005), chapters 5 and 6.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit

from hpsearch.analysis.means import CONFIDENCE
from hpsearch.errors import Problem, StudyError
from hpsearch.space.factorial import factors, resolution_of
from hpsearch.store.reader import Study

POWER = 0.8
LEAST_FREEDOM = 3
"""Fewer degrees of freedom say too little about the noise."""

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Fit:
    """A least-squares fit: ``effects`` and their ``standard_errors``, shape (k,), and the std of the residuals."""

    effects: Floats
    standard_errors: Floats
    residual_std: float
    freedom: int


@dataclass(frozen=True)
class Effect:
    """The effect of one parameter with its 95% interval; ``n_with`` and ``n_without`` count completed trials."""

    name: str
    effect: float
    standard_error: float
    low: float
    high: float
    p_value: float
    n_with: int
    n_without: int

    def verdict(self, mode: str) -> str:
        """Say whether the first value ``helps`` or ``hurts`` an objective of this mode, or neither is shown."""
        if self.low <= 0 <= self.high:
            return "not shown"
        return "helps" if (self.effect > 0) == (mode == "max") else "hurts"


@dataclass(frozen=True)
class Effects:
    """The effects of a study, the most helpful first; ``mean`` is over its trials, ``residual_std`` that of one trial.

    ``left_out`` counts the trials without a result, by status. An effect of the size ``shows``, which is ``tails``
    standard errors, has a chance of 80% to be shown.
    """

    metric: str
    mode: str
    resolution: int | None
    n: int
    left_out: Mapping[str, int]
    mean: float
    residual_std: float
    freedom: int
    tails: float
    shows: float
    effects: tuple[Effect, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain data for strict JSON."""
        return asdict(self)


def effects(study: Study, scale: float = 1.0) -> Effects:
    """Return the effects in a study of a factorial design, in units of its objective times ``scale``.

    Trials that diverged, failed or were stopped have no result to compare and are left out. Raises StudyError where
    the others are too few, or do not tell the parameters apart.
    """
    objective = study.space.objective
    names, levels, values = _results(study)
    found = fit(levels, scale * values)
    tails = float(stdtrit(found.freedom, [(1 + CONFIDENCE) / 2, POWER]).sum())
    return Effects(
        metric=objective.metric,
        mode=objective.mode,
        resolution=resolution_of(study.space),
        n=len(values),
        left_out=Counter(str(trial.status) for trial in study.history if trial.final is None),
        mean=scale * float(values.mean()),
        residual_std=found.residual_std,
        freedom=found.freedom,
        tails=tails,
        shows=tails * float(found.standard_errors.max()),
        effects=tuple(sorted(_each(names, levels, found), key=lambda one: objective.loss(one.effect))),
    )


def fit(levels: Floats, values: Floats) -> Fit:
    """Fit ``values``, shape (n,), to ``levels``, +1 or -1, shape (n, k).

    Raises StudyError where ``levels`` do not determine the effects.
    """
    n, k = levels.shape
    model = np.column_stack([np.ones(n), levels])
    coefficients, _, rank, _ = np.linalg.lstsq(model, values)
    if rank < k + 1:
        what = "the completed trials do not tell the parameters apart: some were always switched together"
        raise StudyError(Problem(what, hint="complete the design: run the failed trials again, or add trials"))
    freedom = n - k - 1
    residuals = values - model @ coefficients
    residual_std = float(np.sqrt(residuals @ residuals / freedom))
    variances: Floats = np.diag(np.linalg.inv(model.T @ model))[1:]  # of the coefficients, where that of y is 1
    return Fit(2 * coefficients[1:], 2 * residual_std * np.sqrt(variances), residual_std, freedom)


def _results(study: Study) -> tuple[list[str], Floats, Floats]:
    """Return the parameters, their levels in the trials with a result, shape (n, k), and the results, shape (n,)."""
    space = study.space
    first = {name: choice.values[0] for name, choice in factors(space.parameters, space.sampler.design_runs).items()}
    results = [(trial.config, trial.final) for trial in study.history if trial.final is not None]
    _check_enough(study, len(results), len(first))
    levels = [[1.0 if config[name] == one else -1.0 for name, one in first.items()] for config, _ in results]
    return list(first), np.array(levels), np.array([result for _, result in results])


def _each(names: Sequence[str], levels: Floats, found: Fit) -> list[Effect]:
    half = stdtrit(found.freedom, (1 + CONFIDENCE) / 2) * found.standard_errors
    columns = zip(names, levels.T, found.effects, found.standard_errors, half, strict=True)
    return [
        Effect(
            name=name,
            effect=float(effect),
            standard_error=float(error),
            low=float(effect - half),
            high=float(effect + half),
            p_value=_p_value(float(effect), float(error), found.freedom),
            n_with=int((column > 0).sum()),
            n_without=int((column < 0).sum()),
        )
        for name, column, effect, error, half in columns
    ]


def _p_value(effect: float, error: float, freedom: int) -> float:
    """Return the probability of an effect at least this large where there is none."""
    if error == 0:  # the residuals are exactly 0
        return float(effect == 0)
    return float(2 * stdtr(freedom, -abs(effect) / error))


def _check_enough(study: Study, trials: int, parameters: int) -> None:
    needed = parameters + 1 + LEAST_FREEDOM
    if trials < needed:
        what = "too few trials have a result to estimate the effects"
        ended = len(study.history) >= study.space.budget.trials
        more = f"`hpsearch extend {study.name} --trials N`" if ended else f"`hpsearch resume {study.name}`"
        allowed = f"at least {needed} for {parameters} parameters"
        raise StudyError(Problem(what, got=f"{trials} trials", allowed=allowed, hint=f"go on with {more}"))
