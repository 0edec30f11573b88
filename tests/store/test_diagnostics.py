"""A study of the trainer is filled part by part, and what is finished stays finished."""

import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hpsearch.errors import StudyError
from hpsearch.store import diagnostics
from hpsearch.store.diagnostics import Column, opened, read

TABLES = {
    "losses": {
        "step": Column(pa.int64(), "steps", "taken before"),
        "loss": Column(pa.float64(), "nat", "there"),
        "grows": Column(pa.bool_(), "", "whether it does"),
    },
    "facts": {"name": Column(pa.string(), "", "whose")},
}
ABOUT = {"recipe": "post4", "data": "cifar10", "batches": 2}
WHERE = {"seconds": 1.5}


def losses(*values):
    return [{"step": step, "loss": value, "grows": False} for step, value in enumerate(values)]


def fill(results, **parts):
    with opened(results, "one", "kind", TABLES, ABOUT) as study:
        for name, rows in parts.items():
            study.put(name, rows, WHERE)


def test_pandas_reads_the_rows_of_all_parts(tmp_path):
    fill(tmp_path, a={"losses": losses(2.0, 1.0)}, b={"losses": losses(float("nan")), "facts": [{"name": "x"}]})
    fill(tmp_path, c={"losses": losses(3.0)})
    folder = tmp_path / "studies" / "one"
    study = read(folder, "kind", TABLES)
    expected = pd.DataFrame({"step": [0, 1, 0, 0], "loss": [2, 1, float("nan"), 3], "grows": [False] * 4})
    pd.testing.assert_frame_equal(study.table("losses"), expected)
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "losses"), expected)
    assert study.table("facts")["name"].tolist() == ["x"]
    assert [*study.parts] == ["a", "b", "c"] and study.parts["b"] == WHERE
    assert study.about == ABOUT


def test_the_columns_say_what_they_hold(tmp_path):
    fill(tmp_path, a={"losses": losses(2.0)})
    schema = pq.read_schema(tmp_path / "studies" / "one" / "losses" / "a.parquet")
    assert schema.field("loss").metadata == {b"unit": b"nat", b"meaning": b"there"}
    assert schema.metadata[b"schema_version"] == b"1"


def test_a_table_without_rows_has_its_columns(tmp_path):
    fill(tmp_path)
    table = read(tmp_path / "studies" / "one", "kind", TABLES).table("losses")
    assert table.empty and [*table.columns] == [*TABLES["losses"]]


def test_a_part_that_was_interrupted_is_not_read_and_is_replaced(tmp_path, monkeypatch):
    with opened(tmp_path, "one", "kind", TABLES, ABOUT) as study:
        study.put("a", {"losses": losses(1.0)}, WHERE)
        monkeypatch.setattr(diagnostics, "write_json", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            study.put("b", {"losses": losses(5.0, 6.0)}, WHERE)
    monkeypatch.undo()
    folder = tmp_path / "studies" / "one"
    assert (folder / "losses" / "b.parquet").exists()
    assert read(folder, "kind", TABLES).table("losses")["loss"].tolist() == [1.0]
    fill(tmp_path, b={"losses": losses(7.0)})
    assert read(folder, "kind", TABLES).table("losses")["loss"].tolist() == [1.0, 7.0]


@pytest.mark.parametrize("change", [{"batches": 4}, {"more": 1}])
def test_another_study_under_the_same_name_is_refused(tmp_path, change):
    fill(tmp_path, a={"losses": losses(1.0)})
    with pytest.raises(StudyError) as refusal, opened(tmp_path, "one", "kind", TABLES, {**ABOUT, **change}):
        pass
    assert f"another {next(iter(change))}" in str(refusal.value) and "--name" in str(refusal.value)
    assert read(tmp_path / "studies" / "one", "kind", TABLES).parts


def test_what_is_different_is_named_by_its_path(tmp_path):
    def begin(width):
        with opened(
            tmp_path, "one", "kind", TABLES, {"recipe": "x", "values": {"model": {"width": width, "depth": 2}}}
        ):
            pass

    begin(8)
    with pytest.raises(StudyError, match=r"another values\.model\.width\n(.*\n)* +got +16\n +allowed +8\n"):
        begin(16)


def test_files_without_a_record_are_no_part_of_a_new_study(tmp_path):
    fill(tmp_path, a={"losses": losses(1.0)})
    (tmp_path / "studies" / "one" / "record.json").unlink()
    with pytest.raises(StudyError, match=r"no record\.json"):
        fill(tmp_path)
    assert not (tmp_path / "studies" / "one" / "record.json").exists()


def test_another_kind_is_refused(tmp_path):
    fill(tmp_path)
    with pytest.raises(StudyError, match="another kind"), opened(tmp_path, "one", "other", TABLES, ABOUT):
        pass
    with pytest.raises(StudyError, match="another kind"):
        read(tmp_path / "studies" / "one", "other", TABLES)


def test_a_study_has_one_driver(tmp_path):
    with (
        opened(tmp_path, "one", "kind", TABLES, ABOUT),
        pytest.raises(StudyError, match="in use"),
        opened(tmp_path, "one", "kind", TABLES, ABOUT),
    ):
        pass
    fill(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_a_damaged_record_is_named(tmp_path, text):
    fill(tmp_path)
    (tmp_path / "studies" / "one" / "record.json").write_text(text)
    with pytest.raises(StudyError) as refusal, opened(tmp_path, "one", "kind", TABLES, ABOUT):
        pass
    assert "record.json" in str(refusal.value)


def test_a_damaged_table_is_named(tmp_path):
    fill(tmp_path, a={"losses": losses(1.0)})
    file = tmp_path / "studies" / "one" / "losses" / "a.parquet"
    file.write_bytes(file.read_bytes()[:20])
    with pytest.raises(StudyError, match="losses"):
        read(tmp_path / "studies" / "one", "kind", TABLES).table("losses")


def test_a_name_that_is_no_folder_is_refused(tmp_path):
    with pytest.raises(StudyError, match="not a usable name"), opened(tmp_path, "../x", "kind", TABLES, ABOUT):
        pass
    assert not (tmp_path / "x").exists()


def test_the_record_is_plain_json(tmp_path):
    fill(tmp_path, a={"losses": losses(1.0)})
    record = json.loads((tmp_path / "studies" / "one" / "record.json").read_text())
    assert record == {"version": 1, "kind": "kind", "about": ABOUT, "parts": {"a": WHERE}}
