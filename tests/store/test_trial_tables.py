"""Tables that ride along in reports: one file per trial, readable as one table whatever the trials brought."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from hpsearch.store.trial_tables import LARGE
from hpsearch.store.writer import StudyWriter
from hpsearch.trial import EpochReport, Status

from .examples import make_space, make_trial, run_trial


def reports_with(*tables: dict[str, Any]) -> list[EpochReport]:
    return [EpochReport(epoch, {"val_loss": 1.0}, 1.0, tables={"dynamics": t}) for epoch, t in enumerate(tables, 1)]


def write(results: Path, *trials: tuple[int, list[EpochReport]]) -> pd.DataFrame:
    with StudyWriter.create(results, "s", make_space(), {}) as writer:
        for number, reports in trials:
            run_trial(writer, make_trial(number, reports), reports)
    return pd.read_parquet(results / "s" / "dynamics")


def test_rows_of_all_epochs_are_joined_and_keyed(tmp_path: Path) -> None:
    layers, norms = np.array(["a", "b"]), np.arange(2, dtype=np.float32)
    frame = write(tmp_path, (7, reports_with({"layer": layers, "norm": norms}, {"layer": layers, "norm": norms + 1})))
    assert list(frame.columns) == ["trial_id", "epoch", "layer", "norm"]
    assert list(frame["trial_id"]) == ["00007"] * 4
    assert list(frame["epoch"]) == [1, 1, 2, 2]
    assert list(frame["norm"]) == [0, 1, 1, 2]
    assert frame["norm"].dtype == np.float32
    assert [path.name for path in (tmp_path / "s" / "dynamics").iterdir()] == ["trial-00007.parquet"]
    assert pq.read_schema(tmp_path / "s" / "dynamics" / "trial-00007.parquet").metadata[b"study"] == b"s"


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_columns_and_types_of_all_trials_are_kept_in_any_order(tmp_path: Path, order: tuple[int, ...]) -> None:
    tables = [{"a": [1, 2]}, {"a": [0.5]}, {"a": [3], "b": ["x"]}]
    frame = write(tmp_path, *((number, reports_with(tables[number])) for number in order))
    assert frame.sort_values("trial_id")["a"].tolist() == [1, 2, 0.5, 3]
    assert frame.sort_values("trial_id")["b"].isna().tolist() == [True, True, True, False]


def test_a_large_table_is_compressed_and_reads_the_same(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).lognormal(size=LARGE + 1).astype(np.float32)
    table = {"norm": noise, "layer": np.tile(["a", "b"], len(noise))[: len(noise)]}
    small = {name: values[:LARGE] for name, values in table.items()}
    frame = write(tmp_path, (0, reports_with(table)), (1, reports_with(small)))
    assert np.array_equal(frame["norm"], np.concatenate([noise, noise[:LARGE]]))
    large, less = sorted((tmp_path / "s" / "dynamics").iterdir())
    assert large.stat().st_size < 0.9 * less.stat().st_size


def test_a_resumed_study_goes_on_with_the_columns_it_had(tmp_path: Path) -> None:
    write(tmp_path, (1, reports_with({"a": [1], "b": [1]})))
    with StudyWriter.open(tmp_path, "s") as writer:
        run_trial(writer, make_trial(0), reports_with({"a": [2]}))
    assert pd.read_parquet(tmp_path / "s" / "dynamics")["b"].isna().tolist() == [True, False]


def test_an_empty_first_trial_hides_nothing(tmp_path: Path) -> None:
    frame = write(tmp_path, (0, reports_with({"a": np.array([None])})), (1, reports_with({"a": [1.5]})))
    assert frame["a"].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"a": [1], "b": [1, 2]}, "length"),
        ({"a": [[1, 2]]}, "dimension"),
        ({"a": 5.0}, "trial 00000"),
        ({"a": [object()]}, "dynamics"),
        ({"epoch": [1]}, "'epoch' is added by the store"),
    ],
)
def test_what_is_no_table_is_left_out_with_a_note_and_the_search_goes_on(
    tmp_path: Path, table: dict[str, Any], message: str
) -> None:
    with StudyWriter.create(tmp_path, "s", make_space(), {}) as writer:
        run_trial(writer, make_trial(0), reports_with(table))
        run_trial(writer, make_trial(1), reports_with({"norm": [1.0]}))
    trials = pd.read_parquet(tmp_path / "s" / "trials")
    assert message in trials["note"][0] and trials["note"].isna()[1]
    assert set(pd.read_parquet(tmp_path / "s" / "dynamics")["trial_id"]) == {"00001"}


def test_a_column_that_changes_its_kind_between_trials_costs_the_table_only(tmp_path: Path) -> None:
    with StudyWriter.create(tmp_path, "s", make_space(), {}) as writer:
        run_trial(writer, make_trial(0), reports_with({"norm": ["large"]}))
        run_trial(writer, make_trial(1), reports_with({"norm": [1.0]}))
    trials = pd.read_parquet(tmp_path / "s" / "trials")
    assert list(trials["status"]) == ["completed", "completed"]
    assert "dynamics" in trials["note"][1]
    assert set(pd.read_parquet(tmp_path / "s" / "dynamics")["trial_id"]) == {"00000"}


@pytest.mark.parametrize("name", ["trials", "epochs", "work", "../x", ".x", ""])
def test_names_that_would_leave_the_study_or_its_tables_are_left_out(tmp_path: Path, name: str) -> None:
    report = EpochReport(1, {}, 1.0, tables={name: {"a": [1]}})
    with StudyWriter.create(tmp_path, "s", make_space(), {}) as writer:
        run_trial(writer, make_trial(0), [report])
    assert "name of a table" in pd.read_parquet(tmp_path / "s" / "trials")["note"][0]
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_a_working_folder_stays_only_with_something_in_it(tmp_path: Path) -> None:
    with StudyWriter.create(tmp_path, "s", make_space(), {}) as writer:
        folders = [writer.folder / "work" / name for name in ("00000", "00001", "00002")]
        for folder in folders:
            folder.mkdir(parents=True)
            (folder / "checkpoint.pt").write_text("state")
        (folders[0] / "note.txt").write_text("kept")
        run_trial(writer, make_trial(0))
        run_trial(writer, make_trial(1))
        run_trial(writer, make_trial(2, status=Status.FAILED))
    kept = {str(path.relative_to(tmp_path / "s" / "work")) for path in (tmp_path / "s" / "work").rglob("*.*")}
    assert kept == {"00000/note.txt", "00002/checkpoint.pt"}, "a failed trial may be wanted again"
