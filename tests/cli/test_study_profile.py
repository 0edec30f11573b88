"""``hpsearch study profile`` on real digits and real images."""

import json
import re

import pandas as pd
import pytest
import torch
import typer

from hpsearch.cli import study_profile
from hpsearch.cli.study_profile import profile
from hpsearch.errors import RecipeError, StudyError
from hpsearch.store.profile_tables import TABLES
from trainer import peak
from trainer.data import Source
from trainer.diagnostics.step_ablation import REMOVABLE
from trainer.diagnostics.step_parts import PARTS


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(study_profile, "BLOCK_SECONDS", 0.0)
    monkeypatch.setattr(study_profile, "LEAST_STEPS", 1)
    monkeypatch.setattr(peak, "_SIDE", {"cpu": 128})
    monkeypatch.setattr(peak, "_IMAGES", {"cpu": 2})
    monkeypatch.setattr(peak, "_COPIED", {"cpu": 2**20})
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    peak.measure.cache_clear()
    peak.bandwidth.cache_clear()


def study(folder, recipe="digits_quickstart", **options):
    defaults = {"data": None, "width": None, "epochs": None, "set_": None, "runs": 1, "seed": 0, "device": "cpu"}
    profile(recipe, **{**defaults, "threads": 1, "name": None, "results": folder, **options})
    return folder / "studies" / (options.get("name") or f"profile-{recipe}")


def test_tables_pictures_and_finding(tmp_path, capsys):
    folder = study(tmp_path, runs=2)
    assert {file.name for file in folder.iterdir()} >= {"finding.md", "parts.png", "roofline.png", *TABLES}
    timings, found = (pd.read_parquet(folder / name) for name in ("timings", "profile"))
    assert [*timings["part"]] == [*REMOVABLE] * 2
    assert [*found["part"]] == [*PARTS] * 2
    assert (timings[["whole", "without"]] > 0).all(axis=None)
    text = (folder / "finding.md").read_text()
    rows = re.findall(r"^\| (?!part|---|whole)[^|]+\| ([\d.]+) \| ([\d.]+)% \|", text, re.MULTILINE)
    assert sum(float(share) for _, share in rows) == pytest.approx(100, abs=1)
    assert "3. **" in text
    assert "finding.md" in capsys.readouterr().out


def test_it_goes_on_where_it_was_interrupted(tmp_path, monkeypatch, capsys):
    rounds = study_profile.Bench.round

    def interrupted(self, number):
        if number == 2:
            raise KeyboardInterrupt
        return rounds(self, number)

    monkeypatch.setattr(study_profile.Bench, "round", interrupted)
    with pytest.raises(typer.Exit) as ended:
        study(tmp_path, runs=2)
    assert ended.value.exit_code == 130
    monkeypatch.setattr(study_profile.Bench, "round", rounds)
    monkeypatch.setattr(study_profile.Bench, "count", None)  # stored already
    folder = study(tmp_path, runs=2)
    assert "3 of 4 parts are stored already" in capsys.readouterr().err
    assert [*json.loads((folder / "record.json").read_text())["parts"]] == [
        "counts",
        "ceilings",
        "round-01",
        "round-02",
    ]
    assert sorted(set(pd.read_parquet(folder / "profile")["round"])) == [1, 2]


@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        ("speed", ["model.whitening.images=200", "batch_size=100"]),
        ("post8_09_flip_test", ["model.whitening.images=200", "batch_size=32", "model.norm.splits=4"]),
        ("post1_baseline", ["batch_size=32"]),
    ],
)
def test_recipes_of_all_kinds_on_real_images(tmp_path, cifar_folder, cifar, monkeypatch, recipe, options):
    """Muon and whitening; ghost norm, an average and fp16 as a whole, which a CPU does not have; the other network."""
    monkeypatch.setattr(Source, "load", lambda _: cifar)
    small = ["data.train_images=1000", *options]
    folder = study(tmp_path, recipe, data=cifar_folder, width=4, set_=small)
    text = (folder / "finding.md").read_text()
    assert ("instead of fp16" in text) == (pd.read_parquet(folder / "step")["precision"].item() != "fp16")
    operators = pd.read_parquet(folder / "operators")
    muon = operators[(operators["part"] == "optimiser") & (operators["flop"] > 0)]
    assert (len(muon) > 0) == (recipe == "speed")


def test_other_options_are_another_study(tmp_path):
    study(tmp_path)
    with pytest.raises(StudyError, match="begun with another seed"):
        study(tmp_path, seed=1)
    with pytest.raises(StudyError, match="begun with another values"):
        study(tmp_path, set_=["batch_size=32"])


def test_batches_larger_than_the_data(tmp_path):
    with pytest.raises(RecipeError, match="a batch is larger than the training set"):
        study(tmp_path, set_=["batch_size=5000"])
