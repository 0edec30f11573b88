"""Which settings of a study are tied with the best, and what its repeats say of the noise."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from hpsearch.analysis.next_step import next_step
from hpsearch.analysis.repeats import Repeated, by_stability, losses_by_setting
from hpsearch.errors import Problem, StudyError
from hpsearch.statistics.confidence_set import CONFIDENCE, ConfidenceSet, Member, confidence_set
from hpsearch.store.reader import Study
from hpsearch.trial import Status, key

LEAST_TRIALS = 3
"""Finished trials without which there is nothing to analyse."""


CHEAPER = 0.1
"""Share of the best setting's time that another has to save to be called cheaper."""
LEAST_SECONDS = 0.1
"""Less than this says something of the clock only."""


@dataclass(frozen=True)
class TiedSetting:
    """A setting that is not shown to be worse than the best; numbers in units of the objective.

    ``expected`` is what another run is expected to give, with its ``standard_error``: of the setting that looks best,
    the ``mean`` of its runs flatters.
    """

    setting: Repeated
    expected: float
    standard_error: float


@dataclass(frozen=True)
class Tied:
    """The settings that share the first place.

    ``best``           the one to recommend: the best expectation
    ``cheapest``       the one whose run takes the fewest seconds, if a tenth fewer than those of the best; else that
    ``settings``       how many settings have a full run, tied or not
    ``stopped``        how many others were stopped early, and not compared
    ``noise``          standard deviation of one run near the best, by ``freedom`` degrees of freedom
    ``growth``         how the noise grows away from there: exponent of (1 + gap / ``unit``)
    ``shows``          how much worse a setting with one run has to be for a chance of 80% to be left out, and
    ``shows_repeated`` one with as many runs as the best
    ``unstable``       settings of which a run diverged: they are no choice, whatever their other runs gave
    """

    metric: str
    mode: str
    searched: tuple[str, ...]
    confidence: float
    members: tuple[TiedSetting, ...]
    best: TiedSetting
    cheapest: TiedSetting
    settings: int
    stopped: int
    noise: float
    freedom: float
    growth: float
    unit: float
    shows: float
    shows_repeated: float
    unstable: tuple[Repeated, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Return plain data for strict JSON."""
        settings = {name: _plain(getattr(self, name)) for name in ("best", "cheapest")}
        members, unstable = [_plain(one) for one in self.members], [one.to_json() for one in self.unstable]
        return {**asdict(self), **settings, "members": members, "unstable": unstable}


def tied(study: Study, confidence: float = CONFIDENCE) -> Tied | None:
    """Return the tied settings of ``study``; None where nothing was run twice: nothing is then known of the noise.

    ``confidence`` lies between 0.5 and 1.
    """
    stable, unstable = by_stability(study)
    runs = losses_by_setting(study)
    groups = [runs[key(setting.config)] for setting in stable]
    found = confidence_set(groups, confidence) if len(groups) > 1 else None
    if found is None:
        return None
    members = tuple(_tied(stable, member, study.space.objective.loss(member.adjusted)) for member in found.members)
    return _summed_up(study, found, members, len(stable), unstable)


def not_known(study: Study, option: str | None = None) -> StudyError:
    """Return the error for whoever has to know which settings are tied, where ``tied`` does not."""
    if len(by_stability(study)[0]) > 1:
        why, hint = "none was run twice", next_step(study, "--trials N --repeats auto")
    else:
        why, hint = "fewer than two have a full run", next_step(study)
    what = f"it is not known which settings are tied: {why}"
    return StudyError(Problem(what, file=study.folder, key=option, hint=hint))


def check_enough(study: Study, shorter: bool = False) -> None:
    """Raise StudyError where fewer full runs, or ``shorter`` ones too, have come to a result than an analysis needs."""
    ends = [trial.end if shorter else trial.final for trial in study.history]
    ended = len(ends) - ends.count(None)
    if ended < LEAST_TRIALS:
        what = f"too few {'runs' if shorter else 'full runs'} have ended to analyse the study"
        allowed, hint = f"at least {LEAST_TRIALS}", next_step(study)
        raise StudyError(Problem(what, file=study.folder, got=str(ended), allowed=allowed, hint=hint))


def _stopped(study: Study) -> int:
    """Return how many settings were stopped early, and never ran to their end."""
    ended = {trial.key for trial in study.history if trial.final is not None}
    return len({trial.key for trial in study.history if trial.status is Status.STOPPED} - ended)


def _tied(settings: Sequence[Repeated], member: Member, expected: float) -> TiedSetting:
    return TiedSetting(settings[member.index], expected, member.standard_error)


def _summed_up(
    study: Study, found: ConfidenceSet, members: tuple[TiedSetting, ...], settings: int, unstable: tuple[Repeated, ...]
) -> Tied:
    objective, best = study.space.objective, members[found.members.index(found.best)]
    return Tied(
        metric=objective.metric,
        searched=tuple(study.space.searched),
        mode=objective.mode,
        confidence=found.confidence,
        members=members,
        best=best,
        cheapest=_cheapest(members, best),
        settings=settings,
        stopped=_stopped(study),
        noise=found.noise.std,
        freedom=found.noise.freedom,
        growth=found.noise.growth,
        unit=found.noise.unit,
        shows=found.shows(1),
        shows_repeated=found.shows(found.best.runs),
        unstable=unstable,
    )


def _cheapest(members: Sequence[TiedSetting], best: TiedSetting) -> TiedSetting:
    fastest = min(members, key=lambda one: one.setting.train_seconds)
    saved = best.setting.train_seconds - fastest.setting.train_seconds
    return fastest if saved >= max(CHEAPER * best.setting.train_seconds, LEAST_SECONDS) else best


def _plain(one: TiedSetting) -> dict[str, Any]:
    return {**one.setting.to_json(), "expected": one.expected, "expected_standard_error": one.standard_error}
