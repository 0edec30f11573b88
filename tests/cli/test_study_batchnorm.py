"""``hpsearch study batchnorm`` from the recipe to the finding, on the digits, in this process."""

import json

import pandas as pd
import pytest

from hpsearch.cli import study_batchnorm_parts, study_batchnorm_pictures
from hpsearch.store.batch_norm_tables import TABLES
from trainer import recipe

SMALL = [
    *("--epochs", 2, "--width", 32, "--batches", 2, "--batch-size", 64, "--depth", 6),
    *("--eigenvalues", 2, "--products", 8, "--device", "cpu", "--threads", 1),
]
DIGITS = ["digits_quickstart", *SMALL]
NAME = "batchnorm-digits_quickstart"
PARTS = 10


@pytest.fixture
def batchnorm(in_process, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(study_batchnorm_parts, "CHANNELS", 8)
    monkeypatch.setattr(study_batchnorm_parts, "STEPS", 4)
    return lambda *arguments: in_process("study", "batchnorm", *arguments)


def test_a_study_from_beginning_to_end_and_once_more(batchnorm, tmp_path, monkeypatch):
    done = batchnorm(*DIGITS)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "results" / "studies" / NAME
    tables = {name: pd.read_parquet(folder / name) for name in TABLES}
    for name, table in tables.items():
        assert len(table) and set(table["seed"]) == {0} and [*table] == [*TABLES[name]]
        if name != "init_layers":
            assert set(table["network"]) == {"batch_norm", "frozen_batch_norm", "no_norm"}
    networks = tables["networks"].set_index("network")
    active, frozen = networks.loc["batch_norm"], networks.loc["frozen_batch_norm"]
    assert (active["norm"], active["val_accuracy"]) == (frozen["norm"], frozen["val_accuracy"])
    assert active["loss"] != frozen["loss"] and abs(active["loss"] - frozen["loss"]) < 0.3
    finding = (folder / "finding.md").read_text()
    pictures = sorted(file.name for file in folder.glob("*.png"))
    assert len(pictures) == 6 and all(name in done.stdout for name in [*pictures, "finding.md"])

    monkeypatch.setattr(study_batchnorm_pictures, "pictures", lambda _: {})
    again = batchnorm(*DIGITS)
    assert again.returncode == 0, again.stderr
    assert f"{PARTS} of {PARTS} parts are stored already" in again.stderr
    assert (folder / "finding.md").read_text() == finding

    refused = batchnorm(*DIGITS, "--depth", 7)
    assert refused.returncode == 2 and "another depth" in refused.stderr and "--name" in refused.stderr
    refused = batchnorm(*DIGITS, "--set", "batch_size=32")
    assert refused.returncode == 2 and "another values.batch_size" in refused.stderr


def test_after_an_interruption_it_goes_on_with_what_is_missing(batchnorm, tmp_path, monkeypatch):
    """And with the networks that are trained; a damaged one is named."""
    with monkeypatch.context() as patched:
        patched.setattr(study_batchnorm_parts, "leading", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        stopped = batchnorm(*DIGITS)
    assert stopped.returncode == 130 and "the same command once more" in " ".join(stopped.stderr.split())
    folder = tmp_path / "results" / "studies" / NAME
    before = json.loads((folder / "record.json").read_text())["parts"]
    assert [*before] == ["initial-s0", "batch_norm-s0-moves"]
    kept = folder / "trained" / "batch_norm-s0.pt"
    trained = kept.read_bytes()
    kept.write_bytes(trained[:100])
    refused = batchnorm(*DIGITS)
    assert refused.returncode == 2 and "batch_norm-s0.pt" in refused.stderr and "remove the file" in refused.stderr
    kept.write_bytes(trained)
    monkeypatch.setattr(study_batchnorm_pictures, "pictures", lambda _: {})
    done = batchnorm(*DIGITS)
    assert done.returncode == 0, done.stderr
    assert f"{len(before)} of {PARTS} parts are stored already" in done.stderr
    after = json.loads((folder / "record.json").read_text())["parts"]
    assert len(after) == PARTS and before.items() <= after.items() and kept.read_bytes() == trained


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--set", "model.norm.kind=none"], "no batch norm"),
        (["--batches", 50], "too few training images"),
        (["--until", 3], "the training ends before"),
        (["--products", 1], "--products"),
        (["--products", 2, "--eigenvalues", 3], "too few products"),
        (["--products", 90_000, "--eigenvalues", 90_000], "too few parameters"),
        (["--lr-without", "nan"], "lr"),
        (["--set", "model.norm.splits=3"], "equal parts"),
        (["--batch-size", 1], "--batch-size"),
        (["--until", 0], "--until"),
        (["--threads", 0], "--threads"),
        (["--name", "a/b"], "not a usable name"),
        (["--set", "model.widht=3"], "model.width"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_kept(batchnorm, tmp_path, options, said):
    refused = batchnorm(*DIGITS, *options)
    assert refused.returncode == 2, refused.stderr
    assert said in refused.stderr and "Traceback" not in refused.stderr
    assert not (tmp_path / "results").exists()


def test_an_unknown_recipe_gets_the_nearest_name(batchnorm):
    refused = batchnorm("digits_quickstar")
    assert refused.returncode == 2 and "did you mean 'digits_quickstart'?" in refused.stderr


def test_a_training_that_diverges_is_said_to(batchnorm):
    refused = batchnorm(*DIGITS, "--set", "lr=1e9")
    assert refused.returncode == 2 and "the training diverged" in refused.stderr


def test_a_recipe_in_a_file(batchnorm, tmp_path, monkeypatch):
    """Ghost norm, an average, and a frozen scale."""
    monkeypatch.setattr(study_batchnorm_pictures, "pictures", lambda _: {})
    changed = recipe.load("digits_quickstart").model_dump(mode="json")
    changed["model"]["norm"] |= {"splits": 4, "scale": "frozen"}
    changed |= {"drop_last": True, "average": {"every": 2, "momentum": 0.9}, "precision": "bf16"}
    (tmp_path / "mine.yaml").write_text(json.dumps(changed))
    done = batchnorm("mine.yaml", *SMALL, "--results", tmp_path / "not" / "there")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "not" / "there" / "studies" / "batchnorm-mine" / "finding.md").exists()
