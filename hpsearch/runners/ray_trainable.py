"""The worker of Ray Tune: a long-lived actor that runs one trial after the other."""

import traceback
from typing import Any

from ray import tune
from ray._raylet import setproctitle  # type: ignore[attr-defined]

from hpsearch.runners.drive import Outcome, Step, now
from hpsearch.runners.work import Arrays, Work
from hpsearch.trial import PendingTrial, Status

STEP = "step"
"""The one key under which a ``Step`` travels, so that Tune has nothing to flatten, log or print."""

TRIAL = "trial"
"""The key of a Tune configuration that holds the PendingTrial."""


class TrialActor(tune.Trainable):
    """Loads the training function once, then runs a trial per ``reset_config``; one Tune step is one report."""

    def setup(self, config: dict[str, Any], work: Work, shared: Arrays) -> None:  # type: ignore[override]
        """Import the training function (seconds, where it imports torch) and start the first trial."""
        self._work = work
        self._shared = shared
        self._functions = work.load()
        self._begin(config[TRIAL])

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Start the next trial in the same process."""
        self.cleanup()
        self._begin(new_config[TRIAL])
        return True

    def step(self) -> dict[str, Any]:
        """Run up to the next report, the process named after the trial (the dashboard shows it beside the actor)."""
        setproctitle(self._title)
        step = self._broken or self._drive.step()
        return {STEP: step, "done": step.outcome is not None}

    def cleanup(self) -> None:
        """Close a training function that was stopped before its end."""
        if self._broken is None:
            self._drive.close()

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: a training function keeps its own checkpoints in its workdir."""

    def load_checkpoint(self, checkpoint: object) -> None:
        """Nothing, as above."""

    def __repr__(self) -> str:
        """Name the actor in Ray's dashboard; Ray reads this once, so it cannot hold the trial of the moment."""
        return f"{self._work.study} worker"

    def _begin(self, trial: PendingTrial) -> None:
        self._title = f"ray::{self._work.study} trial {trial.trial_id}"
        self._broken: Step | None = None
        try:
            self._drive = self._work.start(self._functions, trial, self._shared)
        except OSError as cause:  # the trial's folder: a failure of this trial, not of the actor
            text = "".join(traceback.format_exception_only(cause)).strip()
            self._broken = Step(now(), outcome=Outcome(Status.FAILED, now(), text, text))
