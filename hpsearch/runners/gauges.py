"""The search in numbers for Ray's dashboard and Prometheus: trials by status, best so far, images per second."""

from collections import Counter
from collections.abc import Sequence

from ray.util.metrics import Gauge

from hpsearch.space.spec import Objective
from hpsearch.trial import EpochReport, FinishedTrial, PendingTrial, Status

IMAGES = "images_per_second"
"""The metric of a report that is summed over the running trials."""


class Gauges:
    """A sink that exports gauges through ``ray.util.metrics``; Ray must be running.

    ``hpsearch_trials`` (tags study, status), ``hpsearch_best_objective`` (study, metric) and
    ``hpsearch_images_per_second`` (study).
    """

    def __init__(self, study: str, objective: Objective, history: Sequence[FinishedTrial]) -> None:
        self._study = study
        self._objective = objective
        self._counts = Counter({str(status): 0 for status in Status})
        self._best: float | None = None
        self._images: dict[int, float] = {}
        self._trials = Gauge("hpsearch_trials", "Trials of the study by status", ("study", "status"))
        self._best_gauge = Gauge("hpsearch_best_objective", "Best objective so far", ("study", "metric"))
        self._images_gauge = Gauge("hpsearch_images_per_second", "Images trained on, all trials", ("study",))
        for trial in history:
            self._count(trial)
        self._export()

    def started(self, trial: PendingTrial) -> None:
        """Count a running trial."""
        self._images[trial.number] = 0.0
        self._export()

    def reported(self, trial: PendingTrial, report: EpochReport) -> None:
        """Take the trial's speed."""
        self._images[trial.number] = report.metrics.get(IMAGES, 0.0)
        self._export()

    def finished(self, trial: FinishedTrial) -> None:
        """Count the trial under its status, and its objective if it ran to its end."""
        self._images.pop(trial.number, None)
        self._count(trial)
        self._export()

    def _count(self, trial: FinishedTrial) -> None:
        self._counts[trial.status] += 1
        if trial.final is not None and self._objective.better(trial.final, self._best):
            self._best = trial.final

    def _export(self) -> None:
        study = {"study": self._study}
        for status, count in {**self._counts, "running": len(self._images)}.items():
            self._trials.set(count, {**study, "status": str(status)})
        if self._best is not None:
            self._best_gauge.set(self._best, {**study, "metric": self._objective.metric})
        self._images_gauge.set(sum(self._images.values()), study)
