"""Studies that are interrupted, killed, resumed and extended, by the real command."""

import json
import os
import random
import signal
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pandas as pd
import pytest

from hpsearch.store.sessions import hours_left
from tests.cli.command import TOY, hpsearch, space_file, start
from tests.cli.test_run import trials_of
from trainer.recipe import load

SLOW = f'{{function: "{TOY}:train", epochs: 4, seconds: 0.1}}'


def wait_for(condition, process, seconds=120):
    """Wait until ``condition`` holds while ``process`` runs."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        assert process.poll() is None, process.stdout and process.stdout.read()
        time.sleep(0.05)


def finished(folder, count):
    def reached():
        trials = folder / "results" / "toy" / "trials"
        return trials.is_dir() and len(pd.read_parquet(trials, columns=["number"])) >= count

    return reached


def straight(folder, space):
    """The same study without a break."""
    assert hpsearch("run", "--space", space, "--inline", "--name", "straight", cwd=folder).returncode == 0
    return trials_of(folder, "straight")


@pytest.mark.parametrize("ray", [False, True])
def test_after_kill_9_resume_runs_what_is_missing_and_nothing_twice(tmp_path, ray):
    log = tmp_path / "log"
    train = f'{{function: "{TOY}:train", epochs: 4, seconds: 0.1, log: "{log}"}}'
    space = space_file(tmp_path, train=train, budget="{trials: 8}")
    inline = [] if ray else ["--inline"]
    process = start("run", "--space", space, *inline, cwd=tmp_path)
    wait_for(finished(tmp_path, 3), process)
    time.sleep(random.uniform(0, 0.5))
    process.kill()
    process.communicate()
    before = trials_of(tmp_path)
    assert len(before) < 8
    done = hpsearch("resume", "toy", *inline, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    after = trials_of(tmp_path)
    pd.testing.assert_frame_equal(after[after["number"].isin(before["number"])], before)
    columns = ["number", "lr", "seed", "status", "objective", "epochs"]
    pd.testing.assert_frame_equal(after[columns], straight(tmp_path, space)[columns])
    ended = [line.split()[1] for line in log.read_text().splitlines() if line.startswith("end")]
    straight_ends = 1
    assert all(ended.count(trial_id) == 1 + straight_ends for trial_id in before["trial_id"]), "none runs twice"
    epochs = pd.read_parquet(tmp_path / "results" / "toy" / "epochs")
    assert sorted(zip(epochs["number"], epochs["epoch"], strict=True)) == [
        (n, e) for n in range(8) for e in (1, 2, 3, 4)
    ]


@pytest.mark.slow
def test_kill_9_at_any_moment_loses_nothing(tmp_path):
    space = space_file(tmp_path, train=f'{{function: "{TOY}:train", epochs: 2, seconds: 0.02}}', budget="{trials: 60}")
    command = ["run", "--space", space]
    seen, chance = set(), random.Random(0)
    for _ in range(6):
        process = start(*command, "--inline", cwd=tmp_path)
        wait_for((tmp_path / "results" / "toy" / "trials").is_dir, process)
        time.sleep(2 + chance.uniform(0, 1))
        process.kill()
        process.communicate()
        numbers = list(trials_of(tmp_path)["number"])
        assert len(numbers) == len(set(numbers)) and seen <= set(numbers)
        seen = set(numbers)
        command = ["resume", "toy"]
    assert hpsearch(*command, "--inline", cwd=tmp_path).returncode == 0
    assert list(trials_of(tmp_path)["number"]) == list(range(60))


@pytest.mark.parametrize(
    ("ray", "number", "code"),
    [
        (False, signal.SIGINT, 130),
        (True, signal.SIGINT, 130),
        (False, signal.SIGHUP, 129),
        (True, signal.SIGTERM, 143),
    ],
)
def test_a_signal_stops_cleanly_and_says_how_to_resume(tmp_path, ray, number, code):
    space = space_file(tmp_path, train=SLOW, budget="{trials: 30}")
    process = start("run", "--space", space, *([] if ray else ["--inline"]), cwd=tmp_path)
    wait_for(finished(tmp_path, 2), process)
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == code
    assert "hpsearch resume toy" in printed
    assert "Traceback" not in printed and "PC: @" not in printed
    sessions = json.loads((tmp_path / "results" / "toy" / "study.json").read_text())["sessions"]
    assert sessions[-1]["reason"] == "interrupted"
    shown = hpsearch("show", "toy", cwd=tmp_path)
    assert "interrupted" in shown.stdout


def test_extend_adds_trials_to_a_finished_study(tmp_path):
    space = space_file(tmp_path, budget="{trials: 3}")
    assert hpsearch("run", "--space", space, "--inline", cwd=tmp_path).returncode == 0
    before = trials_of(tmp_path)
    done = hpsearch("extend", "toy", "--trials", 4, "--inline", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    after = trials_of(tmp_path)
    assert list(after["number"]) == list(range(7))
    pd.testing.assert_frame_equal(after[:3], before)
    space.write_text(space.read_text().replace("trials: 3", "trials: 7"))
    columns = ["number", "lr", "seed", "status", "objective"]
    pd.testing.assert_frame_equal(after[columns], straight(tmp_path, space)[columns])


def test_extend_needs_neither_the_space_file_nor_the_same_folder(tmp_path):
    space = space_file(tmp_path, budget="{trials: 2}")
    assert hpsearch("run", "--space", space, "--inline", cwd=tmp_path).returncode == 0
    space.unlink()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = hpsearch("extend", "toy", "--trials", 1, "--inline", "--results", tmp_path / "results", cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    assert len(trials_of(tmp_path)) == 3


def test_resuming_a_finished_study_does_nothing_and_says_so(tmp_path):
    space = space_file(tmp_path, budget="{trials: 2}")
    hpsearch("run", "--space", space, "--inline", cwd=tmp_path)
    done = hpsearch("resume", "toy", "--inline", cwd=tmp_path)
    assert done.returncode == 0
    assert "nothing to do: all 2 trials of toy have ended" in done.stdout
    assert len(trials_of(tmp_path)) == 2


def test_retry_failed_runs_the_failed_trials_again(tmp_path):
    broken = tmp_path / "mine.py"
    broken.write_text("def train(trial):\n    raise ValueError('not yet')\n")
    space = space_file(tmp_path, train='{function: "mine.py:train"}', budget="{trials: 4}")
    assert hpsearch("run", "--space", space, "--inline", cwd=tmp_path).returncode == 1
    before = trials_of(tmp_path)
    assert set(before["status"]) == {"failed"}
    broken.write_text("def train(trial):\n    return {'val_loss': trial.config['lr']}\n")
    done = hpsearch("resume", "toy", "--retry-failed", "--inline", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    after = trials_of(tmp_path)
    assert set(after["status"]) == {"completed"} and len(after) == 4
    assert list(after["lr"][:3]) == list(before["lr"]) and list(after["seed"][:3]) == list(before["seed"])


def test_a_second_driver_is_refused(tmp_path):
    space = space_file(tmp_path, train=SLOW, budget="{trials: 100}")
    process = start("run", "--space", space, "--inline", cwd=tmp_path)
    try:
        wait_for(finished(tmp_path, 1), process)
        done = hpsearch("resume", "toy", "--inline", cwd=tmp_path)
        assert done.returncode == 2
        assert "toy" in done.stderr and str(process.pid) in done.stderr
        assert process.poll() is None, "the first driver goes on"
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_resume_grants_only_the_hours_that_are_left(tmp_path):
    train = f'{{function: "{TOY}:train", epochs: 1, seconds: 0.2}}'
    space = space_file(tmp_path, train=train, budget=f"{{trials: 500, hours: {1 / 3600}}}")
    assert hpsearch("run", "--space", space, "--inline", cwd=tmp_path).returncode == 0
    count = len(trials_of(tmp_path))
    done = hpsearch("resume", "toy", "--inline", cwd=tmp_path)
    assert "the hours of toy are spent" in done.stdout and len(trials_of(tmp_path)) == count
    assert hpsearch("resume", "toy", "--hours", 1 / 3600, "--inline", cwd=tmp_path).returncode == 0
    assert len(trials_of(tmp_path)) > count
    now = len(trials_of(tmp_path))
    assert hpsearch("extend", "toy", "--trials", 2, "--inline", cwd=tmp_path).returncode == 0
    assert len(trials_of(tmp_path)) == now + 2


@pytest.mark.slow
def test_an_extension_that_is_killed_goes_on_with_the_hours_it_was_granted(tmp_path):
    train = f'{{function: "{TOY}:train", epochs: 1, seconds: 0.2}}'
    space = space_file(tmp_path, train=train, budget=f"{{trials: 500, hours: {1 / 3600}}}")
    assert hpsearch("run", "--space", space, "--inline", cwd=tmp_path).returncode == 0
    count = len(trials_of(tmp_path))
    process = start("extend", "toy", "--trials", 4, "--hours", 1, "--inline", cwd=tmp_path)
    wait_for(finished(tmp_path, count + 1), process)
    process.kill()
    process.communicate()
    assert hpsearch("resume", "toy", "--inline", cwd=tmp_path).returncode == 0
    assert len(trials_of(tmp_path)) == count + 4


def test_a_killed_session_counts_until_its_own_last_trial():
    begun = datetime(2026, 1, 1, tzinfo=UTC)

    def ended(hours):
        return SimpleNamespace(finished_at=begun + timedelta(hours=hours))

    killed = {"started_at": begun.isoformat(), "seconds": None, "hours": 4}
    history = [ended(-1), ended(0.5), ended(24.1)]
    next_day = begun + timedelta(hours=24)
    assert hours_left(killed, history, next_day) == pytest.approx(3.5)
    assert hours_left(killed, [], next_day) == 4
    assert hours_left({**killed, "seconds": 7200.0}, history, next_day) == pytest.approx(2)
    assert hours_left({**killed, "seconds": 99999.0}, history, next_day) == 0
    assert hours_left({**killed, "hours": None}, history, next_day) is None


def test_extending_a_study_that_reached_its_target_says_so(tmp_path):
    space = space_file(tmp_path, objective="{metric: val_loss, mode: min, target: 100}", budget="{trials: 5}")
    assert hpsearch("run", "--space", space, "--inline", cwd=tmp_path).returncode == 0
    assert len(trials_of(tmp_path)) == 1
    done = hpsearch("extend", "toy", "--trials", 3, "--inline", cwd=tmp_path)
    assert "toy has reached its target, val_loss 100" in done.stdout
    assert len(trials_of(tmp_path)) == 1


def test_a_function_found_in_the_current_folder_is_found_again_from_another(tmp_path):
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    (here / "spaces").mkdir(parents=True)
    elsewhere.mkdir()
    (here / "mine.py").write_text("def train(trial):\n    return {'val_loss': 1.0}\n")
    (elsewhere / "mine.py").write_text("def train(trial):\n    return {'val_loss': 2.0}\n")
    space_file(here / "spaces", train='{function: "mine.py:train"}', budget="{trials: 1}")
    assert hpsearch("run", "--space", "spaces/toy.yaml", "--inline", cwd=here).returncode == 0
    done = hpsearch("extend", "toy", "--trials", 1, "--inline", "--results", here / "results", cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    assert list(trials_of(here)["val_loss"]) == [1.0, 1.0]


@pytest.mark.slow
def test_a_study_keeps_its_recipe_and_its_data_whatever_changes_around_it(tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(load("digits_quickstart").at_length(2).to_yaml())
    space_file(tmp_path, train="{recipe: mine.yaml}", budget="{trials: 1}")
    assert hpsearch("run", "--space", "toy.yaml", "--inline", cwd=tmp_path).returncode == 0
    recipe.write_text(load("digits_quickstart").at_length(5).to_yaml())
    assert hpsearch("extend", "toy", "--trials", 1, "--inline", cwd=tmp_path).returncode == 0
    recipe.unlink()
    assert hpsearch("extend", "toy", "--trials", 1, "--inline", cwd=tmp_path).returncode == 0
    assert list(trials_of(tmp_path)["epochs"]) == [2, 2, 2]
    written = tmp_path / "best.yaml"
    assert hpsearch("best", "toy", "--write", written, cwd=tmp_path).returncode == 0
    assert load(written).epochs == 2


@pytest.mark.slow
def test_the_place_of_the_data_is_kept(tmp_path, cifar_folder):
    space_file(tmp_path, train="{recipe: resnet9_proxy_cpu}", budget="{trials: 1}")
    options = ["--set", "epochs=1", "--inline"]
    done = hpsearch("run", "--space", "toy.yaml", *options, cwd=tmp_path, HPSEARCH_DATA=str(cifar_folder))
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "results" / "toy" / "study.json").read_text())
    assert record["space"]["train"]["data_path"] == str(cifar_folder.absolute())
    assert hpsearch("extend", "toy", "--trials", 1, "--inline", cwd=tmp_path).returncode == 0, "without the variable"


def test_a_study_and_its_function_may_move_together(tmp_path):
    here = tmp_path / "here"
    here.mkdir()
    (here / "mine.py").write_text("def train(trial):\n    return {'val_loss': 1.0}\n")
    space_file(here, train='{function: "mine.py:train"}', budget="{trials: 1}")
    assert hpsearch("run", "--space", "toy.yaml", "--inline", cwd=here).returncode == 0
    there = here.rename(tmp_path / "there")
    done = hpsearch("extend", "toy", "--trials", 1, "--inline", cwd=there)
    assert done.returncode == 0, done.stderr
    assert len(trials_of(there)) == 2
