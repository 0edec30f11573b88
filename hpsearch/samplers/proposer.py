"""What runs next: a setting again, where that tells the best apart; one that has earned a longer run; or a new one."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from hpsearch.contract import Config
from hpsearch.samplers.protocol import Sampler
from hpsearch.samplers.rungs import Rungs
from hpsearch.seeds import derived_seed
from hpsearch.space.spec import Space
from hpsearch.statistics.racing import next_repeat
from hpsearch.trial import FinishedTrial, Key, Origin, PendingTrial, Status, key


class _Choice(NamedTuple):
    origin: Origin
    config: Config
    schedule: int | None = None


class Proposer:
    """Proposes trials; its proposals depend on its arguments alone, as those of a sampler do."""

    def __init__(self, space: Space, sampler: Sampler) -> None:
        self._space = space
        self._sampler = sampler
        self._rungs = None if space.fidelity is None else Rungs(space.fidelity, space.objective)

    def propose(
        self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial], number: int, trials: int
    ) -> PendingTrial:
        """Return trial ``number`` of a search that is going to have ``trials``."""
        history = sorted(history, key=lambda trial: trial.number)  # ties must not depend on which ended first
        kept, left = self._repeats_to_come([*history, *pending], trials), trials - number
        again = self._repeat(history, pending) if left <= kept else None
        before_repeats = left - kept if left > kept else left  # all that is left, where repeats decide nothing any more
        choice = again or self._promotion(history, pending, before_repeats) or self._new(history, pending)
        chosen = (key(choice.config), choice.schedule)
        same = [one for one in (*history, *pending) if (one.key, one.schedule) == chosen]
        return PendingTrial(
            number,
            choice.config,
            derived_seed(self._space.seed, "trial", number),
            schedule=choice.schedule,
            origin=choice.origin,
            repeat=len(same),
        )

    def grade(self, history: Sequence[FinishedTrial]) -> float | None:
        """Return how the prior of the sampler fits these trials."""
        return self._sampler.grade(self._comparable(history))

    def _repeats_to_come(self, started: Sequence[PendingTrial], trials: int) -> int:
        done = sum(trial.origin is Origin.REPEAT for trial in started)
        return max(0, self._space.budget.repeats_of(trials) - done)

    def _repeat(self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial]) -> _Choice | None:
        """Return the setting that another run decides most about, None where the best is known, or a grid has gaps."""
        if not self._sampler.is_whole(self._proposed(history, pending)):
            return None
        groups = self._results(history)
        running = Counter(trial.key for trial in pending if trial.schedule is None)
        place = next_repeat([*groups.values()], [running[one] for one in groups]) if len(groups) > 1 else None
        if place is None:
            return None
        chosen = [*groups][place]
        return _Choice(Origin.REPEAT, next(trial.config for trial in history if trial.key == chosen))

    def _promotion(
        self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial], left: int
    ) -> _Choice | None:
        """Return the setting that has earned a longer run, after all that the user wants to start with."""
        if self._rungs is None or self._proposed(history, pending) < len(self._space.start_with):
            return None
        found = self._rungs.promotion(history, pending, left)
        return found and _Choice(Origin.PROMOTION, found[0], self._rungs.schedule(found[1]))

    def _new(self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial]) -> _Choice:
        number = self._proposed(history, pending)
        config = self._sampler.suggest(self._comparable(history), pending, number)
        schedule = None if self._rungs is None else self._rungs.schedule(self._rungs.lowest(history))
        return _Choice(Origin.NEW, config, schedule)

    def _proposed(self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial]) -> int:
        """Return how many settings the sampler has proposed: the number of the next, by which it counts."""
        return sum(trial.origin is Origin.NEW for trial in (*history, *pending))

    def _comparable(self, history: Sequence[FinishedTrial]) -> Sequence[FinishedTrial]:
        return history if self._rungs is None else self._rungs.comparable(history)

    def _results(self, history: Sequence[FinishedTrial]) -> dict[Key, list[float]]:
        """Return the losses of full runs by setting, without those of which a run diverged: they are no good choice."""
        groups: dict[Key, list[float]] = defaultdict(list)
        diverged = {trial.key for trial in history if trial.status is Status.DIVERGED and trial.schedule is None}
        for trial in history:
            if trial.final is not None and trial.key not in diverged:
                groups[trial.key].append(self._space.objective.loss(trial.final))
        return groups
