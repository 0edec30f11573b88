"""How well a search went, whatever it found: what its trials came to, what they cost, and whether it is exhausted."""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from hpsearch.analysis.next_step import next_step
from hpsearch.analysis.progress import Progress, progress
from hpsearch.analysis.summary import Edge, State, summarise
from hpsearch.analysis.tied import LEAST_TRIALS
from hpsearch.analysis.variance_components import VarianceComponents, variance_components
from hpsearch.errors import Problem, StudyError
from hpsearch.store.reader import Study
from hpsearch.trial import FinishedTrial, Key, Status


class Kind(StrEnum):
    """What a trial came to."""

    COMPLETED = "completed"
    """A full run."""
    SHORTER = "shorter"
    """A complete run of a shorter schedule, as it was meant to be."""
    STOPPED = "stopped"
    DIVERGED = "diverged"
    """Also one that ran to its end without a finite objective."""
    FAILED = "failed"


WASTED = (Kind.STOPPED, Kind.DIVERGED, Kind.FAILED)
"""What has no result to compare."""


@dataclass(frozen=True)
class Share:
    """Trials of one kind, and the seconds that they were in the training function."""

    trials: int
    seconds: float


@dataclass(frozen=True)
class Health:
    """The state of a search.

    ``shares``     every kind of trial
    ``failures``   type and message of what failed trials raised -> how many of them
    ``diverging``  settings of which a run diverged
    ``unsteady``   settings of which some runs completed and others diverged
    ``edges``      parameters whose best value lies near a bound
    ``noise``      None where no setting has two results
    ``progress``   None for a grid or a design, which do not look for anything, and for too few settings
    """

    name: str
    state: State
    metric: str
    mode: str
    shares: Mapping[Kind, Share]
    failures: Mapping[str, int]
    diverging: int
    unsteady: int
    edges: tuple[Edge, ...]
    noise: VarianceComponents | None
    progress: Progress | None

    @property
    def trials(self) -> int:
        """How many trials ended."""
        return sum(share.trials for share in self.shares.values())

    @property
    def seconds(self) -> float:
        """The time of all of them."""
        return math.fsum(share.seconds for share in self.shares.values())

    def of_trials(self, *kinds: Kind) -> float:
        """Return the share of ``kinds`` in the trials, 0 to 1."""
        return sum(self.shares[kind].trials for kind in kinds) / self.trials

    def of_seconds(self, *kinds: Kind) -> float:
        """Return the share of ``kinds`` in the time, 0 to 1."""
        return math.fsum(self.shares[kind].seconds for kind in kinds) / self.seconds if self.seconds else 0.0

    @property
    def improving(self) -> bool | None:
        """Whether the last settings improved the best by more than noise; None where that cannot be told."""
        if self.progress is None:
            return None
        return self.progress.improving(None if self.noise is None else self.noise.seed_std)

    def to_json(self) -> dict[str, Any]:
        """Return plain data for strict JSON."""
        wasted = self.of_seconds(*WASTED)
        return {**asdict(self), "trials": self.trials, "wasted": wasted, "improving": self.improving}


def health(study: Study) -> Health:
    """Return the state of the search of ``study``, running or ended. Raises StudyError for fewer than three trials."""
    check_trials(study)
    summary = summarise(study, top=1)
    groups = _losses(study)
    is_search = study.space.sampler.name not in ("grid", "factorial")
    return Health(
        name=study.name,
        state=summary.state,
        metric=summary.metric,
        mode=summary.mode,
        shares=_shares(study),
        failures=summary.failures,
        diverging=_settings(study, {Kind.DIVERGED}),
        unsteady=_settings(study, {Kind.COMPLETED, Kind.DIVERGED}),
        edges=summary.edges,
        noise=variance_components(groups),
        progress=progress([math.fsum(losses) / len(losses) for losses in groups]) if is_search else None,
    )


def check_trials(study: Study) -> None:
    """Raise StudyError where fewer than three trials of ``study`` have ended, with a result or without."""
    ended = len(study.history)
    if ended < LEAST_TRIALS:
        what = "too few trials have ended to analyse the study"
        allowed, hint = f"at least {LEAST_TRIALS}", next_step(study)
        raise StudyError(Problem(what, file=study.folder, got=str(ended), allowed=allowed, hint=hint))


def kind_of(trial: FinishedTrial) -> Kind:
    """Return what a trial came to."""
    if trial.status is not Status.COMPLETED:
        return Kind(trial.status.value)
    if trial.objective is None or not math.isfinite(trial.objective):
        return Kind.DIVERGED
    return Kind.COMPLETED if trial.schedule is None else Kind.SHORTER


def _shares(study: Study) -> dict[Kind, Share]:
    kinds = [(kind_of(trial), trial.train_seconds) for trial in study.history]
    seconds = {kind: [spent for one, spent in kinds if one is kind] for kind in Kind}
    return {kind: Share(len(spent), math.fsum(spent)) for kind, spent in seconds.items()}


def _settings(study: Study, ends: set[Kind]) -> int:
    """Return how many settings came to each of ``ends`` in one of their runs."""
    kinds: dict[Key, set[Kind]] = defaultdict(set)
    for trial in study.history:
        kinds[trial.key].add(kind_of(trial))
    return sum(found >= ends for found in kinds.values())


def _losses(study: Study) -> list[list[float]]:
    """Return the losses of the full runs of each setting, in the order in which the settings were first run."""
    losses: dict[Key, list[float]] = defaultdict(list)
    for trial in study.history:
        if kind_of(trial) is Kind.COMPLETED and trial.final is not None:
            losses[trial.key].append(study.space.objective.loss(trial.final))
    return list(losses.values())
