"""What follows from a configuration stands beside it: rate and tau, or learning rate and weight decay, ratio, noise."""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hpsearch.space.coordinate_spec import CoordinateSpec
from hpsearch.store.reader import open_study
from hpsearch.store.schema import StudySchema
from hpsearch.store.writer import StudyWriter

from .examples import make_reports, make_space, make_trial, run_trial

RUN = {"optimizer": "sgd_nesterov", "examples": 50_000, "epochs": 24, "reference": {"weight_decay": 5e-4}}
REFERENCE = Path(__file__).parents[2] / "results" / "reference"
QUANTITIES = ["lr", "weight_decay", "batch_size", "momentum", "rate", "tau", "ratio", "noise"]

LOG = {"type": "real", "low": 1e-9, "high": 1e9, "scale": "log"}


def derived(parameters: dict[str, Any] | None = None, **block: Any) -> dict[str, str]:
    return StudySchema.of("s", make_space(parameters, coordinates={**RUN, **block})).derived_columns


def test_the_columns_are_those_that_are_no_parameters() -> None:
    assert list(derived()) == ["weight_decay", "rate", "tau", "ratio", "noise"]
    assert list(derived({"rate": LOG, "tau": LOG})) == [
        "lr",
        "weight_decay",
        "batch_size",
        "momentum",
        "ratio",
        "noise",
    ]
    assert list(derived({"learning_rate": LOG}, lr="learning_rate")) == QUANTITIES[1:]
    assert derived(optimizer=None) == {}


def test_they_hold_the_figures_of_post_4(tmp_path: Path) -> None:
    config = {"lr": 0.4, "batch_size": 512, "momentum": 0.9}
    space = make_space(coordinates=RUN)
    with StudyWriter.create(tmp_path, "s", space, {}) as writer:
        run_trial(writer, make_trial(0, make_reports([1.0]), config=config))
    (row,) = pd.read_parquet(tmp_path / "s" / "trials").to_dict("records")
    found = [row[name] for name in QUANTITIES]
    assert found == pytest.approx([0.4, 5e-4, 512, 0.9, 0.4 / 51.2, 500 / (50_000 * 24 / 512), 800, 390.625])
    schema = pq.read_schema(tmp_path / "s" / "trials" / "part-00000.parquet")
    for name in ("weight_decay", "rate", "tau", "ratio", "noise"):
        assert schema.field(name).type == pa.float64()
        assert schema.field(name).metadata[b"meaning"]
    assert schema.field("tau").metadata[b"unit"] == b"runs"


def test_a_study_in_coordinates_comes_back_as_it_was_proposed(tmp_path: Path) -> None:
    space = make_space(
        {"rate": LOG, "tau": LOG}, coordinates={**RUN, "reference": {"batch_size": 512, "momentum": 0.9}}
    )
    config = {"rate": 0.4 / 51.2, "tau": 0.2}
    trial = make_trial(0, make_reports([1.0]), config=config)
    with StudyWriter.create(tmp_path, "s", space, {}) as writer:
        run_trial(writer, trial, make_reports([1.0]))
    study = open_study(tmp_path, "s")
    assert study.history == (trial,)
    assert dict(study.history[0].config) == config
    assert study.trials["lr"].tolist() == pytest.approx([0.4])
    assert study.trials["weight_decay"].tolist() == pytest.approx([5e-4 / (0.2 * 50_000 * 24 / 512 / 500)])


def test_what_is_not_known_is_null(tmp_path: Path) -> None:
    space = make_space({"lr": LOG}, coordinates={"optimizer": "adamw", "reference": {"batch_size": 100}})
    with StudyWriter.create(tmp_path, "s", space, {}) as writer:
        run_trial(writer, make_trial(0, make_reports([1.0]), config={"lr": 0.5}))
    (row,) = pq.read_table(tmp_path / "s" / "trials").to_pylist()
    assert [row[name] for name in QUANTITIES] == [0.5, None, 100, None, 0.05, None, None, None]


def test_names_stay_distinct() -> None:
    own = {"tau": LOG, "noise": LOG, "derived.tau": LOG, "lr": LOG}
    schema = StudySchema.of("s", make_space(own, coordinates={**RUN, "tau": None}))
    schema = schema.with_metrics(["rate", "ratio", "derived.noise", "metric.rate"])
    assert schema.derived_columns["tau"] == "derived.derived.tau"
    assert schema.derived_columns["noise"] == "derived.noise"
    assert (schema.metric_columns["rate"], schema.metric_columns["derived.noise"]) == (
        "metric.rate",
        "metric.derived.noise",
    )
    for table in (schema.trials, schema.epochs):
        assert len(set(table.names)) == len(table.names)


def test_a_metric_with_the_name_of_a_derived_column_comes_back(tmp_path: Path) -> None:
    reports = make_reports([1.0])
    reports[0].metrics["rate"] = 7.0  # type: ignore[index]
    trial = make_trial(0, reports)
    with StudyWriter.create(tmp_path, "s", make_space(coordinates=RUN), {}) as writer:
        run_trial(writer, trial, reports)
    study = open_study(tmp_path, "s")
    assert study.history[0].metrics["rate"] == 7.0
    assert study.trials["rate"][0] == pytest.approx(trial.config["lr"] / (0.1 * 128))


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="no reference studies")
def test_a_study_of_before_goes_on_without_them(tmp_path: Path) -> None:
    shutil.copytree(REFERENCE / "wd_lr_cpu", tmp_path / "old")
    before = pd.read_parquet(tmp_path / "old" / "trials")
    with StudyWriter.open(tmp_path, "old") as writer:
        last = writer.history[-1]
        run_trial(writer, make_trial(last.number + 1, make_reports([1.0]), config=last.config))
    after = pd.read_parquet(tmp_path / "old" / "trials")
    new = ["origin", "repeat"]  # which all studies have by now
    assert [name for name in after.columns if name not in new] == list(before.columns)
    assert list(after.columns[2:4]) == new and after["origin"].iloc[-1] == "new"
    pd.testing.assert_frame_equal(after.drop(columns=new)[: len(before)], before)


def test_a_study_whose_run_came_to_be_known_goes_on(tmp_path: Path) -> None:
    """Its columns are null where they were not written."""
    with StudyWriter.create(tmp_path, "s", make_space(), {}) as writer:
        run_trial(writer, make_trial(0, make_reports([1.0])))
        writer.update(space=make_space().with_coordinates(CoordinateSpec.model_validate(RUN)).dump())
    with StudyWriter.open(tmp_path, "s") as writer:
        run_trial(writer, make_trial(1, make_reports([1.0])))
    assert pd.read_parquet(tmp_path / "s" / "trials")["tau"].isna().tolist() == [True, False]
