"""Searches with shorter runs and repeats, by the real command, with and without interruption."""

import json
import re
import shutil

import pandas as pd
import pytest

from tests.cli.command import TOY, hpsearch, space_file, start
from tests.cli.test_going_on import finished, wait_for
from tests.cli.test_run import trials_of

COLUMNS = ["number", "lr", "seed", "status", "objective", "epochs", "schedule", "origin", "repeat"]
BLOCKS = {"fidelity": "{epochs: [1, 2, 4], keep: weight_decay}", "budget": "{trials: 24, repeats: 6}"}


def train(seconds=0.0):
    return f'{{function: "{TOY}:train", epochs: 4, noise: 0.05, seconds: {seconds}}}'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a study that was not interrupted."""
    made = tmp_path_factory.mktemp("fidelity")
    space = space_file(made, train=train(), **BLOCKS)
    done = hpsearch("run", "--space", space, "--inline", "--name", "straight", cwd=made)
    assert done.returncode == 0, done.stderr
    (made / "printed").write_text(done.stdout)
    return made


def test_every_trial_runs_its_own_schedule_to_its_end(folder):
    trials = trials_of(folder, "straight")
    assert set(trials["status"]) == {"completed"}
    assert list(trials["epochs"]) == list(trials["schedule"])
    assert set(trials["schedule"]) == {1, 2, 4}
    assert set(trials.loc[trials["origin"] == "new", "schedule"]) == {1}
    repeats = trials[trials["origin"] == "repeat"]
    assert 3 <= len(repeats) <= 6 and set(repeats["schedule"]) == {4} and (repeats["repeat"] > 0).all()
    assert repeats["number"].min() == 18, "at the end"
    epochs = pd.read_parquet(folder / "results" / "straight" / "epochs")
    assert len(epochs) == trials["epochs"].sum()


def test_who_goes_on_is_the_best_of_the_shorter_runs_that_has_not(folder):
    trials = trials_of(folder, "straight")
    promotions = trials[trials["origin"] == "promotion"]
    assert set(promotions["schedule"]) == {2, 4}
    for one in promotions.itertuples():
        before = trials[trials["number"] < one.number]
        went_on = before.loc[before["schedule"] == one.schedule, "lr"]
        shorter = before[before["schedule"] == one.schedule // 2].set_index("lr")["objective"].drop(went_on)
        assert shorter.idxmin() == one.lr


def test_show_and_the_last_lines_of_run_name_the_rungs_and_the_tied(folder, in_process):
    trials = trials_of(folder, "straight")
    shown = in_process("show", "straight", "--results", folder / "results").stdout
    cost = trials["epochs"].sum() / 4
    for printed in (shown, (folder / "printed").read_text()):
        counts = dict(re.findall(r"^(\d) epochs? +(\d+) runs? of", printed, flags=re.MULTILINE))
        assert counts == {str(length): str(n) for length, n in trials["schedule"].value_counts().items()}
        assert re.search(rf"^cost +of {cost:.3g} full runs$", printed, flags=re.MULTILINE)
        assert re.search(r"^best +trial \d+, lr=\S+: val_loss \S+ \+- \S+ is to be", printed, flags=re.MULTILINE)
    data = json.loads(in_process("show", "straight", "--json", "--results", folder / "results").stdout)
    assert [rung["epochs"] for rung in data["rungs"]] == [1, 2, 4]
    full = set(trials.loc[trials["schedule"] == 4, "lr"])
    assert {member["config"]["lr"] for member in data["tied"]["members"]} <= full


@pytest.mark.parametrize("question", ["tied", "fidelity", "health"])
def test_analyze_reads_it(folder, in_process, question):
    done = in_process("analyze", question, "straight", "--results", folder / "results")
    assert done.returncode == 0, done.stderr
    assert "straight" in done.stdout


def test_after_kill_9_the_proposals_are_those_of_an_uninterrupted_study(folder, tmp_path):
    space = space_file(tmp_path, train=train(seconds=0.02), **BLOCKS)
    command = ["run", "--space", space]
    for ended in (8, 20):  # among the promotions, and among the repeats
        process = start(*command, "--inline", cwd=tmp_path)
        wait_for(finished(tmp_path, ended), process)
        process.kill()
        process.communicate()
        assert len(trials_of(tmp_path)) < 24
        command = ["resume", "toy"]
    done = hpsearch("resume", "toy", "--inline", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    pd.testing.assert_frame_equal(trials_of(tmp_path)[COLUMNS], trials_of(folder, "straight")[COLUMNS])


def test_ray_proposes_and_keeps_the_same(folder, tmp_path):
    space = space_file(tmp_path, train=train(), **BLOCKS)
    done = hpsearch("run", "--space", space, "--max-concurrent", 1, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    pd.testing.assert_frame_equal(trials_of(tmp_path)[COLUMNS], trials_of(folder, "straight")[COLUMNS])


def test_more_trials_can_all_be_repeats(folder, tmp_path):
    shutil.copytree(folder / "results" / "straight", tmp_path / "results" / "toy")
    refused = hpsearch("extend", "toy", "--trials", 3, "--repeats", 9, "--inline", cwd=tmp_path)
    assert refused.returncode == 2 and "among the new trials" in refused.stderr and len(trials_of(tmp_path)) == 24
    done = hpsearch("extend", "toy", "--trials", 3, "--repeats", "auto", "--inline", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    trials = trials_of(tmp_path)
    assert len(trials) == 27
    assert "repeat" in set(trials["origin"][24:]) <= {"repeat", "promotion"}
