"""What a prior believes and how it fares, in words: before a search, while it runs, and afterwards."""

import json
import math
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hpsearch.cli.prior_words import believed, latest_grade, verdict
from hpsearch.space.spec import Space
from hpsearch.trial import FinishedTrial
from tests.cli.command import hpsearch, space_file
from tests.cli.test_run import on_a_terminal
from tests.space.examples import LR, make_space
from tests.store.examples import make_trial

BATCH = {"type": "choice", "values": [64, 128, 256]}
WIDTH = {"type": "integer", "low": 1, "high": 64}
KIND = {"type": "choice", "values": ["a", "b"]}
KNOWN = {
    "optimizer": "sgd",
    "examples": 10_000,
    "epochs": 5,
    "reference": {"lr": 0.4, "weight_decay": 5e-4, "batch_size": 128, "momentum": 0.9},
}
LEARNT = {
    "about": "toy: A parabola, 12 trials",
    "made_by": "hpsearch prior toy",
    "settings": [],
    "problems": {"toy": {"lr": {"centre": 0.1, "spread": 3}}},
}


def words(parameters: dict[str, Any], **blocks: Any) -> str | None:
    return believed(make_space(parameters, **blocks))


def test_the_rules_say_where_they_look() -> None:
    decay = {**LR, "low": 1e-5, "high": 1e-2}
    momentum = {"type": "constant", "value": 0.9}
    found = words({"lr": LR, "weight_decay": decay, "batch_size": BATCH, "momentum": momentum}, coordinates=KNOWN)
    place = "around lr 0.4, weight_decay 0.0005, batch_size 128 at momentum 0.9"
    assert found == f"heuristic: {place} (rate 0.03125, tau 1.28)"  # .4 / (.1 * 128); 1 / (.03125 * 5e-4 * 50,000)


def test_in_coordinates_the_rules_name_these() -> None:
    found = words({"rate": {**LR, "high": 0.1}, "tau": {**LR, "low": 0.01, "high": 9.0}}, coordinates=KNOWN)
    assert found == "heuristic: around rate 0.03125, tau 1.28"


def test_what_the_rules_know_nothing_of_is_not_named() -> None:
    found = words({"lr": LR, "width": WIDTH, "kind": KIND}, coordinates=KNOWN)
    assert found is not None and "lr 0.4" in found and "width" not in found and "kind" not in found
    assert words({"width": WIDTH}) == "says nothing about what is searched here: the same as uniform"


def test_every_other_prior_in_words() -> None:
    beliefs = {"lr": {"centre": 0.1, "spread": 3}, "width": {"centre": 32, "spread": 8}}
    normal = words({"lr": LR, "width": WIDTH}, prior={"normal": beliefs})
    assert normal == "normal: lr 0.1 within a factor of 3, width 32 +- 8"
    assert words({"lr": LR}, prior="uniform") == "uniform: nothing is known beforehand"
    assert words({"lr": LR}, prior={"learnt": LEARNT}) == "learnt from toy"
    many = {**LEARNT, "about": "17 data sets", "problems": {f"p{i}": LEARNT["problems"]["toy"] for i in range(17)}}
    assert words({"lr": LR}, prior={"learnt": many}) == "learnt from 17 problems (17 data sets)"
    assert words({"lr": LR}, sampler={"name": "tpe"}) is None


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (25, "the results speak strongly for it (log Bayes factor +3.2)"),
        (4, "the results speak for it (log Bayes factor +1.4)"),
        (2, "the results are undecided about it (log Bayes factor +0.7)"),
        (1 / 2, "the results are undecided about it (log Bayes factor -0.7)"),
        (1 / 4, "the results speak against it (log Bayes factor -1.4): its weight falls"),
        (1 / 25, "the results speak strongly against it (log Bayes factor -3.2): its weight falls"),
    ],
)
def test_the_scale_of_kass_and_raftery(factor: float, expected: str) -> None:
    """Their table: a Bayes factor of 1 to 3 is not worth more than a bare mention, one above 20 is strong."""
    assert verdict(math.log(factor), make_space()) == expected


def test_a_sampler_that_keeps_the_weight_does_not_say_that_it_falls() -> None:
    space: Space = make_space(sampler={"name": "random"})
    assert verdict(-2.0, space).endswith("`prior: uniform` may do better")


def test_the_latest_grade_is_that_of_the_trial_that_ended_last() -> None:
    def graded(number: int, minutes: int, grade: float | None) -> FinishedTrial:
        trial = make_trial(number)
        return replace(trial, finished_at=trial.finished_at + timedelta(minutes=minutes), prior_grade=grade)

    assert latest_grade([]) is None and latest_grade([graded(0, 0, None)]) is None
    assert latest_grade([graded(0, 5, 1.5), graded(1, 2, -0.5), graded(2, 9, None)]) == 1.5


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a study with a prior, and what running it has printed."""
    folder = tmp_path_factory.mktemp("graded")
    prior = "{normal: {lr: {centre: 0.01, spread: 2}}}"
    space_file(folder, sampler="{name: hpsearch}", prior=prior, budget="{trials: 6}")
    done = hpsearch("run", "--space", "toy.yaml", "--inline", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_a_run_tells_the_prior_and_its_grade_after_each_trial(study: tuple[Path, str]) -> None:
    folder, printed = study
    trials = pd.read_parquet(folder / "results" / "toy" / "trials").sort_values("number")
    assert re.search(r"^prior +normal: lr 0\.01 within a factor of 2$", printed, flags=re.MULTILINE)
    lines = [line for line in printed.splitlines() if line.startswith("[")]
    grades = [re.search(r"prior (\S+)", line) for line in lines]
    shown = [None if grade is None else grade.group(1) for grade in grades]
    assert shown == [None if pd.isna(grade) else f"{grade:+.1f}" for grade in trials["prior_grade"]]
    assert shown[0] is None and shown[-1] is not None
    assert f"(log Bayes factor {trials['prior_grade'].iloc[-1]:+.1f})" in printed.split("time")[1]


def test_show_tells_the_grade(study: tuple[Path, str]) -> None:
    folder, _ = study
    grade = pd.read_parquet(folder / "results" / "toy" / "trials").sort_values("number")["prior_grade"].iloc[-1]
    shown = hpsearch("show", "toy", cwd=folder).stdout
    assert re.search(rf"^prior +the results .*\(log Bayes factor {re.escape(f'{grade:+.1f}')}\)", shown, re.MULTILINE)
    assert json.loads(hpsearch("show", "toy", "--json", cwd=folder).stdout)["prior_grade"] == pytest.approx(grade)


def test_the_live_table_has_the_grade_in_one_line(study: tuple[Path, str]) -> None:
    folder, _ = study
    shown = on_a_terminal("run", "--space", "toy.yaml", "--inline", "--trials", "4", cwd=folder)
    assert re.search(r"prior  the results (are|speak)", shown)


@pytest.mark.parametrize("blocks", [{"prior": "uniform"}, {"sampler": "{name: tpe}"}])
def test_where_there_is_no_prior_nothing_is_graded(tmp_path: Path, blocks: dict[str, str]) -> None:
    space_file(tmp_path, **blocks)
    done = hpsearch("run", "--space", "toy.yaml", "--inline", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Bayes" not in done.stdout and not re.search(r"^\[.*prior", done.stdout, flags=re.MULTILINE)
    shown = hpsearch("show", "toy", "--json", cwd=tmp_path)
    assert json.loads(shown.stdout)["prior_grade"] is None


def test_validate_shows_the_prior_and_different_first_suggestions(tmp_path: Path) -> None:
    space_file(tmp_path, sampler="{name: hpsearch}", budget="{trials: 24}")
    shown = hpsearch("validate", "toy.yaml", cwd=tmp_path).stdout
    assert re.search(r"^prior +heuristic: around lr ", shown, flags=re.MULTILINE)
    rows = re.findall(r"^0000\d +(\S+)", shown, flags=re.MULTILINE)
    assert len(rows) == 5 == len(set(rows))
