"""What one finished study teaches: its completed trials under names that all studies share.

These are rate and tau where the run is known well enough for them, else lr and weight_decay; batch_size and momentum;
other parameters by their own names.

n   completed trials of the study, best first       J   settings of other studies
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hpsearch.contract import Config
from hpsearch.errors import Problem, StudyError
from hpsearch.space.axes import Floats, natural, scale_of
from hpsearch.space.coordinate_spec import CoordinateSpec
from hpsearch.space.numeric import RealScale
from hpsearch.space.parameters import Integer, Real
from hpsearch.space.prior_spec import Belief
from hpsearch.space.spec import Space
from hpsearch.space.translation import Translation
from hpsearch.space.values import is_number
from hpsearch.store.reader import Study

LEAST_TRIALS = 5
"""Completed trials without which a study teaches nothing."""
CLOSE = 0.1
"""A setting is good within this share of the way from the best loss of a study to its median."""
LEAST_GOOD, MOST_GOOD = 3, 0.2
"""The good settings are so many at least, and this share of all at most."""
LEAST_FACTOR = 1.5
"""No spread is narrower: the next problem is another."""
LEAST_SHARE = 1 / 16
"""The same for what is on a linear scale, as a share of its range."""
DIGITS = 4

COMMON = CoordinateSpec()
"""The names that the roles have in a learnt prior."""


@dataclass(frozen=True)
class Lesson:
    """The completed trials of a study, best first: ``losses`` (n,) and n ``settings`` under the common names."""

    study: Study
    losses: Floats
    settings: tuple[Config, ...]

    @classmethod
    def of(cls, study: Study) -> "Lesson":
        """Read the trials of ``study``; raises StudyError where they are too few."""
        loss = study.space.objective.loss
        ended = [(loss(trial.final), trial.config) for trial in study.history if trial.final is not None]
        ranked = sorted((one for one in ended if math.isfinite(one[0])), key=lambda one: one[0])
        if len(ranked) < LEAST_TRIALS:
            what = f"the study has {len(ranked)} completed trials, too few to learn from"
            raise StudyError(Problem(what, file=study.folder, allowed=f"{LEAST_TRIALS} or more"))
        losses = np.array([loss for loss, _ in ranked])
        return cls(study, losses, tuple(common(study.space, config) for _, config in ranked))

    @cached_property
    def numbers(self) -> dict[str, Floats]:
        """The settings as columns (n,) on their natural scales, NaN where one has no value there."""
        names = dict.fromkeys(name for setting in self.settings for name in setting)
        columns = {name: np.array([self.number(name, setting) for setting in self.settings]) for name in names}
        return {name: column for name, column in columns.items() if np.unique(column[np.isfinite(column)]).size > 1}

    def number(self, name: str, setting: Config) -> float:
        """Return a value on its natural scale, NaN where there is none."""
        value = setting.get(name)
        found = natural(float(value), self.scale(name)) if is_number(value) else math.nan
        return found if math.isfinite(found) else math.nan

    def scale(self, name: str) -> RealScale:
        """Return the natural scale of a parameter or coordinate."""
        return scale_of(name, self.study.space.parameters.get(name), COMMON)

    @property
    def good(self) -> int:
        """How many of the settings, from the best on, are good."""
        close = self.losses <= self.losses[0] + CLOSE * (np.median(self.losses) - self.losses[0])
        return max(LEAST_GOOD, min(int(close.sum()), int(MOST_GOOD * len(self.losses))))

    def beliefs(self) -> dict[str, Belief]:
        """Return where the good settings lie; the better ones weigh more, by the logarithms of their ranks."""
        found = {name: self._belief(name, column[: self.good]) for name, column in self.numbers.items()}
        return {name: belief for name, belief in found.items() if belief is not None}

    def regrets(self, settings: Sequence[Config]) -> Floats:
        """Return what the trial nearest to each setting lost, shape (J,): 0 for the best, 1 for the median of trials.

        It is 1 where a setting has nothing in common with the study.
        """
        spread = float(np.median(self.losses) - self.losses[0]) or 1.0
        nearest = [self._nearest(setting) for setting in settings]
        return np.array([1.0 if one is None else (self.losses[one] - self.losses[0]) / spread for one in nearest])

    def _belief(self, name: str, good: Floats) -> Belief | None:
        weights = math.log(self.good + 0.5) - np.log(np.arange(1, self.good + 1))
        known = np.isfinite(good)
        if known.sum() < LEAST_GOOD:
            return None
        centre = float(np.average(good[known], weights=weights[known]))
        spread = float(np.cov(good[known], aweights=weights[known])) ** 0.5
        if self.scale(name) == "linear":
            return Belief(centre=rounded(centre), spread=rounded(max(spread, self._least_spread(name))))
        value = -math.expm1(centre) if self.scale(name) == "log1m" else math.exp(centre)
        return Belief(centre=rounded(value), spread=rounded(max(math.exp(spread), LEAST_FACTOR)))

    def _least_spread(self, name: str) -> float:
        parameter = self.study.space.parameters[name]
        ends = (parameter.low, parameter.high) if isinstance(parameter, Real | Integer) else self._seen(name)
        return LEAST_SHARE * (ends[1] - ends[0])

    def _seen(self, name: str) -> tuple[float, float]:
        return float(np.nanmin(self.numbers[name])), float(np.nanmax(self.numbers[name]))

    def _nearest(self, setting: Config) -> int | None:
        """Return the position of the trial nearest to ``setting``, each number in units of its standard deviation."""
        shared = [(column, self.number(name, setting)) for name, column in self.numbers.items() if name in setting]
        away = [np.nan_to_num((column - number) / np.nanstd(column)) ** 2 for column, number in shared]
        return int(np.sum(away, axis=0).argmin()) if away else None


def common(space: Space, config: Config) -> Config:
    """Return a configuration of ``space`` under the common names: the roles, and the other searched parameters."""
    found, spec = Translation.of(space).quantities(config), space.coordinates
    roles: dict[str, float | None] = {"batch_size": found.batch_size, "momentum": found.momentum}
    roles |= {"rate": found.rate} if found.rate is not None else {"lr": found.lr}
    finite = found.tau is not None and math.isfinite(found.tau)
    roles |= {"tau": found.tau} if finite else {"weight_decay": found.weight_decay}
    own = {spec.lr, spec.weight_decay, spec.batch_size, spec.momentum, spec.rate, spec.tau}
    others = {name: value for name, value in config.items() if name in space.searched and name not in own}
    return {**{name: value for name, value in roles.items() if value is not None}, **others}


def rounded(x: float) -> float:
    """Return ``x`` as it is written to a file for people."""
    return float(f"{x:.{DIGITS}g}")
