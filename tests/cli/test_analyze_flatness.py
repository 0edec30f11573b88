"""``hpsearch analyze flatness`` on the shipped studies, on one of a function of one's own, and on what it refuses."""

import json
import subprocess
import sys

import pytest

from hpsearch.store.writer import StudyWriter
from tests.cli.command import ROOT, hpsearch, space_file
from tests.store.examples import make_reports, make_space, make_trial

REFERENCE = ["--results", ROOT / "results" / "reference"]

FUNCTION = """
import math

def train(trial):
    lr, batch = trial.config["lr"], trial.config["batch_size"]
    noise = ((trial.seed * 2654435761) % 1000 / 1000 - 0.5) / 10
    return {"val_loss": 1 + math.log2(lr / batch * 1280) ** 2 / 10 + noise}
"""
PARAMETERS = (
    "{lr: {type: real, low: 0.01, high: 1.0, scale: log}, batch_size: {type: integer, low: 32, high: 512, scale: log}}"
)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A folder with the study ``mine``: only lr / batch_size matters; it knows neither momentum nor its optimizer."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "mine.py").write_text(FUNCTION)
    space_file(
        folder,
        "mine.yaml",
        train="{function: 'mine.py:train'}",
        parameters=PARAMETERS,
        budget="{trials: 25}",
        sampler="{name: sobol}",
    )
    done = hpsearch("run", "--space", "mine.yaml", "--inline", cwd=folder)
    assert done.returncode == 0, done.stderr
    with StudyWriter.create(
        folder / "results", "few", make_space(budget={"trials": 2}, coordinates={"optimizer": "sgd"}), {}
    ) as writer:
        for number in range(2):
            writer.finished(make_trial(number, make_reports([1.0])))
    return folder


def test_the_reference_study_in_words_and_in_a_picture(tmp_path, in_process):
    file = tmp_path / "flat.png"
    done = in_process("analyze", "flatness", "proxy_grid", *REFERENCE, "--plot", file)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "lr / batch_size held: does not hold" in lines and "lr / (1 - momentum) held: holds" in lines
    assert "lr * weight_decay held: not enough data, the ratio may lie on either side of 0.5" in lines
    (said,) = [line for line in lines if line.startswith("  1 - momentum x2 costs")]
    assert "0.018 (0.003 to 0.034) with lr x2, 0.081 (0.063 to 0.099) with lr /2" in said and "lr kept; ratio" in said
    assert "weight_decay x4, lr /4" in done.stdout and "tau" in done.stdout
    assert file.read_bytes().startswith(b"\x89PNG")


def test_json_and_another_window(in_process):
    done = in_process("analyze", "flatness", "proxy_grid", *REFERENCE, "--json", "--window", 1)
    data = json.loads(done.stdout)
    assert (data["trials"], data["fitted"], data["freedom"]) == (288, 288, 273)
    assert data["claims"][2]["verdict"] == "holds" and data["claims"][2]["ratio"]["high"] < 0.5
    assert data["curvatures"]["coordinates"]["rate"]["value"] > 0


def test_a_study_of_ones_own_function_that_knows_little(own, in_process):
    done = in_process("analyze", "flatness", "mine", "--results", own / "results", "--plot", own / "flat.svg")
    assert done.returncode == 0, done.stderr
    assert "lr / batch_size held: holds" in done.stdout
    assert "lr / (1 - momentum) held: not enough data, the study does not know momentum" in done.stdout
    assert "the study does not know weight_decay" in done.stdout
    assert "<svg" in (own / "flat.svg").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["mien"], ["mien", "did you mean 'mine'?"]),
        (
            ["few"],
            ["too few full runs", "2 of the 2 trials", "at least 8 for a quadratic in lr, batch_size", "resume few"],
        ),
        (["mine", "--window", 0], ["--window", "not a share of the trials", "above 0, at most 1"]),
        (["mine", "--window", "nan"], ["--window", "above 0, at most 1"]),
        (["mine", "--plot", "x.pdf"], ["--plot", "PNG or SVG", ".png, .svg"]),
        (["mine", "--plot", "none/x.png"], ["--plot", "cannot write the picture", "none/x.png"]),
    ],
)
def test_bad_input_is_explained(own, in_process, monkeypatch, arguments, words):
    monkeypatch.chdir(own)
    done = in_process("analyze", "flatness", *arguments)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert all(word in done.stderr for word in words), done.stderr
    assert not done.stdout


def test_a_study_with_nothing_of_this_has_no_picture(tmp_path, in_process):
    file = tmp_path / "flat.png"
    done = in_process("analyze", "flatness", "ablate_speed", *REFERENCE, "--plot", file)
    assert done.returncode == 2 and "no picture" in done.stderr and not file.exists()
    assert "lr and momentum would have to vary" in done.stdout and "noise" in done.stdout


def test_a_surface_without_an_optimum_is_given_no_costs(tmp_path, in_process):
    """Losses on a hill: what looks best lies at its foot on all sides, and a move away from the middle improves it."""
    values = {"lr": {"type": "real", "low": 0.01, "high": 1.0}, "weight_decay": {"type": "real", "low": 0, "high": 1}}
    space = make_space(values, budget={"trials": 49}, coordinates={"optimizer": "sgd"})
    with StudyWriter.create(tmp_path, "hill", space, {}) as writer:
        for number in range(49):
            x, y = number % 7 - 3, number // 7 - 3
            config = {"lr": 0.1 * 2.0**x, "weight_decay": 1e-3 * 2.0**y}
            writer.finished(make_trial(number, config=config, objective=2 - (x**2 + y**2) / 20 + 0.01 * (number % 2)))
    done = in_process("analyze", "flatness", "hill", "--results", tmp_path, "--window", 1)
    assert done.returncode == 0, done.stderr
    assert "lr * weight_decay held: not enough data, the surface has no optimum" in done.stdout
    assert "best around  not known" in done.stdout and "costs -" not in done.stdout and "forward" not in done.stdout


def test_too_few_for_a_surface_says_how_many_it_takes(in_process):
    done = in_process("analyze", "flatness", "wd_lr_cpu", *REFERENCE)
    assert done.returncode == 2 and "at least 13 for a quadratic in lr, weight_decay, batch_size" in done.stderr


def test_the_command_line_does_not_import_what_draws():
    code = "import sys, hpsearch.cli.app; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "False"
