"""Columns: names, order, types, and what the files say about them."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hpsearch.store.schema import StudySchema, parameter_column
from hpsearch.store.writer import StudyWriter
from hpsearch.trial import EpochReport

from .examples import make_reports, make_space, make_trial, run_trial

IDENTITY = ["trial_id", "number", "origin", "repeat", "status"]
PROVENANCE = ["seed", "started_at", "finished_at", "device", "note", "stop_reason", "error"]
EFFORT = ["epochs", "train_seconds", "prior_grade", *PROVENANCE]
MEASURED = ["objective", "val_loss", "val_accuracy", "test_accuracy"]


def test_columns_of_a_new_study_are_there_before_its_first_trial(tmp_path: Path) -> None:
    StudyWriter.create(tmp_path, "s", make_space(), {}).close()
    trials = pd.read_parquet(tmp_path / "s" / "trials")
    assert list(trials.columns) == [*IDENTITY, "lr", "batch_size", "momentum", *MEASURED, *EFFORT]
    epochs = pd.read_parquet(tmp_path / "s" / "epochs")
    assert list(epochs.columns) == ["trial_id", "number", "epoch", "seconds", "diverged", *MEASURED]
    assert len(trials) == len(epochs) == 0


def test_every_column_has_a_unit_and_a_meaning_and_every_file_its_version(tmp_path: Path) -> None:
    StudyWriter.create(tmp_path, "s", make_space(), {}).close()
    for table in ("trials", "epochs"):
        schema = pq.read_schema(tmp_path / "s" / table / "part-00000.parquet")
        assert schema.metadata[b"schema_version"] == b"1"
        assert schema.metadata[b"study"] == b"s"
        assert all(field.metadata[b"meaning"] and b"unit" in field.metadata for field in schema)
    assert schema.field("seconds").metadata[b"unit"] == b"s"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([True, False], pa.bool_()),
        ([1, 2], pa.int64()),
        ([0.5, 1.5], pa.float64()),
        ([1, 2.5], pa.float64()),
        (["a", "b"], pa.string()),
        ([1, "a"], pa.string()),
        ([True, 2], pa.string()),
        ([2**70, 1], pa.float64()),
    ],
)
def test_the_type_of_a_choice_follows_from_its_values(values: list[object], expected: pa.DataType) -> None:
    schema = StudySchema.of("s", make_space({"x": {"type": "choice", "values": values}}))
    assert schema.trials.field("x").type == expected
    column = schema.parameters[0]
    stored = pa.array([column.stored(value) for value in column.values], expected).to_pylist()
    back = [column.proposed(value) for value in stored]
    assert back == values
    assert [type(value) for value in back] == [type(value) for value in values]


def test_ranges_are_numbers_of_their_kind() -> None:
    parameters = {"a": {"type": "real", "low": 1, "high": 2}, "b": {"type": "integer", "low": 1, "high": 2}}
    schema = StudySchema.of("s", make_space(parameters)).trials
    assert (schema.field("a").type, schema.field("b").type) == (pa.float64(), pa.int64())


def test_names_that_are_taken_get_a_prefix_and_stay_distinct() -> None:
    names = ["lr", "seed", "config.seed", "config.config.seed", "val_loss", "metric.val_loss", "seconds", "objective"]
    columns = [parameter_column(name) for name in names]
    assert columns[:2] == ["lr", "config.seed"]
    assert columns[4] == "config.val_loss"
    assert len(set(columns)) == len(names)
    space = make_space({name: {"type": "constant", "value": 1} for name in names})
    schema = StudySchema.of("s", space).with_metrics(["lr", "seed", "metric.lr", "config.seed"])
    for table in (schema.trials, schema.epochs):
        assert len(set(table.names)) == len(table.names)
    assert schema.metric_columns["lr"] == "metric.lr"


def test_a_new_metric_widens_all_parts_and_is_null_where_it_was_not_reported(tmp_path: Path) -> None:
    with StudyWriter.create(tmp_path, "s", make_space(), {}) as writer:
        for number in (0, 1000, 2000):
            reports = make_reports([1.0])
            run_trial(writer, make_trial(number, reports), reports)
        reports = [EpochReport(1, {"val_loss": 0.5, "train_loss": 0.25}, seconds=1.0)]
        run_trial(writer, make_trial(2001, reports), reports)
    for table in ("trials", "epochs"):
        assert len(list((tmp_path / "s" / table).iterdir())) == 3
        frame = pd.read_parquet(tmp_path / "s" / table)
        assert frame["train_loss"].isna().tolist() == [True, True, True, False]
        assert frame["train_loss"][3] == 0.25
        for part in sorted((tmp_path / "s" / table).iterdir()):
            assert list(pq.read_schema(part).names) == list(frame.columns)
    with StudyWriter.open(tmp_path, "s") as writer:
        assert writer.history[-1].metrics == {"val_loss": 0.5, "train_loss": 0.25}
        assert "train_loss" not in writer.history[0].metrics


def test_the_rows_of_a_part_are_in_the_order_of_trials_and_epochs(tmp_path: Path) -> None:
    with StudyWriter.create(tmp_path, "s", make_space(), {}) as writer:
        for number in (2050, 3, 1001, 0, 999, 1000):
            reports = make_reports([2.0, 1.0])
            run_trial(writer, make_trial(number, reports), reports)
    assert list(pd.read_parquet(tmp_path / "s" / "trials")["number"]) == [0, 3, 999, 1000, 1001, 2050]
    epochs = pd.read_parquet(tmp_path / "s" / "epochs")
    assert list(zip(epochs["number"], epochs["epoch"], strict=True)) == [
        (number, epoch) for number in (0, 3, 999, 1000, 1001, 2050) for epoch in (1, 2)
    ]
    parts = sorted(path.name for path in (tmp_path / "s" / "trials").iterdir())
    assert parts == ["part-00000.parquet", "part-00001.parquet", "part-00002.parquet"]


def test_parts_beyond_those_in_memory_are_read_again(tmp_path: Path) -> None:
    order = [part * 1000 + row for row in range(3) for part in range(7)]
    with StudyWriter.create(tmp_path, "s", make_space(), {}) as writer:
        for number in order:
            run_trial(writer, make_trial(number))
    assert list(pd.read_parquet(tmp_path / "s" / "trials")["number"]) == sorted(order)
