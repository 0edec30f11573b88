"""The README of results/ tells the truth: its snippets run, its tables name the columns there are."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpsearch.store import dynamics
from hpsearch.store.schema import StudySchema
from hpsearch.store.writer import StudyWriter

from .examples import make_reports, make_space, make_trial, run_trial

TEXT = (Path(__file__).parents[2] / "results" / "README.md").read_text(encoding="utf-8")
DYNAMICS = {
    **{name: [1.0, 1.0] for name in dynamics.COLUMNS if name not in ("trial_id", "epoch")},
    "layer": ["conv", "linear"],
    "scale_invariant": [True, False],
}
SNIPPETS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_snippets_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with StudyWriter.create(tmp_path / "results", "NAME", make_space(), {}) as writer:
        for number, loss in enumerate([3.0, 1.0, 2.0]):
            reports = [
                replace(report, tables={"dynamics": {**DYNAMICS, "step": [report.epoch] * 2}})
                for report in make_reports([5.0, loss])
            ]
            run_trial(writer, make_trial(number, reports), reports)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for snippet in SNIPPETS:
        exec(snippet, names)
    assert len(SNIPPETS) == 4
    assert list(names["best"]["trial_id"]) == ["00001", "00002", "00000"]
    assert names["curves"].loc[2].sort_values().tolist() == [1.0, 2.0, 3.0]
    assert list(names["norms"].columns) == ["conv"], "of the one trial, and only what is scale invariant"
    output = capsys.readouterr().out
    assert "train_seconds | double | s | wall time inside the training function" in output
    assert "Setting(trial_id='00001', objective=1.0" in output


def test_every_column_is_described() -> None:
    space = make_space({"width": {"type": "constant", "value": 8}}, coordinates={"optimizer": "sgd"})
    schema = StudySchema.of("s", space)
    for name in {*schema.trials.names, *schema.epochs.names, *dynamics.COLUMNS} - {"width"}:
        assert f"`{name}`" in TEXT, name


@pytest.mark.parametrize("name", dynamics.COLUMNS)
def test_a_column_of_the_dynamics_means_there_what_the_files_say(name: str) -> None:
    _, unit, meaning = dynamics.COLUMNS[name]
    assert f"| {unit} | {meaning} |" in TEXT.replace("\\|", "|"), name
