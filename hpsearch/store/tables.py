"""All Parquet tables of a study under one hand, in the order that a crash at any moment leaves readable."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hpsearch.store.parts import PartFolder
from hpsearch.store.rows import epoch_rows, trial_row
from hpsearch.store.schema import StudySchema
from hpsearch.store.trial_tables import TableError, TrialTables
from hpsearch.trial import EpochReport, FinishedTrial, PendingTrial


class StudyTables:
    """The one writer of the tables in the folder of a study: ``trials``, ``epochs`` and those of the reports."""

    def __init__(self, folder: Path, schema: StudySchema) -> None:
        self._schema = schema
        self._trials = PartFolder(folder / "trials", schema.trials)
        self._epochs = PartFolder(folder / "epochs", schema.epochs)
        self._reported = TrialTables(folder, schema.metadata)

    @classmethod
    def create(cls, folder: Path, schema: StudySchema) -> "StudyTables":
        """Make the tables of a study without trials."""
        PartFolder.create(folder / "trials", schema.trials)
        PartFolder.create(folder / "epochs", schema.epochs)
        return cls(folder, schema)

    def put(self, trial: FinishedTrial, reports: Sequence[EpochReport]) -> None:
        """Write the rows of a trial, in the place of any it had; that in ``trials`` comes last and finishes it.

        A table of its reports that cannot be stored is left out, with a note in that row: it must not stop a search.
        """
        self._widen([*trial.metrics, *(name for report in reports for name in report.metrics)])
        self._epochs.put(trial.number, epoch_rows(self._schema, trial, reports))
        try:
            self._reported.put(trial, reports)
        except TableError as refused:
            trial = replace(trial, notes={**trial.notes, "note": refused.problems[0].what})
        self._trials.put(trial.number, [trial_row(self._schema, trial)])

    def remove(self, trials: Sequence[PendingTrial]) -> None:
        """Remove what the tables hold of ``trials``; the rows in ``trials`` go first."""
        numbers = [trial.number for trial in trials]
        self._trials.remove(numbers)
        self._epochs.remove(numbers)
        for trial in trials:
            self._reported.clear(trial)

    def _widen(self, metrics: Sequence[str]) -> None:
        """Make a column for every metric that is new."""
        wider = self._schema.with_metrics(metrics)
        if wider is not self._schema:
            self._schema = wider
            self._epochs.widen(wider.epochs)
            self._trials.widen(wider.trials)
