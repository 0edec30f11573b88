"""The traced trials of a study that can be compared with each other: full runs that came to their end."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

import pandas as pd

from hpsearch.contract import Config
from hpsearch.errors import Problem, StudyError, listed
from hpsearch.store.dynamics import read_dynamics, traced
from hpsearch.store.reader import Study
from hpsearch.trial import FinishedTrial, Key, Status

ACCURACY = "val_accuracy"


class NothingToCompareError(StudyError):
    """No trials of the study can be compared by their dynamics."""


@dataclass(frozen=True)
class TracedTrials:
    """``trials`` in order of their numbers; ``left_out`` counts the other ones by the reason."""

    trials: tuple[FinishedTrial, ...]
    left_out: Mapping[str, int]


def traced_trials(study: Study) -> TracedTrials:
    """Return the traced trials that ran to the end of a full run. Raises NothingToCompareError where there is none."""
    known = set(traced(study))
    reasons = [_reason(trial, known) for trial in study.history]
    kept = tuple(trial for trial, reason in zip(study.history, reasons, strict=True) if reason is None)
    left_out = Counter(reason for reason in reasons if reason is not None)
    if not kept:
        what = "no traced trial of the study came to the end of a full run"
        raise NothingToCompareError(Problem(what, file=study.folder, got=counted(left_out)))
    return TracedTrials(kept, left_out)


def counted(reasons: Mapping[str, int]) -> str:
    """Return counts in words."""
    return listed([f"{n} {reason}" for reason, n in reasons.items()])


def invariant_rows(study: Study, trials: Iterable[FinishedTrial], columns: Sequence[str]) -> pd.DataFrame:
    """Return the dynamics of ``trials`` at the tensors that theory is about, those whose length changes nothing.

    Raises NothingToCompareError where there is no such tensor.
    """
    rows = read_dynamics(study, [trial.trial_id for trial in trials], columns, invariant=True)
    if rows.empty:
        what = "none of the traced tensors is scale invariant, so theory says nothing about them"
        hint = "trace: {layers: all} records those before a normalisation as well"
        raise NothingToCompareError(Problem(what, file=study.folder, hint=hint))
    return rows


def alike(trials: Iterable[FinishedTrial], but: str) -> list[tuple[Config, list[FinishedTrial]]]:
    """Divide ``trials`` into those that have the same setting apart from the parameter ``but``, each with the rest."""
    found: dict[Key, list[FinishedTrial]] = {}
    for trial in trials:
        found.setdefault(tuple(item for item in trial.key if item[0] != but), []).append(trial)
    return [({name: value for name, value in some[0].config.items() if name != but}, some) for some in found.values()]


def result_metric(study: Study, trials: Iterable[FinishedTrial]) -> str:
    """Return by which metric runs are compared: the accuracy where all have it, else the objective."""
    return ACCURACY if all(ACCURACY in trial.metrics for trial in trials) else study.space.objective.metric


def result(trial: FinishedTrial, metric: str) -> float:
    """Return ``metric`` at the end of a trial that came to its end."""
    found = trial.metrics.get(metric, trial.objective)
    if found is None:
        raise ValueError(f"trial {trial.number} has no {metric}")
    return found


def _reason(trial: FinishedTrial, known: Set[str]) -> str | None:
    """Return why a trial is left out, None where it is not."""
    if trial.status is not Status.COMPLETED or trial.objective is None:
        return str(trial.status)
    if trial.schedule is not None:
        return "shorter run"
    return None if trial.trial_id in known else "not traced"
