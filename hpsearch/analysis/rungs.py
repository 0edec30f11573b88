"""What the shorter runs of a study amount to: how many there are, how they rank, and what they cost."""

import math
from collections.abc import Sequence, Set
from dataclasses import asdict, dataclass
from typing import Any

from hpsearch.errors import Problem, StudyError
from hpsearch.samplers.rungs import Rungs
from hpsearch.space.blocks import Objective
from hpsearch.statistics.rank_correlation import Agreement
from hpsearch.store.reader import Study
from hpsearch.trial import FinishedTrial, Key, Status


@dataclass(frozen=True)
class Rung:
    """The trials of one length.

    ``trained``    trials that ended here by themselves, and ``settings`` of theirs
    ``diverged``   trials that ended here in no result
    ``went_on``    settings of this rung that were run on a longer one
    ``best``       the best objective here, None where there is none
    ``agreement``  how well this rung ranks settings as the next one does; None at the top, or by too few settings
    ``used``       whether new settings (still) begin here or below and may pass through
    """

    epochs: int
    trained: int
    settings: int
    diverged: int
    went_on: int
    best: float | None
    train_seconds: float
    agreement: Agreement | None
    used: bool

    def to_json(self) -> dict[str, Any]:
        """Return plain data for strict JSON."""
        return asdict(self)


def rungs(study: Study) -> tuple[Rung, ...]:
    """Return the rungs of ``study``, shortest first; none where all its runs are of full length."""
    fidelity = study.space.fidelity
    if fidelity is None or not fidelity.shorter:
        return ()
    ladder = Rungs(fidelity, study.space.objective)
    lowest, agreements = ladder.lowest(study.history), [*ladder.agreements(study.history), None]
    found = []
    for place, (epochs, agreement) in enumerate(zip(fidelity.epochs, agreements, strict=True)):
        here = [trial for trial in study.history if ladder.rung(trial) == place]
        longer = {trial.key for trial in study.history if ladder.rung(trial) > place}
        found.append(_rung(study.space.objective, here, longer, epochs, agreement, place >= lowest))
    return tuple(found)


def check_shorter(study: Study) -> None:
    """Raise StudyError where ``study`` has no runs of several lengths to compare."""
    fidelity = study.space.fidelity
    if fidelity is None or not fidelity.shorter:
        what = "all runs of the study are of full length: there is no shorter one to compare them with"
        hint = "a space with `fidelity: {epochs: [2, 6, 18]}` tries settings in shorter runs first"
        raise StudyError(Problem(what, file=study.folder, hint=hint))


def full_runs(study: Study) -> float:
    """Return what all trials of ``study`` cost, in full runs, by the epochs that were run."""
    full = study.space.full_epochs or max((trial.epochs for trial in study.history), default=1)
    return math.fsum(trial.epochs for trial in study.history) / full


def _rung(
    objective: Objective,
    trials: Sequence[FinishedTrial],
    longer: Set[Key],
    epochs: int,
    agreement: Agreement | None,
    used: bool,
) -> Rung:
    ends = [trial.end for trial in trials if trial.end is not None]
    return Rung(
        epochs=epochs,
        trained=len(ends),
        settings=len({trial.key for trial in trials if trial.end is not None}),
        diverged=sum(trial.status is Status.DIVERGED for trial in trials),
        went_on=len({trial.key for trial in trials} & longer),
        best=min(ends, key=objective.loss, default=None),
        train_seconds=math.fsum(trial.train_seconds for trial in trials),
        agreement=agreement,
        used=used,
    )
