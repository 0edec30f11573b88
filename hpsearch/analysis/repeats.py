"""Settings that were run more than once: means over their trials, and how far these can be trusted."""

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hpsearch.contract import Config
from hpsearch.store.reader import Study
from hpsearch.trial import FinishedTrial, Key, Status, key


@dataclass(frozen=True)
class Repeated:
    """The completed trials of one configuration.

    ``mean``, ``std``  of the objective; the deviation of one trial (n - 1 in the denominator) is None for one trial
    ``metrics``  mean of each metric that all of the trials report at their end
    ``train_seconds``  mean time of a trial inside the training function
    """

    config: Config
    trials: tuple[str, ...]
    mean: float
    std: float | None
    metrics: Mapping[str, float]
    train_seconds: float

    @property
    def n(self) -> int:
        """How many trials there are."""
        return len(self.trials)

    @property
    def standard_error(self) -> float | None:
        """The standard deviation of the mean, None for one trial."""
        return None if self.std is None else self.std / math.sqrt(self.n)

    def to_json(self) -> dict[str, Any]:
        """Return plain data for strict JSON; means that are not finite become None."""
        metrics = {name: mean if math.isfinite(mean) else None for name, mean in self.metrics.items()}
        return {**asdict(self), "n": self.n, "standard_error": self.standard_error, "metrics": metrics}


def by_setting(study: Study) -> tuple[Repeated, ...]:
    """Return the completed trials of ``study`` that have an objective by their configuration, best mean first."""
    groups: dict[Key, list[FinishedTrial]] = {}
    for trial in study.history:
        if trial.final is not None:
            groups.setdefault(trial.key, []).append(trial)
    settings = (_repeated(trials) for trials in groups.values())
    return tuple(sorted(settings, key=lambda setting: study.space.objective.loss(setting.mean)))


def losses_by_setting(study: Study) -> dict[Key, list[float]]:
    """Return the losses of the full runs of each setting, both in the order in which they were run."""
    runs: dict[Key, list[float]] = defaultdict(list)
    for trial in study.history:
        if trial.final is not None:
            runs[trial.key].append(study.space.objective.loss(trial.final))
    return runs


def by_stability(study: Study) -> tuple[tuple[Repeated, ...], tuple[Repeated, ...]]:
    """Return the settings of ``study`` of which every full run came to a result, and the others; best mean first."""
    diverged = {trial.key for trial in study.history if trial.status is Status.DIVERGED and trial.schedule is None}
    settings = by_setting(study)
    stable = tuple(setting for setting in settings if key(setting.config) not in diverged)
    return stable, tuple(setting for setting in settings if key(setting.config) in diverged)


def any_repeated(settings: Sequence[Repeated]) -> bool:
    """Tell whether a mean says more than its trial does."""
    return any(setting.n > 1 for setting in settings)


def varying(settings: Sequence[Repeated]) -> list[str]:
    """Return the parameters in which the settings differ, in their order; absent differs from every value."""
    names = dict.fromkeys(name for setting in settings for name in setting.config)
    return [name for name in names if len({(name in one.config, one.config.get(name)) for one in settings}) > 1]


def _repeated(trials: Sequence[FinishedTrial]) -> Repeated:
    values = [trial.final for trial in trials if trial.final is not None]
    shared = [name for name in trials[0].metrics if all(name in trial.metrics for trial in trials)]
    return Repeated(
        config=trials[0].config,
        trials=tuple(trial.trial_id for trial in trials),
        mean=statistics.fmean(values),
        std=statistics.stdev(values) if len(values) > 1 else None,
        metrics={name: statistics.fmean(trial.metrics[name] for trial in trials) for name in shared},
        train_seconds=statistics.fmean(trial.train_seconds for trial in trials),
    )
