"""Ray Tune's parts that decide, searcher, scheduler and stopper, as faces of one ``Search``.

Tune does not tell a searcher the report at which the scheduler stopped a trial, nor whether a complete trial was
stopped, so neither can hold the search by itself: all ask the same object, and whatever Tune forgets it knows.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ray.tune import Stopper
from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial as TuneTrial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from hpsearch.runners.ray_trainable import STEP, TRIAL
from hpsearch.runners.search import Search


class Bridge:
    """The search, and the first exception that came out of it or of its sinks.

    Tune would take such an exception (a full disk, say) for a failure of the trial at hand and go on.
    """

    def __init__(self, search: Search) -> None:
        self.search = search
        self.exception: Exception | None = None

    @property
    def over(self) -> bool:
        """Whether nothing should run any more."""
        return self.exception is not None or self.search.error is not None

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Keep an exception for ``run_on_ray`` to raise."""
        try:
            yield
        except Exception as exception:
            self.exception = self.exception or exception


class AskSearch(Searcher):
    """Proposes trials."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self._bridge = bridge

    def suggest(self, trial_id: str) -> dict[str, Any] | str:  # type: ignore[override]
        """Return the next trial as a Tune configuration, or that there is none."""
        trial = None
        if not self._bridge.over:
            with self._bridge.guarded():
                trial = self._bridge.search.next()
        return {TRIAL: trial} if trial is not None else Searcher.FINISHED

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Nothing: the scheduler has told the search."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the store of the study is the only truth. Tune calls this all the same."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, as above."""


class TellSearch(FIFOScheduler):
    """Hands every result to the search and stops the trials that it says are over."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._bridge = bridge

    def on_trial_result(self, controller: TuneController, trial: TuneTrial, result: dict[str, Any]) -> str:
        """Take a report of a trial that has not ended by itself."""
        over = False
        with self._bridge.guarded():
            over = self._bridge.search.take(trial.config[TRIAL].number, result[STEP])
        return str(TrialScheduler.STOP if over else TrialScheduler.CONTINUE)

    def on_trial_complete(self, controller: TuneController, trial: TuneTrial, result: dict[str, Any]) -> None:
        """Take the outcome of a trial that ended by itself (one stopped above has been taken already)."""
        if result[STEP].outcome is not None:
            with self._bridge.guarded():
                self._bridge.search.take(trial.config[TRIAL].number, result[STEP])

    def on_trial_error(self, controller: TuneController, trial: TuneTrial) -> None:
        """Take the loss of a trial whose process died."""
        with self._bridge.guarded():
            self._bridge.search.lost(trial.config[TRIAL].number, _error_of(trial))


class StopAll(Stopper):
    """Ends everything at once where going on makes no sense."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """No single trial is stopped here."""
        return False

    def stop_all(self) -> bool:
        """Whether the training function turned out to be broken, or the store cannot be written."""
        return self._bridge.over

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its state, this object with it, for a resume that is not used here."""
        return {}


def _error_of(trial: TuneTrial) -> str:
    """Return the text of Tune's error file without its first line, a counter and a date."""
    _, _, text = str(trial.get_error() or "").partition("\n")
    return text.strip() or "the worker process died"
