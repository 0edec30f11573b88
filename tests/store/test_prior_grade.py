"""The grade of the prior in a study, and a study of before there were priors."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hpsearch.store.reader import open_study
from hpsearch.store.writer import StudyWriter

from .examples import make_reports, make_space, make_trial, run_trial

GRADES = [None, 1.25, -0.5]


def study(tmp_path: Path, name: str, **blocks: Any) -> Path:
    with StudyWriter.create(tmp_path, name, make_space(**blocks), {}) as writer:
        for number, grade in enumerate(GRADES):
            reports = make_reports([2.0, 1.0])
            run_trial(writer, make_trial(number, reports, prior_grade=grade), reports)
    return tmp_path / name


def test_grades_are_written_and_read_back(tmp_path: Path) -> None:
    folder = study(tmp_path, "graded")
    column = pd.read_parquet(folder / "trials").sort_values("number")["prior_grade"]
    assert [None if pd.isna(grade) else grade for grade in column] == GRADES
    assert [trial.prior_grade for trial in open_study(tmp_path, folder.name).history] == GRADES


@pytest.mark.parametrize("blocks", [{"prior": "uniform"}, {"sampler": {"name": "tpe"}}])
def test_without_a_prior_there_is_no_such_column(tmp_path: Path, blocks: dict[str, Any]) -> None:
    folder = study(tmp_path, "plain", **blocks)
    assert "prior_grade" not in pd.read_parquet(folder / "trials").columns
    assert [trial.prior_grade for trial in open_study(tmp_path, folder.name).history] == [None] * 3


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_study_of_before_priors_opens_and_goes_on_as_it_was(tmp_path: Path, sampler: str) -> None:
    folder = study(tmp_path, "old", prior="uniform", sampler={"name": sampler})
    record = json.loads((folder / "study.json").read_text())
    del record["space"]["prior"], record["space"]["coordinates"]
    (folder / "study.json").write_text(json.dumps(record))
    with StudyWriter.open(tmp_path, folder.name) as writer:
        reports = make_reports([0.5])
        run_trial(writer, make_trial(3, reports), reports)
    found = open_study(tmp_path, folder.name)
    assert found.space.belief.name == "uniform"
    assert [trial.number for trial in found.history] == [0, 1, 2, 3]
    assert "prior_grade" not in pd.read_parquet(folder / "trials").columns
