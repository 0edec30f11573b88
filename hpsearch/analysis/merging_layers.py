"""When the lengths of one tensor, started from several scales of the initial weights, are one length.

merged       the longest |w| is at most 1.2 times the shortest, from there to the end of the run
predicted    the same of the paths that theory solves from each start, with the gradients that the run measured
closed form  where delta is constant over the run: |w|^p comes to its balance as exp(-p delta t), p = 4 (SGD) or 2
             (AdamW); the balance is the mean of log |w| over the last third of the runs

Seeds of one scale are combined by their geometric mean at every step. Steps are interpolated between the traced ones.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np
import pandas as pd

from hpsearch.analysis.momentum_path import momentum_path
from hpsearch.analysis.weight_decay import memory_steps, relaxation_steps
from hpsearch.space.axes import Floats

WITHIN = 1.2
"""The largest over the smallest length of tensors that count as one."""
LAST = 1 / 3
STEADY = 0.01
"""The closed form holds where delta changes by no more than this share of it."""

COLUMNS = (
    *("trial_id", "layer", "step", "size", "rule", "lr", "weight_decay", "momentum"),
    *("weight_norm", "grad_norm"),
)
"""The columns of the dynamics that are used."""


@dataclass(frozen=True)
class Layer:
    """One tensor: when its lengths merged, in steps, None where they never do, or nothing is known of it.

    ``relaxation``  predicted steps of |w|^4 (SGD), the mean over the run; infinite without decay, NaN without theory
    ``effective``   when lr / |w|^2 merged
    ``step`` (m,), ``norms`` and ``paths`` scale -> (m,): |w|, measured and by theory
    """

    name: str
    measured: float | None
    predicted: float | None
    closed_form: float | None
    effective: float | None
    relaxation: float
    step: Floats = field(repr=False)
    norms: Mapping[float, Floats] = field(repr=False)
    paths: Mapping[float, Floats] = field(repr=False)

    @property
    def has_theory(self) -> bool:
        """Whether theory says anything of the rule that the tensor follows."""
        return all(bool(np.isfinite(path).all()) for path in self.paths.values())


def layer(name: str, trials: Mapping[float, Sequence[str]], rows: pd.DataFrame) -> Layer:
    """Return what became of the tensor ``name``: ``rows`` are its dynamics in the ``trials`` of each scale."""
    runs = {str(trial): own.set_index("step") for trial, own in rows.groupby("trial_id")}
    common = sorted(set.intersection(*(set(run.index) for run in runs.values())))
    runs = {trial: run.loc[common] for trial, run in runs.items()}
    step, first = np.array(common, dtype=np.float64), next(iter(runs.values()))
    norms = _means(trials, runs, lambda run: _floats(run, "weight_norm"))
    paths = _means(trials, runs, _path)
    return Layer(
        name=name,
        measured=step_of_merging(step, [*norms.values()]),
        predicted=step_of_merging(step, [*paths.values()]),
        closed_form=_closed_form(first, norms),
        effective=step_of_merging(step, [*norms.values()], math.sqrt(WITHIN)),  # all have the same learning rate
        relaxation=float(relaxation_steps(*_settings(first)).mean()),
        step=step,
        norms=norms,
        paths=paths,
    )


def step_of_merging(step: Floats, curves: Sequence[Floats], within: float = WITHIN) -> float | None:
    """Return from where on all ``curves``, (m,) each and above 0, are within a factor, None where they are not at last.

    The step is interpolated between those of ``step`` (m,), the ratio of the curves taken as exponential.
    """
    logs = np.log(np.stack(curves))
    excess = np.ptp(logs, axis=0) - math.log(within)
    apart = np.flatnonzero(~(excess <= 0))
    if not len(apart):
        return float(step[0])
    last = int(apart[-1])
    if last == len(step) - 1:
        return None
    share = excess[last] / (excess[last] - excess[last + 1])
    return float(step[last] + share * (step[last + 1] - step[last]))


def closed_form(starts: Sequence[float], balance: float, delta: float, power: float) -> float:
    """Return after how many steps lengths from ``starts`` are merged, by a decay ``delta`` above 0.

    |w|^power comes to balance^power as exp(-power delta t); lengths keep their order, so the outermost decide.
    """
    low, high = (end**power / balance**power for end in (min(starts), max(starts)))
    within = WITHIN**power
    if high <= within * low:
        return 0.0
    left = (within - 1) / (high - 1 - within * (low - 1))
    return -math.log(left) / (power * delta)


def _means(
    trials: Mapping[float, Sequence[str]], runs: Mapping[str, pd.DataFrame], curve: Callable[[pd.DataFrame], Floats]
) -> dict[float, Floats]:
    """Return the geometric mean of the runs of each scale."""
    return {
        scale: np.exp(np.mean([np.log(curve(runs[name])) for name in some], axis=0)) for scale, some in trials.items()
    }


def _path(run: pd.DataFrame) -> Floats:
    """Return |w| by theory, from the first length and the gradients of ``run``."""
    norms = _floats(run, "weight_norm")
    gradient = _floats(run, "grad_norm") * norms
    rule, lr, weight_decay, momentum = _settings(run)
    size, step = float(run["size"].iloc[0]), run.index.to_numpy(dtype=np.float64)
    return momentum_path(rule, step, lr, weight_decay, momentum, gradient, size, float(norms[0]))


def _closed_form(run: pd.DataFrame, norms: Mapping[float, Floats]) -> float | None:
    """Return the merging by the closed form, None where delta changes over the run, or where there is no balance."""
    memory, relaxation = memory_steps(*_settings(run)), relaxation_steps(*_settings(run))
    if not np.isfinite(relaxation).all() or np.ptp(memory) > STEADY * memory.mean():
        return None
    last = max(1, round(LAST * len(run)))
    balance = math.exp(fmean(float(np.log(curve[-last:]).mean()) for curve in norms.values()))
    delta, power = 1 / float(memory.mean()), float(memory.mean() / relaxation.mean())
    return closed_form([float(curve[0]) for curve in norms.values()], balance, delta, power)


def _settings(run: pd.DataFrame) -> tuple[str, Floats, Floats, Floats]:
    """Return the rule of a run, learning rate, weight decay and momentum over its steps."""
    return str(run["rule"].iloc[0]), _floats(run, "lr"), _floats(run, "weight_decay"), _floats(run, "momentum")


def _floats(run: pd.DataFrame, column: str) -> Floats:
    return run[column].to_numpy(dtype=np.float64)
