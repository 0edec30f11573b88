"""New studies, by the real command."""

import json
import os
import pty
import subprocess

import pandas as pd
import pytest

from tests.cli.command import HPSEARCH, TOY, hpsearch, space_file


def trials_of(folder, name="toy"):
    return pd.read_parquet(folder / "results" / name / "trials").sort_values("number", ignore_index=True)


def test_run_inline_keeps_every_trial_and_says_where(tmp_path):
    space_file(tmp_path)
    done = hpsearch("run", "--space", "toy.yaml", "--inline", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    trials = trials_of(tmp_path)
    assert list(trials["number"]) == [0, 1, 2, 3, 4]
    assert set(trials["status"]) == {"completed"}
    best = trials.loc[trials["objective"].idxmin()]
    assert best["objective"] == pytest.approx(best["val_loss"])
    assert f"{best['trial_id']}" in done.stdout.split("lowest val_loss")[1]
    assert 'pandas.read_parquet("results/toy/trials")' in done.stdout
    assert done.stdout.count("completed") >= 5, "one line for each trial"
    record = json.loads((tmp_path / "results" / "toy" / "study.json").read_text())
    assert record["sessions"][0]["reason"] == "finished"
    assert record["versions"]["torch"] and record["hardware"]["cores"]


def test_ray_and_inline_propose_the_same_settings_and_a_second_study_has_a_free_name(tmp_path):
    space_file(tmp_path)
    assert hpsearch("run", "--space", "toy.yaml", "--inline", cwd=tmp_path).returncode == 0
    done = hpsearch("run", "--space", "toy", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    columns = ["number", "lr", "seed", "status", "objective", "epochs"]
    pd.testing.assert_frame_equal(trials_of(tmp_path)[columns], trials_of(tmp_path, "toy-2")[columns])
    assert "dashboard" in done.stdout and "ray get-auth-token" in done.stdout
    lines = [line for line in done.stdout.splitlines() if line.startswith("[")]
    assert len(lines) == 5


def test_the_options_change_the_space(tmp_path):
    space_file(tmp_path)
    options = ["--trials", 2, "--seed", 7, "--name", "mine", "--set", "width=3", "--set", "lr=0.1", "--results", "out"]
    done = hpsearch("run", "--space", "toy.yaml", "--inline", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    trials = pd.read_parquet(tmp_path / "out" / "mine" / "trials")
    assert list(trials["lr"]) == [0.1, 0.1] and list(trials["width"]) == [3, 3]
    assert list(trials["objective"]) == pytest.approx([0, 0])
    assert json.loads((tmp_path / "out" / "mine" / "study.json").read_text())["seeds"] == {"study": 7}


def test_hours_end_the_search(tmp_path):
    space_file(tmp_path, train=f'{{function: "{TOY}:train", epochs: 1, seconds: 0.3}}', budget="{trials: 500}")
    done = hpsearch("run", "--space", "toy.yaml", "--inline", "--hours", 1 / 3600, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 1 <= len(trials_of(tmp_path)) <= 6
    assert "the hours are over" in done.stdout


def test_a_failing_trial_is_kept_with_its_error_and_the_search_goes_on(tmp_path):
    train = f'{{function: "{TOY}:train", fail_above: 0.3}}'
    space_file(tmp_path, train=train, start_with="[{lr: 0.1}, {lr: 0.5}, {lr: 0.9}, {lr: 0.01}]")
    done = hpsearch("run", "--space", "toy.yaml", "--inline", "--trials", 4, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    trials = trials_of(tmp_path)
    assert list(trials["status"]) == ["completed", "failed", "failed", "completed"]
    assert trials["error"][1].endswith("ValueError: lr 0.5 is too large")
    assert "toy.py" in trials["error"][1]
    assert "ValueError: lr 0.5 is too large" in done.stdout


def test_three_identical_failures_stop_the_study_with_the_error_and_exit_code_1(tmp_path):
    space_file(tmp_path, train=f'{{function: "{TOY}:train", fail_above: 0}}')
    done = hpsearch("run", "--space", "toy.yaml", "--inline", cwd=tmp_path)
    assert done.returncode == 1
    assert "is too large" in done.stderr and "Traceback" not in done.stderr
    assert "hpsearch resume toy --retry-failed" in done.stderr
    assert len(trials_of(tmp_path)) == 3


def test_on_a_terminal_one_table_updates_with_counts_best_and_running_trials(tmp_path):
    space_file(tmp_path, train=f'{{function: "{TOY}:train", epochs: 4, seconds: 0.4}}')
    shown = on_a_terminal("run", "--space", "toy.yaml", "--inline", "--trials", "3", cwd=tmp_path)
    assert "completed 1" in shown and "completed 3" in shown
    assert "3 of 3 trials" in shown
    assert "running" in shown and "2/4" in shown
    assert "left" in shown and "best" in shown
    assert not any(line.startswith("[1/3]") for line in shown.splitlines())


def on_a_terminal(*arguments, cwd):
    """Run the command with a pseudo-terminal as its output; return all that it wrote."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "140", "LINES": "40", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([HPSEARCH, *arguments], stdout=theirs, stderr=theirs, cwd=cwd, env=environment)
    os.close(theirs)
    written = b""
    while True:
        try:
            block = os.read(ours, 65536)
        except OSError:
            break
        if not block:
            break
        written += block
    os.close(ours)
    assert process.wait(60) == 0, written.decode()
    return written.decode()


@pytest.mark.parametrize("inline", [["--inline"], []])
def test_a_function_that_changes_what_it_is_given_changes_nothing_else(tmp_path, inline):
    (tmp_path / "mine.py").write_text(
        "def train(trial):\n"
        "    assert trial.settings.pop('shape') == [1, 2]\n"
        "    loss = trial.config.pop('lr')\n"
        "    trial.config['lr'] = 99\n"
        "    return {'val_loss': loss}\n"
    )
    space_file(tmp_path, train='{function: "mine.py:train", shape: [1, 2]}', sampler="{name: tpe}")
    done = hpsearch("run", "--space", "toy.yaml", "--trials", 3, *inline, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    trials = trials_of(tmp_path)
    assert list(trials["lr"]) == list(trials["val_loss"]) and max(trials["lr"]) <= 1


def test_failures_are_explained_where_nothing_completed(tmp_path):
    space_file(tmp_path, train=f'{{function: "{TOY}:train", fail_above: 0}}', budget="{trials: 2}")
    done = hpsearch("run", "--space", "toy.yaml", "--inline", cwd=tmp_path)
    assert "no trial of full length has run to its end" in done.stdout and "hpsearch best" not in done.stdout
    shown = hpsearch("show", "toy", cwd=tmp_path)
    assert "1 trial failed with ValueError: lr" in shown.stderr
    failures = json.loads(hpsearch("show", "toy", "--json", cwd=tmp_path).stdout)["failures"]
    assert sum(failures.values()) == 2
