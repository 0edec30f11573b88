"""A history of trials as an Optuna study, told so that Optuna's samplers learn what really happened.

=====================  ==========================================================================================
trial                  in the study
=====================  ==========================================================================================
pending                RUNNING
completed              COMPLETE with its objective
stopped                PRUNED with its whole curve, so that it is not mistaken for a final value
diverged, no value     COMPLETE with the worst value of all trials, and a violated constraint
failed                 absent: a crash says nothing about the setting
=====================  ==========================================================================================
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.study import StudyDirection
from optuna.trial import Trial, TrialState, create_trial

from hpsearch.contract import Value
from hpsearch.space.parameters import Choice, Constant, Integer, Real
from hpsearch.space.spec import Space
from hpsearch.trial import FinishedTrial, PendingTrial, Status


@dataclass(frozen=True)
class Outcome:
    """What a study is told of one trial."""

    state: TrialState
    value: float | None
    curve: dict[int, float]
    constraints: dict[str, float]


class MirroredStudy:
    """Keeps a study equal to the latest history and pending trials, in the order of their numbers.

    Building a study anew costs 0.1 ms per trial, so the study of the last call is extended where it can be; the
    result is the same, apart from trials in state FAIL, which no sampler looks at.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._clear(None)

    def sync(self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial]) -> optuna.Study:
        """Return a study that holds exactly these trials."""
        known = [trial for trial in history if trial.status is not Status.FAILED]
        trials = {trial.number: trial for trial in sorted([*pending, *known], key=lambda trial: trial.number)}
        penalty = self._penalty(known)
        if penalty != self._told_penalty or not self._can_extend(trials):
            self._clear(penalty)
        for number in [number for number in self._told if number not in trials]:
            self._study.tell(self._position[number], state=TrialState.FAIL)
            del self._told[number]
        for trial in trials.values():
            self._tell(trial)
        return self._study

    def _clear(self, penalty: float | None) -> None:
        minimize = self._space.objective.mode == "min"
        direction = StudyDirection.MINIMIZE if minimize else StudyDirection.MAXIMIZE
        self._study = optuna.create_study(direction=direction, sampler=optuna.samplers.RandomSampler(seed=0))
        self._told: dict[int, PendingTrial] = {}
        self._position: dict[int, int] = {}  # number of a trial -> its number in the study
        self._told_penalty = penalty

    def _can_extend(self, trials: dict[int, PendingTrial]) -> bool:
        """Tell whether nothing that was told has to be taken back, and nothing comes before what was told."""
        last = max(self._position, default=-1)
        new_at_the_end = all(number in self._told or number > last for number in trials)
        return new_at_the_end and all(_may_become(old, trials.get(number)) for number, old in self._told.items())

    def _tell(self, trial: PendingTrial) -> None:
        old = self._told.get(trial.number)
        if old is None:
            self._add(trial)
        elif isinstance(trial, FinishedTrial) and not isinstance(old, FinishedTrial):
            self._finish(trial)
        self._told[trial.number] = trial

    def _add(self, trial: PendingTrial) -> None:
        outcome = self._outcome(trial)
        parameters = {name: self._space.parameters[name] for name in trial.config}
        searched = {name: parameter for name, parameter in parameters.items() if not isinstance(parameter, Constant)}
        frozen = create_trial(
            state=outcome.state,
            value=outcome.value,
            params={name: told(parameter, trial.config[name]) for name, parameter in searched.items()},
            distributions={name: distribution(parameter) for name, parameter in searched.items()},
            intermediate_values=outcome.curve,
            constraints=outcome.constraints,
        )
        self._position[trial.number] = len(self._study.get_trials(deepcopy=False))
        self._study.add_trial(frozen)

    def _finish(self, trial: FinishedTrial) -> None:
        outcome, position = self._outcome(trial), self._position[trial.number]
        running = Trial(self._study, self._study.get_trials(deepcopy=False)[position]._trial_id)
        for epoch, value in outcome.curve.items():
            running.report(value, epoch)
        for name, violation in outcome.constraints.items():
            running.set_constraint(name, violation)
        self._study.tell(running, outcome.value, state=outcome.state)

    def _outcome(self, trial: PendingTrial) -> Outcome:
        if not isinstance(trial, FinishedTrial):
            return Outcome(TrialState.RUNNING, None, {}, {})
        curve = {epoch: value for epoch, value in trial.curve if math.isfinite(value)}
        constraints = {} if self._told_penalty is None else {"diverged": float(is_diverged(trial))}
        if is_diverged(trial):
            return Outcome(TrialState.COMPLETE, self._told_penalty, curve, constraints)
        if trial.status is Status.STOPPED:
            return Outcome(TrialState.PRUNED, None, curve, constraints)
        return Outcome(TrialState.COMPLETE, trial.objective, curve, constraints)

    def _penalty(self, history: Sequence[FinishedTrial]) -> float | None:
        """Return the value to tell for diverged trials, None where there are none."""
        if not any(is_diverged(trial) for trial in history):
            return None
        worst = max if self._space.objective.mode == "min" else min
        values = (trial.objective for trial in history if trial.objective is not None and not is_diverged(trial))
        return worst(values, default=0.0)


def is_diverged(trial: FinishedTrial) -> bool:
    """Tell whether a trial diverged, which one without a finite objective did too."""
    return trial.status is Status.DIVERGED or trial.objective is None or not math.isfinite(trial.objective)


def distribution(parameter: Real | Integer | Choice) -> BaseDistribution:
    """Return the Optuna distribution of a searched parameter."""
    if isinstance(parameter, Choice):
        return CategoricalDistribution(parameter.values)
    if isinstance(parameter, Integer):
        return IntDistribution(parameter.low, parameter.high, log=parameter.scale == "log", step=parameter.step)
    return real_distribution(parameter)


def real_distribution(parameter: Real) -> FloatDistribution:
    """Return the Optuna distribution of a real, on a log1m scale, which Optuna does not know, that of 1 - x."""
    if parameter.scale == "log1m":
        return FloatDistribution(1 - parameter.high, 1 - parameter.low, log=True)
    return FloatDistribution(parameter.low, parameter.high, log=parameter.scale == "log", step=parameter.step)


def told(parameter: Real | Integer | Choice, value: Value) -> Value:
    """Return a ``value`` of the space as the study has it."""
    canonical = parameter.canonical(value)
    return 1 - float(canonical) if _is_log1m(parameter) else canonical


def asked(parameter: Real, value: float) -> float:
    """Return a ``value`` of the study as the space has it; rounding must not take it out of its range."""
    if _is_log1m(parameter):
        return min(max(1 - value, parameter.low), parameter.high)
    return parameter.canonical(value)


def _is_log1m(parameter: Real | Integer | Choice) -> bool:
    return isinstance(parameter, Real) and parameter.scale == "log1m"


def _may_become(old: PendingTrial, new: PendingTrial | None) -> bool:
    if isinstance(old, FinishedTrial):
        return new is old or new == old
    return new is None or new.config == old.config
