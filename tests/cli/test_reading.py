"""The commands that look at studies, spaces and recipes, and the one that trains the winner."""

import json
import re
import subprocess

import pandas as pd
import pytest
import torch
import yaml

from tests.cli.command import HPSEARCH, ROOT, TOY, hpsearch, space_file
from trainer import recipe
from trainer.batches import Normalizer, to_device
from trainer.data import load
from trainer.evaluate import evaluate
from trainer.final import load_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a study of the toy function, a noisy one with repeats, and one of the built-in trainer."""
    made = tmp_path_factory.mktemp("studies")
    space_file(made)
    assert hpsearch("run", "--space", "toy.yaml", "--inline", cwd=made).returncode == 0
    noisy = {"train": f'{{function: "{TOY}:train", noise: 0.05}}', "budget": "{trials: 15, repeats: auto}"}
    space_file(made, "noisy.yaml", **noisy)
    assert hpsearch("run", "--space", "noisy.yaml", "--inline", cwd=made).returncode == 0
    options = ["--trials", 2, "--set", "augment.crop_padding=0", "--inline"]
    done = hpsearch("run", "--space", "quickstart", *options, cwd=made)
    assert done.returncode == 0, done.stderr
    return made


def test_list_names_every_study_with_its_counts(folder):
    entries = {entry["name"]: entry for entry in json.loads(hpsearch("list", "--json", cwd=folder).stdout)}
    assert entries["toy"]["counts"] == {"completed": 5}
    assert entries["quickstart"]["counts"] == {"completed": 2}
    printed = hpsearch("list", cwd=folder).stdout
    assert re.search(r"^toy\s+5\s+5\s+0\s+0\s+0 .*A parabola", printed, flags=re.MULTILINE)


def test_list_without_studies_says_how_to_make_one(tmp_path):
    done = hpsearch("list", cwd=tmp_path)
    assert done.returncode == 0 and "no studies" in done.stdout


def test_show_ranks_the_completed_trials(folder):
    trials = pd.read_parquet(folder / "results" / "toy" / "trials").sort_values("objective")
    shown = json.loads(hpsearch("show", "toy", "--json", cwd=folder).stdout)
    assert [setting["trial_id"] for setting in shown["top"]] == list(trials["trial_id"])
    assert shown["best"]["objective"] == trials["objective"].iloc[0]
    assert shown["counts"]["completed"] == 5 and shown["state"] == "finished"
    printed = hpsearch("show", "toy", cwd=folder).stdout
    rows = re.findall(r"^(\d{5}) ", printed, flags=re.MULTILINE)
    assert rows == list(trials["trial_id"])
    assert "completed 5" in printed and "trials an hour" in printed


def test_best_of_a_function_of_ones_own_is_its_parameters(folder, tmp_path):
    file = tmp_path / "best.yaml"
    done = hpsearch("best", "toy", "--write", file, cwd=folder)
    assert done.returncode == 0, done.stderr
    trials = pd.read_parquet(folder / "results" / "toy" / "trials").sort_values("objective")
    assert yaml.safe_load(file.read_text()) == {"lr": pytest.approx(trials["lr"].iloc[0])}


def test_best_says_which_settings_are_tied_with_it(folder, in_process):
    printed = in_process("best", "noisy", "--results", folder / "results").stdout
    said = json.loads(in_process("best", "noisy", "--json", "--results", folder / "results").stdout)
    members = said["tied"]["members"]
    assert said["config"] == said["tied"]["best"]["config"] in [member["config"] for member in members]
    assert said["trial_id"] == said["tied"]["best"]["trials"][0]
    assert printed.startswith(f"trial {said['trial_id']}  val_loss")
    assert re.search(rf"^tied +(all )?{len(members)} settings.* may be the best", printed, flags=re.MULTILINE)
    assert re.search(r"^noise +a run differs from the mean of its setting by 0\.", printed, flags=re.MULTILINE)
    assert "is to be expected" in printed and "in 4 of 5 such studies" in printed


def test_the_cheapest_of_the_tied_settings_can_be_written(folder, tmp_path, in_process):
    said = json.loads(in_process("best", "noisy", "--cheapest", "--json", "--results", folder / "results").stdout)
    assert said["tied"]["cheapest"] == said["tied"]["best"], "none takes a tenth of a second less"
    file = tmp_path / "cheap.yaml"
    done = in_process("best", "noisy", "--cheapest", "--write", file, "--results", folder / "results")
    assert done.stdout.startswith(f"trial {said['trial_id']}  val_loss")
    assert yaml.safe_load(file.read_text()) == said["config"] == said["tied"]["cheapest"]["config"]


def test_without_repeats_nobody_knows_the_cheapest(folder, in_process):
    done = in_process("best", "toy", "--cheapest", "--results", folder / "results")
    assert done.returncode == 2
    assert "it is not known which settings are tied: none was run twice" in done.stderr
    assert "--cheapest" in done.stderr and "`hpsearch extend toy --trials N --repeats auto --results" in done.stderr
    alone = in_process("best", "toy", "--results", folder / "results")
    assert alone.returncode == 0 and "the best may be the luckiest" in alone.stderr


def test_the_winner_is_trained_on_all_the_images_tested_and_saved(folder, tmp_path):
    trials = pd.read_parquet(folder / "results" / "quickstart" / "trials").sort_values("objective")
    winner = trials.iloc[0]
    file, model = tmp_path / "best.yaml", tmp_path / "model.pt"
    assert hpsearch("best", "quickstart", "--write", file, cwd=folder).returncode == 0
    written = recipe.load(file)
    assert written.schedule.lr.peak == pytest.approx(winner["lr"])
    assert written.schedule.weight_decay.peak == pytest.approx(winner["weight_decay"])
    assert written.batch_size == winner["batch_size"]
    assert written.augment.crop_padding == 0
    done = hpsearch("train", file, "--save", model, "--threads", 1, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = float(re.search(r"test_accuracy ([\d.]+)", done.stdout)[1])
    assert said > 0.9
    assert "all training images" in done.stdout
    saved, digits = load_model(model), load("digits")
    assert saved.recipe == written
    assert accuracy(saved, digits) == pytest.approx(said, abs=1e-3)


def accuracy(saved, dataset):
    cpu = torch.device("cpu")
    test = to_device(dataset.test_images, dataset.test_labels, cpu)
    normalize = Normalizer(saved.recipe.data.mean, saved.recipe.data.std, cpu)
    return evaluate(saved.network, test, normalize, "fp32", "none").accuracy


def test_validate_shows_what_a_search_will_do(folder):
    done = hpsearch("validate", "toy.yaml", "--probe", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "A parabola" in done.stdout and "a parabola" in done.stdout, "the goal, and what describe says"
    assert re.search(r"^lr +real +0.001 .. 1, log +0.1", done.stdout, flags=re.MULTILINE)
    first = re.findall(r"^0000\d +(\S+)", done.stdout, flags=re.MULTILINE)
    trials = pd.read_parquet(folder / "results" / "toy" / "trials").sort_values("number")
    assert [float(text) for text in first] == pytest.approx(list(trials["lr"]), rel=1e-3)
    assert re.search(r"the search +at most about [\d.]+ hours", done.stdout)


def test_a_reader_that_goes_away_is_no_error(folder):
    command = f"{HPSEARCH} list | true"
    done = subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr


def test_the_reference_results_can_be_read_and_reach_what_the_docs_say():
    shown = hpsearch("show", "wd_lr_cpu", "--results", "results/reference", "--json", cwd=ROOT)
    best = json.loads(shown.stdout)["best"]
    assert best["metrics"]["val_accuracy"] > 0.64
    page = (ROOT / "docs" / "performance.md").read_text()
    assert f"{best['metrics']['val_accuracy']:.4f}" in page and best["trial_id"] in page
