"""A driver for the crash tests: runs trials until it is killed, and says each number once it is finished.

Usage: python -m ...loop RESULTS. Resumes the study where there is one, as `resume` does: pending trials first.
"""

import itertools
import sys
from pathlib import Path

from hpsearch.store import parts
from hpsearch.store.names import study_names
from hpsearch.store.writer import StudyWriter
from hpsearch.trial import EpochReport, PendingTrial

from .examples import make_reports, make_space, make_trial, run_trial

SMALL_PARTS = {"trials": 40, "epochs": 20}
"""Many parts in few seconds: more that can go wrong."""


def metrics_of(number: int) -> list[EpochReport]:
    """The reports of a trial; every 70th trial brings a new metric, which rewrites all parts."""
    extra = {f"metric_{number // 70}": 1.0}
    tables = {"dynamics": {"norm": [float(number)] * 3}}
    return [
        EpochReport(report.epoch, {**report.metrics, **extra}, report.seconds, tables=tables)
        for report in make_reports([3.0, 2.0, 1.0 + number])
    ]


def main(results: Path) -> None:
    fresh = "s" not in study_names(results)
    writer = StudyWriter.create(results, "s", make_space(), {}) if fresh else StudyWriter.open(results, "s")
    with writer:
        first = max((trial.number for trial in (*writer.history, *writer.pending)), default=-1) + 1
        new = (PendingTrial(n, make_trial(n).config, 1000 + n) for n in itertools.count(first))
        for trial in itertools.chain(writer.pending, new):
            reports = metrics_of(trial.number)
            run_trial(writer, make_trial(trial.number, reports, config=trial.config, seed=trial.seed), reports)
            print(trial.number, flush=True)


if __name__ == "__main__":
    parts.TRIALS_PER_PART.update(SMALL_PARTS)
    main(Path(sys.argv[1]))
