"""Which parameters the results of a study hang on, and how sure that is: ``forest.py`` over the settings of a study.

results  the ranks of the settings by their mean loss, so that neither a few hopeless ones nor the unit of the objective
         decide; settings that diverged share the last rank; stopped and failed trials and those of a shorter schedule
         are left out. Repeats are one result: as several they would look like evidence for all that they share
places   of the values in the unit interval, on the scale of their parameter; a choice without an order is a category
absent   a parameter that some settings do not have is judged among those that have it
share    the median over forests of all settings with shuffled copies of the parameters beside them
chance   the 97.5% quantile of the share of the copy: where the share is larger, chance alone would hardly do as much.
         Simulated with two parameters: an idle one is beyond it in 0% to 8% of studies of 12 and of 24 settings; one
         that makes 85% of the variance, by a parabola, in 60% of those of 12 settings, and in all of 24
interval of the share over bootstrap samples of the settings, 90%

A share is no effect: where a search stays near good values of a parameter, the parameter looks unimportant.
"""

import math
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hpsearch.analysis.forest import Mask, shares_and_shadows
from hpsearch.analysis.search_health import Kind, kind_of
from hpsearch.contract import Config
from hpsearch.errors import Problem, StudyError
from hpsearch.samplers.cube import Cube
from hpsearch.space.axes import Floats
from hpsearch.statistics.ranks import ranks
from hpsearch.store.reader import Study
from hpsearch.trial import Key

LEAST_RESULTS = 10
MOST_RESULTS = 500
"""Of more results, so many are drawn: the intervals are narrow by then, and the forests slow."""

ROUNDS = 40
CHANCE = 0.975
"""Quantile of the shares of a shuffled copy that the share of a parameter has to pass."""


@dataclass(frozen=True)
class Importance:
    """The share of a parameter with its 90% interval, and what ``chance`` reaches, 0 to 1; among ``settings``."""

    name: str
    share: float
    low: float
    high: float
    chance: float
    settings: int

    @property
    def shown(self) -> bool:
        """Whether chance alone would hardly do as much."""
        return self.share > self.chance


@dataclass(frozen=True)
class Importances:
    """The parameters of a study, the most important first.

    ``settings`` counts those with a result, ``left_out`` the others: stopped or failed, or trained for a shorter
    schedule only.
    """

    settings: int
    left_out: int
    parameters: tuple[Importance, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain data for strict JSON."""
        return {
            "settings": self.settings,
            "parameters": [asdict(one) | {"shown": one.shown} for one in self.parameters],
        }


@dataclass(frozen=True)
class _Results:
    """Places of n settings in the unit cube, (n, d), NaN for a parameter that a setting does not have; ranks, (n,)."""

    names: list[str]
    unordered: Mask
    points: Floats
    ranks: Floats

    def restricted(self, rows: Mask) -> "_Results":
        """Return some of the settings, with the parameters that all of these have and that vary among them."""
        points = self.points[rows]
        columns = ~np.isnan(points).any(axis=0) & (points != points[:1]).any(axis=0)
        names = [name for name, kept in zip(self.names, columns, strict=True) if kept]
        return _Results(names, self.unordered[columns], points[:, columns], self.ranks[rows])


def importances(study: Study, rounds: int = ROUNDS) -> Importances:
    """Return how important the searched parameters of ``study`` were among its settings.

    Raises StudyError for fewer than 10 settings with a result, and for results that are all equal.
    """
    results = _results(study)
    found = [
        one
        for rows in np.unique(~np.isnan(results.points), axis=1).T
        if rows.sum() >= LEAST_RESULTS
        for one in _among(rows, results, rounds)
    ]
    left_out = len({trial.key for trial in study.history}) - len(_runs(study))
    return Importances(len(results.ranks), left_out, tuple(sorted(found, key=lambda one: -one.share)))


def _results(study: Study) -> _Results:
    losses = [(config, math.fsum(runs) / len(runs)) for config, runs in _runs(study)]
    different = len({loss for _, loss in losses})
    if len(losses) < LEAST_RESULTS or different < 2:
        what = f"importance needs at least {LEAST_RESULTS} settings with a result, and results that differ"
        got = f"{len(losses)} in the study '{study.name}', {different} of them different"
        raise StudyError(Problem(what, got=got))
    if len(losses) > MOST_RESULTS:
        chosen = np.random.default_rng(0).choice(len(losses), MOST_RESULTS, replace=False)
        losses = [losses[place] for place in sorted(chosen)]
    cube = Cube(study.space)
    points = cube.points([config for config, _ in losses])
    return _Results(cube.names, cube.unordered, points, ranks([loss for _, loss in losses]))


def _runs(study: Study) -> list[tuple[Config, list[float]]]:
    """Return the settings with the losses of their full runs, infinite where one diverged."""
    configs: dict[Key, Config] = {}
    losses: dict[Key, list[float]] = defaultdict(list)
    for trial in study.history:
        kind = kind_of(trial)
        if trial.schedule is None and kind in (Kind.COMPLETED, Kind.DIVERGED):
            configs.setdefault(trial.key, trial.config)
            final = trial.final if kind is Kind.COMPLETED else None
            losses[trial.key].append(math.inf if final is None else study.space.objective.loss(final))
    return [(configs[key], runs) for key, runs in losses.items()]


def _among(rows: Mask, results: _Results, rounds: int) -> list[Importance]:
    """Return the importance of the parameters that exist in these settings and in no others."""
    part = results.restricted(rows)
    own = [name for name, has in zip(results.names, ~np.isnan(results.points.T), strict=True) if (has == rows).all()]
    if not part.names or part.ranks.min() == part.ranks.max():
        return []
    shares, shadows = shares_and_shadows(part.points, part.ranks, part.unordered, rounds)
    resampled, _ = shares_and_shadows(part.points, part.ranks, part.unordered, rounds, resampled=True)
    share, chance = np.median(shares, axis=0), np.quantile(shadows, CHANCE, axis=0)
    low, high = np.quantile(resampled, [0.05, 0.95], axis=0)
    return [
        Importance(name, float(share[j]), float(low[j]), float(high[j]), float(chance[j]), len(part.ranks))
        for j, name in enumerate(part.names)
        if name in own
    ]
