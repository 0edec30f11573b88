"""``hpsearch transfer`` on a study of a function of one's own and on the shipped reference study."""

import json

import pytest
import yaml

from tests.cli.command import ROOT, hpsearch, space_file
from trainer import recipe

REFERENCE = ROOT / "results" / "reference"

FUNCTION = """
import math

def train(trial):
    return {"val_loss": math.log10(trial.config["step"] / 0.1) ** 2}

def describe(settings):
    parameters = {"step": 0.1, "weight_decay": 5e-4, "batch_size": 64, "momentum": 0.9, "epochs": 10}
    return {"parameters": parameters, "optimizer": "adamw", "examples": 6400, "epochs": 10}
"""
PARAMETERS = "{step: {type: real, low: 0.01, high: 1.0, scale: log}, weight_decay: {type: constant, value: 1.0e-3}}"


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A folder with the study ``mine`` of three trials, the first of them the best."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "mine.py").write_text(FUNCTION)
    space_file(
        folder,
        "mine.yaml",
        train="{function: 'mine.py:train'}",
        parameters=PARAMETERS,
        coordinates="{lr: step}",
        start_with="[{step: 0.1}]",
        budget="{trials: 3}",
    )
    done = hpsearch("run", "--space", "mine.yaml", "--inline", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_study_of_ones_own_function_moves_and_is_written_as_its_parameters(own):
    done = hpsearch("transfer", "mine", "--batch-size", 256, "--epochs", 5, "--write", "moved.yaml", cwd=own)
    assert done.returncode == 0, done.stderr
    assert "lr / sqrt(batch_size) and tau held" in done.stdout
    expected = {"step": pytest.approx(0.2), "weight_decay": pytest.approx(4e-3), "batch_size": 256, "epochs": 5}
    assert yaml.safe_load((own / "moved.yaml").read_text()) == expected


def test_another_trial_and_json(own, in_process):
    results = ["--results", own / "results", "--json"]
    data = json.loads(in_process("transfer", "mine", "--trial", "00002", "--momentum", 0.5, *results).stdout)
    tried = json.loads(in_process("show", "mine", *results).stdout)["top"]
    (trial,) = [one for one in tried if one["trial_id"] == "00002"]
    assert data["trial_id"] == "00002" and data["before"]["lr"] == trial["config"]["step"]
    assert data["config"] == {"step": trial["config"]["step"], "weight_decay": 1e-3, "momentum": 0.5}


def test_the_reference_study_moves_without_its_data(tmp_path, in_process):
    options = ["--results", REFERENCE, "--batch-size", 512]
    best = json.loads(in_process("best", "wd_lr_cpu", "--results", REFERENCE, "--json").stdout)["config"]
    file = tmp_path / "moved.yaml"
    done = hpsearch("transfer", "wd_lr_cpu", *options, "--epochs", 10, "--write", file, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "batch_size: lr / batch_size and tau held" in done.stdout and "with lr kept" in done.stdout
    assert "below 200: too few steps" in done.stdout  # 195
    written = recipe.load(file)
    assert written.schedule.lr.peak == pytest.approx(best["lr"] * 512 / best["batch_size"])
    assert written.schedule.weight_decay.peak == pytest.approx(best["weight_decay"] / 2)
    assert (written.batch_size, written.epochs, written.schedule.lr.epochs[-1]) == (512, 10, 10)
    assert written.data.train_images == 10_000 and written.expect.accuracy is None


def test_a_recipe_for_more_images(tmp_path, in_process):
    file = tmp_path / "moved.yaml"
    options = ["--results", REFERENCE, "--images", 45_000, "--write", file]
    assert in_process("transfer", "wd_lr_cpu", *options).returncode == 0
    assert recipe.load(file).data.train_images == 45_000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["mine"], ["nothing to move to", "--batch-size", "--momentum"]),
        (["mine", "--momentum", 1], ["--momentum", "below 1"]),
        (["mine", "--momentum", "nan"], ["--momentum", "below 1"]),
        (["mine", "--batch-size", 0], ["--batch-size", "1 or above"]),
        (["mine", "--epochs", -3], ["--epochs", "1 or above"]),
        (["mine", "--momentum", 0.9], ["nothing changes"]),
        (["mien", "--momentum", 0.8], ["mien", "did you mean 'mine'?"]),
        (["mine", "--momentum", 0.8, "--trial", "00009"], ["--trial", "00000, 00001, 00002"]),
        (["mine", "--momentum", 0.8, "--write", "none/x.yaml"], ["--write", "none/x.yaml"]),
    ],
)
def test_bad_input_is_explained(own, in_process, monkeypatch, arguments, words):
    monkeypatch.chdir(own)
    done = in_process("transfer", *arguments)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert all(word in done.stderr for word in words), done.stderr


def test_a_study_that_does_not_know_its_optimizer_says_what_to_add(tmp_path, in_process):
    space_file(tmp_path)
    assert hpsearch("run", "--space", "toy.yaml", "--inline", cwd=tmp_path).returncode == 0
    done = in_process("transfer", "toy", "--batch-size", 2, "--results", tmp_path / "results")
    assert done.returncode == 2
    assert "weight_decay, batch_size, momentum, optimizer" in done.stderr and "under coordinates:" in done.stderr


def test_a_study_without_a_completed_trial_has_nothing_to_move(tmp_path, in_process):
    space_file(tmp_path, "bad.yaml", objective="{metric: val_loss, mode: min, bound: -1}", budget="{trials: 1}")
    hpsearch("run", "--space", "bad.yaml", "--inline", cwd=tmp_path)
    done = in_process("transfer", "bad", "--batch-size", 2, "--results", tmp_path / "results")
    assert done.returncode == 2 and "run to its end" in done.stderr
