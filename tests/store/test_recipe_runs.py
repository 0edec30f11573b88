"""Rows of recipe runs: nothing is lost or changed on the way to the disk and back."""

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hpsearch.errors import StudyError
from hpsearch.store.files import read_json
from hpsearch.store.recipe_runs import FILE, SUMMARY_FILE, RecipeRun, append, prepare, read, scale, write_summary
from tests.store.recipe_run import make_run
from trainer.batches import batch_slices

ROOT = Path(__file__).parents[2]


def test_a_row_comes_back_as_it_was(tmp_path: Path) -> None:
    runs = [make_run(0), make_run(1, None, note="bf16 instead of fp16", target=None, reached=None, commit=None)]
    folder = tmp_path / "reproduce" / "example"
    for run in runs:
        append(folder, run)
    assert read(folder) == runs


def test_there_is_nothing_before_the_first_run(tmp_path: Path) -> None:
    assert read(tmp_path / "example") == []
    prepare(tmp_path / "example")
    assert read(tmp_path / "example") == []


def test_pandas_reads_it_with_a_column_for_every_field(tmp_path: Path) -> None:
    append(tmp_path, make_run(accuracy=None))
    frame = pd.read_parquet(tmp_path / FILE)
    assert list(frame.columns) == [field.name for field in fields(RecipeRun)]
    assert frame["accuracy"].isna().all()


def test_every_column_says_what_it_means(tmp_path: Path) -> None:
    append(tmp_path, make_run())
    schema = pq.read_schema(tmp_path / FILE)
    assert schema.metadata[b"schema_version"] == b"1"
    assert all(column.metadata[b"meaning"] for column in schema)
    units = {column.name: column.metadata[b"unit"] for column in schema}
    assert (units["petaflop"], units["seconds"], units["accuracy"]) == (b"10^15 FLOP", b"s", b"fraction")


def test_sessions_side_by_side_lose_no_row(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from hpsearch.store.recipe_runs import append
from tests.store.recipe_run import make_run
for seed in range(int(sys.argv[2]), int(sys.argv[2]) + 10):
    append(Path(sys.argv[1]), make_run(seed))
"""
    workers = [subprocess.Popen([sys.executable, "-c", code, tmp_path, str(10 * n)], cwd=ROOT) for n in range(3)]
    assert [worker.wait(120) for worker in workers] == [0, 0, 0]
    assert sorted(run.seed for run in read(tmp_path)) == list(range(30))


def test_a_row_that_cannot_be_written_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append(tmp_path, make_run(0))

    def full(table: object, path: Path, **_: object) -> None:
        path.write_bytes(b"PAR1 and no more")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(StudyError, match="No space left"):
        append(tmp_path, make_run(1))
    monkeypatch.undo()
    assert read(tmp_path) == [make_run(0)]


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"nothing")
    with pytest.raises(StudyError, match="cannot be read"):
        read(tmp_path)
    pq.write_table(pa.table({"accuracy": [0.9]}), tmp_path / FILE)
    with pytest.raises(StudyError, match="another version"):
        read(tmp_path)


def test_a_place_that_cannot_be_written_is_known_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StudyError, match="cannot be written"):
        prepare(tmp_path / "file" / "example")


def test_a_summary_replaces_the_one_before_and_leaves_the_rows(tmp_path: Path) -> None:
    append(tmp_path, make_run())
    for n in (1, 2):
        write_summary(tmp_path, {"n": n})
    assert read_json(tmp_path / SUMMARY_FILE) == {"n": 2}
    assert read(tmp_path) == [make_run()]
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_summary(tmp_path, {"n": float("nan")})
    assert read_json(tmp_path / SUMMARY_FILE) == {"n": 2}


def test_what_others_do_on_the_machine_is_not_the_run_s_own_time() -> None:
    assert make_run(threads=2, seconds=100.0, cpu_seconds=50.0).busy_seconds == 25.0
    assert make_run(device="a GPU", threads=2, seconds=100.0, cpu_seconds=50.0).busy_seconds == 100.0


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize(("images", "batch_size"), [(50_000, 512), (50_000, 500), (1437, 64), (129, 64), (130, 64)])
def test_images_trained_are_those_in_the_batches(images: int, batch_size: int, drop_last: bool) -> None:
    values = json.dumps({"batch_size": batch_size, "drop_last": drop_last})
    batches = batch_slices(images, batch_size, drop_last)
    expected = 3 * sum(batch.stop - batch.start for batch in batches)
    assert make_run(recipe=values, images=images, epochs=5, trained_epochs=3).images_trained == expected


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ((64, 64, 24, 24), "full"),
        ((8, 64, 24, 24), "width 8 of 64"),
        ((64, 64, 2, 24), "2 of 24 epochs"),
        ((16, 128, 2, 60), "width 16 of 128, 2 of 60 epochs"),
    ],
)
def test_scale_in_words(sizes: tuple[int, int, int, int], words: str) -> None:
    assert scale(*sizes) == words
