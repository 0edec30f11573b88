"""The table of weight dynamics: what is written can be read, filtered, and is never read for something else."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hpsearch.errors import StudyError
from hpsearch.store.dynamics import COLUMNS, read_dynamics, traced
from hpsearch.store.reader import Study, open_study
from hpsearch.store.writer import StudyWriter
from hpsearch.trial import EpochReport, PendingTrial, Status

from .examples import make_space, make_trial, run_trial

LAYERS = ("stem.weight", "norm.bias", "head.weight")


def rows(epoch: int, steps: Iterable[int] = (0, 10), **changes: Any) -> dict[str, Any]:
    """The table of one epoch as the trainer makes it: step by step, and the tensors in the order of the network."""
    keys = [(100 * (epoch - 1) + step, layer) for step in steps for layer in LAYERS]
    count = len(keys)
    columns = {
        "step": np.array([step for step, _ in keys]),
        "layer": np.array([layer for _, layer in keys]),
        "kind": np.array(["conv", "norm bias", "linear"] * (count // 3)),
        "size": np.array([27, 8, 80] * (count // 3)),
        "scale_invariant": np.array([True, False, False] * (count // 3)),
        "rule": np.full(count, "sgd_nesterov"),
        "batch_size": np.full(count, 128),
        **{name: np.full(count, 0.5) for name in ("lr", "weight_decay", "momentum")},
    }
    measured = [name for name, (kind, _, _) in COLUMNS.items() if kind == pa.float32()]
    noise = np.random.default_rng(epoch).random((len(measured), count), dtype=np.float32)
    return {**columns, **dict(zip(measured, noise, strict=True)), **changes}


def reports_with(*tables: dict[str, Any]) -> list[EpochReport]:
    return [EpochReport(epoch, {"val_loss": 1.0}, 1.0, tables={"dynamics": t}) for epoch, t in enumerate(tables, 1)]


def write(results: Path, *numbers: int, tables: Iterable[dict[str, Any]] = (), **fields: Any) -> Study:
    """A study whose trials ``numbers`` brought ``tables``, or two epochs as the trainer traces them."""
    reports = reports_with(*(tables or (rows(1), rows(2))))
    with StudyWriter.create(results, "s", make_space(), {}) as writer:
        for number in numbers:
            run_trial(writer, make_trial(number, reports, **fields), reports)
    return open_study(results, "s")


def file_of(study: Study, trial_id: str) -> Path:
    return study.folder / "dynamics" / f"trial-{trial_id}.parquet"


def rewritten(study: Study, trial_id: str, **metadata: str) -> Path:
    """Give the file of a trial other metadata."""
    file = file_of(study, trial_id)
    table = pq.read_table(file)
    said = {key.encode(): value for key, value in metadata.items()}
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, **said}), file)
    return file


def refused(study: Study, **options: Any) -> str:
    with pytest.raises(StudyError) as caught:
        read_dynamics(study, **options)
    return str(caught.value)


def test_every_column_comes_back_in_its_type_and_order(tmp_path: Path) -> None:
    study = write(tmp_path, 0, 2)
    frame = read_dynamics(study)
    assert list(frame.columns) == list(COLUMNS)
    expected = pd.concat([pd.DataFrame(rows(epoch)) for _ in range(2) for epoch in (1, 2)], ignore_index=True)
    for name in expected:
        np.testing.assert_array_equal(frame[name], expected[name], err_msg=name)
    assert frame["trial_id"].tolist() == ["00000"] * 12 + ["00002"] * 12
    assert frame["epoch"].tolist() == ([1] * 6 + [2] * 6) * 2
    assert traced(study) == ["00000", "00002"]


def test_units_and_meanings_are_in_every_file(tmp_path: Path) -> None:
    study = write(tmp_path, 0, 1)
    for trial_id in ("00000", "00001"):
        schema = pq.read_schema(file_of(study, trial_id))
        assert set(schema.names) == set(COLUMNS)
        for field in schema:
            kind, unit, meaning = COLUMNS[field.name]
            assert field.type == kind, field.name
            assert field.metadata == {b"unit": unit.encode(), b"meaning": meaning.encode()}, field.name
            assert meaning, field.name
        assert schema.metadata[b"table_version"] == b"1"
        assert schema.metadata[b"study"] == b"s"


def test_what_repeats_costs_next_to_nothing(tmp_path: Path) -> None:
    study = write(tmp_path, 0, tables=[rows(1, range(1000))])
    measured = sum(kind == pa.float32() for kind, _, _ in COLUMNS.values())
    assert file_of(study, "00000").stat().st_size < 1.2 * 4 * measured * 3000 + 20_000


def test_other_tables_are_left_as_they_are_reported(tmp_path: Path) -> None:
    report = EpochReport(1, {"val_loss": 1.0}, 1.0, tables={"loss_surface": {"lr": [1.0], "mine": [2]}})
    with StudyWriter.create(tmp_path, "s", make_space(), {}) as writer:
        run_trial(writer, make_trial(0, [report]), [report])
    schema = pq.read_schema(tmp_path / "s" / "loss_surface" / "trial-00000.parquet")
    assert b"table_version" not in schema.metadata
    assert schema.field("lr").metadata is None


def test_columns_of_ones_own_stay_in_the_file_and_are_read_when_asked_for(tmp_path: Path) -> None:
    study = write(tmp_path, 0, tables=[rows(1, sharpness=np.arange(6.0))])
    assert "sharpness" not in read_dynamics(study)
    assert pd.read_parquet(study.folder / "dynamics")["sharpness"].tolist() == [0, 1, 2, 3, 4, 5]


def test_trials_columns_and_invariant_tensors_are_chosen(tmp_path: Path) -> None:
    study = write(tmp_path, 0, 3, 12)
    assert read_dynamics(study, trials=["00003"])["trial_id"].unique().tolist() == ["00003"]
    assert read_dynamics(study, trials=["12", "3"])["trial_id"].unique().tolist() == ["00012", "00003"]
    frame = read_dynamics(study, columns=["step", "weight_norm"], invariant=True)
    assert list(frame.columns) == ["step", "weight_norm"]
    whole = read_dynamics(study)
    assert len(whole) == 36
    np.testing.assert_array_equal(frame["weight_norm"], whole["weight_norm"][whole["layer"] == "stem.weight"])
    assert read_dynamics(study, invariant=True)["layer"].unique().tolist() == ["stem.weight"]


def test_types_of_ones_own_are_read_as_those_of_the_table(tmp_path: Path) -> None:
    whole, precise = np.arange(1, 7), np.arange(1, 7) + 0.25
    reports = [reports_with(rows(1, weight_norm=values, step=[0.0] * 6)) for values in (whole, precise)]
    with StudyWriter.create(tmp_path, "s", make_space(), {}) as writer:
        for number, one in enumerate([*reports, reports[0]]):
            run_trial(writer, make_trial(number, one), one)
    study = open_study(tmp_path, "s")
    for trials in (None, ["0", "1"], ["2", "1"]):
        frame = read_dynamics(study, trials=trials)
        assert frame["weight_norm"].dtype == np.float32 and frame["step"].dtype == np.int64
        assert frame.loc[frame["trial_id"] == "00001", "weight_norm"].tolist() == precise.tolist()


def test_the_first_trial_may_know_nothing_but_nan(tmp_path: Path) -> None:
    nothing = rows(1, weight_norm=np.full(6, np.nan), rotation=[None] * 6)
    with StudyWriter.create(tmp_path, "s", make_space(), {}) as writer:
        for number, table in enumerate((nothing, rows(1))):
            run_trial(writer, make_trial(number, reports_with(table)), reports_with(table))
    frame = read_dynamics(open_study(tmp_path, "s"))
    by_trial = frame.groupby("trial_id")[["weight_norm", "rotation"]].count()
    assert by_trial.loc["00000"].tolist() == [0, 0] and by_trial.loc["00001"].tolist() == [6, 6]
    assert frame["rotation"].dtype == np.float32


def test_a_trial_that_diverged_keeps_what_it_measured(tmp_path: Path) -> None:
    norms = np.array([1, 1, 1, math.inf, math.nan, 1], np.float32)
    study = write(tmp_path, 0, tables=[rows(1, weight_norm=norms)], status=Status.DIVERGED, objective=None)
    np.testing.assert_array_equal(read_dynamics(study)["weight_norm"], norms)


def test_a_study_without_traces_is_told_how_to_trace(tmp_path: Path) -> None:
    with StudyWriter.create(tmp_path, "s", make_space(), {}) as writer:
        before = refused(open_study(tmp_path, "s"))
        run_trial(writer, make_trial(0))
    assert "no trial of the study has ended" in before
    after = refused(open_study(tmp_path, "s"))
    assert "no trial of the study was traced" in after
    assert "trace: {every: 10, layers: all}" in after


def test_only_ended_trials_of_a_running_study_count(tmp_path: Path) -> None:
    with StudyWriter.create(tmp_path, "s", make_space(), {}) as writer:
        reports = reports_with(rows(1))
        run_trial(writer, make_trial(0, reports), reports)
        pending = PendingTrial(1, {"lr": 0.1, "batch_size": 128, "momentum": 0.9}, 1001)
        writer.started(pending)
        writer.reported(pending, reports[0])
        running = open_study(tmp_path, "s")
        assert running.running
        assert traced(running) == ["00000"]
        file_of(running, "00001").write_bytes(file_of(running, "00000").read_bytes())  # as after a crash
        assert traced(open_study(tmp_path, "s")) == ["00000"]
        assert len(read_dynamics(running)) == 6


def test_a_trial_that_is_to_run_again_has_none(tmp_path: Path) -> None:
    write(tmp_path, 0, 1)
    with StudyWriter.open(tmp_path, "s") as writer:
        writer.forget([0])
        study = open_study(tmp_path, "s")
        assert traced(study) == ["00001"]
        assert len(read_dynamics(study)) == 12
        assert "allowed  00001" in refused(study, trials=["0"])
        assert len(pd.read_parquet(study.folder / "dynamics")) == 12, "its file is there, and has no rows"
        run_trial(writer, make_trial(0))
    assert traced(open_study(tmp_path, "s")) == ["00001"], "this time it was not traced"


def test_an_untraced_trial_beside_traced_ones(tmp_path: Path) -> None:
    with StudyWriter.create(tmp_path, "s", make_space(), {}) as writer:
        run_trial(writer, make_trial(0))
        run_trial(writer, make_trial(1, reports_with(rows(1))), reports_with(rows(1)))
    study = open_study(tmp_path, "s")
    assert traced(study) == ["00001"]
    assert "no traced trial" in refused(study, trials=["00000"])


@pytest.mark.parametrize("trial", ["00021", "21", "abc", "-1", ""])
def test_an_unknown_trial_is_named_beside_those_there_are(tmp_path: Path, trial: str) -> None:
    message = refused(write(tmp_path, 1, 2), trials=[trial])
    assert "allowed  00001, 00002" in message and trial in message
    assert "did you mean" not in message, "no number is a misspelt other one"


def test_of_many_trials_the_first_and_the_last_are_named(tmp_path: Path) -> None:
    message = refused(write(tmp_path, *range(6)), trials=["99"])
    assert message.endswith("allowed  00000, 00001, 00002, ..., 00005")


@pytest.mark.parametrize("version", ["2", "none"])
def test_a_table_of_another_version_is_no_picture_but_an_error(tmp_path: Path, version: str) -> None:
    study = write(tmp_path, 0, 1)
    file = rewritten(study, "00001", table_version=version)
    message = refused(study)
    assert str(file) in message and f"got      {version}" in message and "allowed  1" in message
    assert len(read_dynamics(study, trials=["0"])) == 12, "the other trial is as it was"


def test_missing_columns_are_named(tmp_path: Path) -> None:
    table = {name: values for name, values in rows(1).items() if name not in ("rotation", "rule")}
    message = refused(write(tmp_path, 0, tables=[table]))
    assert "no rule, rotation" in message and "trial-00000.parquet" in message


def test_a_column_of_another_kind_is_named(tmp_path: Path) -> None:
    message = refused(write(tmp_path, 0, tables=[rows(1, rotation=["much"] * 6)]))
    assert "much" in message and str(tmp_path / "s" / "dynamics") in message


@pytest.mark.parametrize("content", [b"", b"PAR1 not a table PAR1"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    study = write(tmp_path, 0, 1)
    file_of(study, "00001").write_bytes(content)
    assert "trial-00001.parquet" in refused(study)


def test_a_file_with_damaged_rows_is_an_error_too(tmp_path: Path) -> None:
    study = write(tmp_path, 0, 1)
    file = file_of(study, "00001")
    content = file.read_bytes()
    file.write_bytes(b"PAR1" + b"\xff" * 400 + content[404:])
    assert str(study.folder / "dynamics") in refused(study)
