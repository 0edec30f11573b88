"""``hpsearch study forgetting`` from the recipe to the finding, on the digits, in this process."""

import json
import signal

import pandas as pd
import pytest

from hpsearch.cli import study_forgetting_replays
from hpsearch.store.forgetting_tables import TABLES
from trainer import objective

SMALL = ["digits_quickstart", "--epochs", 2, "--width", 4, "--inline", "--threads", 1]
SCAN = ["--batch-size", 64, "--batch-size", 256, "--rate", 0.25, "--rate", 1]
ONE = [*SMALL, "--runs", 1, "--batch-size", 64, "--rate", 1]


@pytest.fixture
def forgetting(in_process, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: in_process("study", "forgetting", *arguments)


def test_a_study_from_beginning_to_end_and_once_more(forgetting, tmp_path):
    done = forgetting(*SMALL, *SCAN)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "results" / "studies" / "forgetting-digits_quickstart"
    trials = pd.read_parquet(folder / "lr_scan" / "trials")
    assert sorted(trials.groupby(["batch_size", "lr"]).size().items()) == [
        ((64, pytest.approx(0.05)), 2),
        ((64, pytest.approx(0.2)), 2),
        ((256, pytest.approx(0.2)), 2),
        ((256, pytest.approx(0.8)), 2),
    ]
    assert set(trials["weight_decay"]) == {5e-4} and trials["seed"].nunique() == 8
    runs, replays = (pd.read_parquet(folder / name) for name in ("forgetting_runs", "replays"))
    assert len(runs) == 8 and set(runs["lr"].round(9)) == {0.05, 0.2} and not runs["diverged"].any()
    assert set(zip(runs["data"], runs["images"], runs["steps"], strict=True)) == {("full", 1077, 34), ("half", 539, 36)}
    assert runs["memory_steps"].round(6).unique().tolist() == [4000.0, 1000.0]
    batches = replays.groupby(["factor", "data", "seed", "order_seed"])["age"].agg(["size", "min", "max"])
    assert len(batches) == 16 and set(batches.loc[(1.0, "full")].itertuples(index=False, name=None)) == {(17, 0, 16)}
    own = replays[replays["seed"] == replays["order_seed"]]
    assert own[own["data"] == "half"].groupby(["factor", "seed"])["images"].sum().tolist() == [539] * 4
    finding = (folder / "finding.md").read_text()
    assert "digits_quickstart" in finding and "finding.md" in done.stdout
    assert all((folder / f"{name}.png").stat().st_size > 10_000 for name in ("lr_scan", "forgetting"))
    again = forgetting(*SMALL, *SCAN)
    assert again.returncode == 0 and "stored already (lr_scan)" in again.stderr and "8 of 8 parts" in again.stderr
    assert (folder / "finding.md").read_text() == finding
    other = forgetting(*SMALL, *SCAN, "--rate", 4)
    assert other.returncode == 2 and "begun with another rates" in other.stderr


def test_an_interrupted_study_goes_on(forgetting, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        calls = []

        def fit(run, train):
            calls.append(run)
            if len(calls) == 3:
                raise KeyboardInterrupt
            yield from original(run, train)

        original = study_forgetting_replays.fit
        patched.setattr(study_forgetting_replays, "fit", fit)
        assert forgetting(*ONE).returncode == 130
    folder = tmp_path / "results" / "studies" / "forgetting-digits_quickstart"
    kept = json.loads((folder / "record.json").read_text())["parts"]
    assert len(kept) == 2 and not (folder / "finding.md").exists()
    done = forgetting(*ONE)
    assert done.returncode == 0, done.stderr
    assert "2 of 4 parts are stored already" in done.stderr and (folder / "finding.md").exists()
    parts = json.loads((folder / "record.json").read_text())["parts"]
    assert {name: parts[name] for name in kept} == kept


def test_an_interrupted_search_goes_on(forgetting, tmp_path, monkeypatch):
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    with monkeypatch.context() as patched:
        calls = []

        def fit(run, *splits):
            calls.append(run)
            if len(calls) == 2:
                raise KeyboardInterrupt
            yield from original(run, *splits)

        original = objective.fit
        patched.setattr(objective, "fit", fit)
        assert forgetting(*ONE, "--batch-size", 128).returncode == 130
    for number, handler in handlers.items():
        signal.signal(number, handler)  # the command is done with them, and this process goes on
    scan = tmp_path / "results" / "studies" / "forgetting-digits_quickstart" / "lr_scan"
    first = pd.read_parquet(scan / "trials")
    assert len(first) == 1
    done = forgetting(*ONE, "--batch-size", 128)
    assert done.returncode == 0, done.stderr
    trials = pd.read_parquet(scan / "trials")
    assert trials["batch_size"].tolist() == [64, 128] and trials["started_at"][0] == first["started_at"][0]


def test_a_training_that_diverges_is_said_to_and_the_study_goes_on(forgetting, tmp_path):
    done = forgetting(*ONE, "--high", 1e6)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "results" / "studies" / "forgetting-digits_quickstart"
    runs = pd.read_parquet(folder / "forgetting_runs")
    assert runs.groupby("factor")["diverged"].all().tolist() == [False, True]
    assert runs[runs["diverged"]]["val_loss"].isna().all()
    assert "0 of 1" in (folder / "finding.md").read_text()


def test_the_columns_are_those_that_are_described(forgetting, tmp_path):
    assert forgetting(*ONE, "--name", "mine").returncode == 0
    for name, columns in TABLES.items():
        assert [*pd.read_parquet(tmp_path / "results" / "studies" / "mine" / name)] == [*columns]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--batch-size", 64, "--batch-size", 2048], ["a batch is larger than the training set", "2048", "2 to 1077"]),
        (["--set", "batch_size=600"], ["a batch is larger than the training set", "half of the images"]),
        (["--low", 2, "--high", 1], ["--low, --high", "0 < low < high"]),
        (["--until", 1, "--epochs", 8], ["still rises in epoch 1", "--until"]),
        (["--rate", -1], ["not a multiple of a rate", "--rate"]),
        (["--set", "optimizer.name=adam"], ["rate"]),
        (["--name", "a/b"], ["not a usable name"]),
        (["--set", "data.held_out=1"], ["held out", "2 or more"]),
    ],
)
def test_bad_input_stops_before_anything_is_trained(forgetting, tmp_path, arguments, words):
    done = forgetting(
        "digits_quickstart", "--inline", *(["--batch-size", 64] if "--batch-size" not in arguments else []), *arguments
    )
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert all(word in done.stderr for word in words), done.stderr
    assert not (tmp_path / "results").exists()
