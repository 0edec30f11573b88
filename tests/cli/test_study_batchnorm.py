"""``hpsearch study batchnorm`` from the command line, on the digits that scikit-learn brings."""

import json
import signal
import time

import pandas as pd
import pytest

from hpsearch.store.batch_norm_tables import TABLES
from tests.cli.command import hpsearch, start

SMALL = [
    *("study", "batchnorm", "digits_quickstart", "--epochs", "2", "--batches", "2", "--batch-size", "64"),
    *("--depth", "12", "--eigenvalues", "3", "--products", "10", "--threads", "1"),
]
NAME = "batchnorm-digits_quickstart"
PARTS = 10


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studied")
    done = hpsearch(*SMALL, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, done


def test_every_table_is_there_with_all_three_networks(studied):
    folder, _ = studied
    for name in TABLES:
        table = pd.read_parquet(folder / "results" / "studies" / NAME / name)
        assert len(table) and set(table["seed"]) == {0}
        if name != "init_layers":
            assert set(table["network"]) == {"batch_norm", "frozen_batch_norm", "no_norm"}


def test_the_frozen_network_has_the_weights_of_the_other_and_a_like_loss(studied):
    folder, _ = studied
    networks = pd.read_parquet(folder / "results" / "studies" / NAME / "networks").set_index("network")
    active, frozen = networks.loc["batch_norm"], networks.loc["frozen_batch_norm"]
    assert (active["norm"], active["val_accuracy"]) == (frozen["norm"], frozen["val_accuracy"])
    assert active["loss"] != frozen["loss"] and abs(active["loss"] - frozen["loss"]) < 0.3


def test_the_finding_and_the_pictures_lie_beside_the_tables_and_are_named(studied):
    folder, done = studied
    study = folder / "results" / "studies" / NAME
    finding = (study / "finding.md").read_text()
    assert finding.strip() in done.stdout
    pictures = sorted(file.name for file in study.glob("*.png"))
    assert len(pictures) >= 4 and all(name in done.stdout for name in pictures)


def test_the_same_command_again_computes_nothing_and_finds_the_same(studied):
    folder, done = studied
    again = hpsearch(*SMALL, cwd=folder)
    assert again.returncode == 0, again.stderr
    assert f"{PARTS} of {PARTS} parts are stored already" in again.stderr
    assert again.stdout == done.stdout


def test_another_scope_under_the_same_name_is_refused(studied):
    folder, _ = studied
    refused = hpsearch(*SMALL, "--depth", "14", cwd=folder)
    assert refused.returncode == 2
    assert "another depth" in refused.stderr and "--name" in refused.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--set", "model.norm.kind=none"], "no batch norm"),
        (["--batches", "50"], "too few training images"),
        (["--until", "3"], "the training ends before"),
        (["--products", "2"], "too few products"),
        (["--set", "lr=1e9"], "the training diverged"),
    ],
)
def test_what_cannot_be_done_is_refused(tmp_path, options, said):
    refused = hpsearch(*SMALL, *options, cwd=tmp_path)
    assert refused.returncode == 2, refused.stderr
    assert said in refused.stderr and "Traceback" not in refused.stderr


def test_an_unknown_recipe_gets_the_nearest_name(tmp_path):
    refused = hpsearch("study", "batchnorm", "digits_quickstar", cwd=tmp_path)
    assert refused.returncode == 2 and "did you mean 'digits_quickstart'?" in refused.stderr


def test_after_an_interruption_it_goes_on_with_what_is_missing(tmp_path):
    running = start(*SMALL, cwd=tmp_path)
    record = tmp_path / "results" / "studies" / NAME / "record.json"
    deadline = time.monotonic() + 120
    while not (record.exists() and len(json.loads(record.read_text())["parts"]) >= 2):
        assert time.monotonic() < deadline and running.poll() is None
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    said, _ = running.communicate(timeout=60)
    assert running.returncode == 130 and "the same command once more" in said
    before = json.loads(record.read_text())["parts"]
    done = hpsearch(*SMALL, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{len(before)} of {PARTS} parts are stored already" in done.stderr
    after = json.loads(record.read_text())["parts"]
    assert len(after) == PARTS and before.items() <= after.items()
