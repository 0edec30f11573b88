"""Optuna's TPE and Gaussian-process samplers as functions of the history.

TPE: J. Bergstra et al., NeurIPS 2011, in the multivariate form of S. Falkner et al., ICML 2018. GP: expected
improvement under a Matern-5/2 kernel (``optuna.samplers.GPSampler``). Both keep away from pending trials.
"""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import optuna
from optuna.samplers import BaseSampler, GPSampler, TPESampler
from optuna.trial import Trial, TrialState

from hpsearch.contract import Config, Value
from hpsearch.samplers.optuna_study import MirroredStudy, asked, real_distribution
from hpsearch.samplers.protocol import Sampler
from hpsearch.seeds import derived_seed
from hpsearch.space.parameters import Choice, Constant, Integer, Parameter
from hpsearch.space.spec import Space
from hpsearch.trial import FinishedTrial, PendingTrial


class OptunaSampler(Sampler):
    """Asks a new Optuna sampler for each trial, seeded by the trial's number, so that nothing is remembered in one."""

    def __init__(self, space: Space) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space = space
        self._mirror = MirroredStudy(space)

    def suggest(self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial], number: int) -> Config:
        """Return the sampler's suggestion given exactly these trials."""
        study = self._mirror.sync(history, pending)
        study.sampler = self._new_sampler(number)
        trial = study.ask()
        with np.errstate(invalid="ignore"):  # GPSampler divides 0 by 0 where all candidates are equal, and copes
            config = self._space.config(lambda name, parameter: _suggest(trial, name, parameter))
        study.tell(trial, state=TrialState.FAIL)  # out of sight; the trial comes back as pending, if it is run
        return config

    def _new_sampler(self, number: int) -> BaseSampler:
        seed = derived_seed(self._space.seed, "optuna", number)
        startup = self._space.sampler.startup_trials
        options: dict[str, Any] = {} if startup is None else {"n_startup_trials": startup}
        if self._space.sampler.name == "gp":
            return GPSampler(seed=seed, warn_independent_sampling=False, **options)
        return TPESampler(seed=seed, **options)


def _suggest(trial: Trial, name: str, parameter: Parameter) -> Value:
    if isinstance(parameter, Constant):
        return parameter.value
    if isinstance(parameter, Choice):
        return parameter.canonical(cast(Value, trial.suggest_categorical(name, parameter.values)))
    if isinstance(parameter, Integer):
        log = parameter.scale == "log"
        return trial.suggest_int(name, parameter.low, parameter.high, step=parameter.step, log=log)
    known = real_distribution(parameter)
    return asked(parameter, trial.suggest_float(name, known.low, known.high, step=known.step, log=known.log))
