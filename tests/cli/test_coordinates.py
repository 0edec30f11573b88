"""A search in rate and tau, from the space file to the recipe of the best setting."""

import json

import pandas as pd
import pytest
import yaml

from hpsearch.cli.plan import overrides, plan_again, plan_file
from hpsearch.errors import FunctionError, RecipeError, SpaceError
from hpsearch.space.translation import Translation
from tests.space.examples import LR, make_space
from trainer.objective import recipe_for

from .command import hpsearch, space_file

RATE = "rate: {type: real, low: 1.0e-3, high: 1.0e-1, scale: log}"
TAU = "tau: {type: real, low: 0.1, high: 2, scale: log}"

MINE = """\
import json
from pathlib import Path


def train(trial):
    Path(trial.settings["seen"], trial.workdir.name).write_text(json.dumps(trial.config))
    return {"val_loss": trial.config["learning_rate"]}
"""


def digits(folder, parameters=f"{{{RATE}, {TAU}, batch_size: {{type: choice, values: [32, 64]}}}}", **changes):
    blocks = {"train": "{recipe: digits_quickstart}", "budget": "{trials: 2}", "prior": "uniform"}
    return space_file(folder, parameters=parameters, **{**blocks, **changes})


def test_the_built_in_trainer_says_what_its_run_is(tmp_path):
    plan, _ = plan_file(str(digits(tmp_path)), overrides())
    found = plan.space.coordinates
    assert (found.optimizer, found.examples, found.epochs) == ("sgd_nesterov", 1077, 8)
    assert found.reference == {"lr": 0.2, "weight_decay": 5e-4, "batch_size": 64, "momentum": 0.9}


def test_a_recipe_with_muon_has_no_rate(tmp_path):
    plan, _ = plan_file(str(digits(tmp_path, "{lr: {type: constant, value: 0.1}}")), overrides())
    assert plan.description["optimizer"] == "sgd_nesterov"
    values = plan.space.train.settings["recipe"]
    values["optimizer"]["muon"] = {"lr": 0.1, "momentum": 0.9, "iterations": 3}
    (tmp_path / "muon.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(SpaceError, match="the optimizer of a run is not known"):
        plan_file(str(digits(tmp_path, train="{recipe: muon.yaml}")), overrides())


@pytest.mark.parametrize(
    ("names", "rule"),
    [
        ("[adamw, sgd_nesterov]", None),
        ("[lars, sgd_nesterov]", "sgd_nesterov"),
        ("[adamw]", "adamw"),
        ("[sgdw]", None),
    ],
)
def test_where_the_update_rule_is_searched_rate_and_tau_are_those_of_all_its_values_or_none(tmp_path, names, rule):
    parameters = f"{{lr: {{type: constant, value: 0.1}}, optimizer.name: {{type: choice, values: {names}}}}}"
    plan, _ = plan_file(str(digits(tmp_path, parameters)), overrides())
    assert plan.space.coordinates.optimizer == rule
    searched = f"{{{RATE}, optimizer.name: {{type: choice, values: {names}}}}}"
    if rule is None:
        with pytest.raises(SpaceError, match="the optimizer of a run is not known"):
            plan_file(str(digits(tmp_path, searched)), overrides())


def test_from_the_space_to_the_best_recipe(tmp_path):
    file = digits(tmp_path)
    shown = hpsearch("validate", file, cwd=tmp_path).stdout
    assert " ".join(("rate", "real", "0.001", "..", "0.1,", "log", "0.03125")) in " ".join(shown.split())
    done = hpsearch("run", "--space", file, "--name", "s", "--inline", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    trials = pd.read_parquet(tmp_path / "results" / "s" / "trials")
    assert trials["lr"].tolist() == pytest.approx((trials["rate"] * 0.1 * trials["batch_size"]).tolist())
    decay = 1 / (trials["tau"] * trials["rate"] * 1077 * 8)
    assert trials["weight_decay"].tolist() == pytest.approx(decay.tolist())
    done = hpsearch("best", "s", "--write", "best.yaml", "--json", cwd=tmp_path)
    best = trials.loc[trials["objective"].idxmin()]
    config = json.loads(done.stdout)["config"]
    assert config == pytest.approx({name: best[name] for name in ("lr", "weight_decay", "batch_size")})
    recipe = recipe_for({"recipe": str(tmp_path / "best.yaml")}, {})
    assert (recipe.schedule.lr.peak, recipe.schedule.weight_decay.peak, recipe.batch_size) == pytest.approx(
        (best["lr"], best["weight_decay"], best["batch_size"])
    )


def test_a_function_of_ones_own_gets_its_own_names(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    reference = "{batch_size: 10, momentum: 0.5}"
    block = f"{{lr: learning_rate, optimizer: sgd, examples: 100, epochs: 2, reference: {reference}}}"
    train = f'{{function: "mine.py:train", seen: "{tmp_path}"}}'
    file = digits(tmp_path, f"{{{RATE}, {TAU}, width: {{type: constant, value: 8}}}}", train=train, coordinates=block)
    done = hpsearch("run", "--space", file, "--name", "s", "--inline", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    trials = pd.read_parquet(tmp_path / "results" / "s" / "trials").set_index("trial_id")
    for name, row in trials.iterrows():
        seen = json.loads((tmp_path / name).read_text())
        expected = {"learning_rate": row["rate"] * 5, "weight_decay": 1 / (row["tau"] * row["rate"] * 200), "width": 8}
        assert seen == pytest.approx(expected)
    assert trials["objective"].tolist() == pytest.approx(trials["lr"].tolist())
    resumed = hpsearch("extend", "s", "--trials", 3, "--inline", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert pd.read_parquet(tmp_path / "results" / "s" / "trials")["lr"].notna().all()


def test_a_study_of_before_may_have_a_rate_of_its_own(tmp_path):
    (tmp_path / "mine.py").write_text("def train(trial):\n    return {'val_loss': trial.config['rate']}\n")
    space = make_space({"rate": LR}, train={"function": "mine.py:train"})
    record = {"folder": str(tmp_path), "function": "mine.py:train", "space": space.dump()}
    with pytest.raises(SpaceError, match="the optimizer of a run is not known"):
        plan_again(record, space)
    del record["space"]["coordinates"]
    plan = plan_again(record, space)
    assert Translation.of(plan.space).for_function({"rate": 0.1}) == {"rate": 0.1}


CHECKED = """\
from hpsearch.errors import Problem, RecipeError


def train(trial):
    return {"val_loss": 0.0}


def describe(settings):
    return {"optimizer": settings["optimizer"], "examples": 10, "epochs": 1, "check": check,
            "parameters": {"lr": 0.1, "weight_decay": 0.0, "batch_size": 8, "momentum": 0.0}}


def check(config):
    if config["lr"] > 0.5:
        raise ValueError(f"lr {config['lr']:g} is out of the question")
    if config["lr"] < 0.004:
        raise RecipeError(Problem("too small", key="lr"))
"""


def test_what_the_coordinates_become_is_checked(tmp_path):
    (tmp_path / "checked.py").write_text(CHECKED)
    file = digits(tmp_path, f"{{{RATE}}}", train='{function: "checked.py:train", optimizer: sgd}')
    with pytest.raises(FunctionError, match=r"lr 0\.8 is out of the question") as refusal:
        plan_file(str(file), overrides())
    assert refusal.value.problems[0].got == "rate=0.1"
    plan_file(str(file), overrides(set_=["rate=0.05"]))


def test_an_update_rule_that_is_not_known(tmp_path):
    (tmp_path / "checked.py").write_text(CHECKED)
    file = digits(tmp_path, f"{{{RATE}}}", train='{function: "checked.py:train", optimizer: lion}')
    with pytest.raises(FunctionError, match="describe returns something else") as refusal:
        plan_file(str(file), overrides())
    assert (refusal.value.problems[0].key, refusal.value.problems[0].got) == ("optimizer", "'lion'")


def test_a_refused_value_is_placed_at_the_coordinate_that_it_comes_from(tmp_path):
    (tmp_path / "checked.py").write_text(CHECKED)
    parameters = "\n  momentum: {type: constant, value: 0.5}\n  rate: {type: real, low: 1.0e-4, high: 1.0e-2}\n"
    file = digits(tmp_path, parameters, train='{function: "checked.py:train", optimizer: sgd}')
    with pytest.raises(RecipeError) as refusal:
        plan_file(str(file), overrides())
    (problem,) = refusal.value.problems
    line = file.read_text().splitlines()[(problem.line or 0) - 1]
    assert (problem.file, problem.key, line.split(":")[0].strip()) == (file, "lr", "rate")
    assert problem.got == "momentum=0.5, rate=0.0001"


def test_contradictions_of_the_command_line(tmp_path):
    with pytest.raises(SpaceError, match="'rate' and 'lr' contradict each other"):
        plan_file(str(digits(tmp_path)), overrides(set_=["lr=0.1"]))
    refused = hpsearch("run", "--space", "toy.yaml", "--set", "momentum=1", cwd=tmp_path)
    assert (refused.returncode, "Traceback" in refused.stderr) == (2, False)
    assert "rate and tau cannot be computed with this momentum" in refused.stderr


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (f"{{{RATE}, lr: {{type: real, low: 0.1, high: 1}}}}", ["toy.yaml:3", "'rate' and 'lr' contradict each other"]),
        (f"{{{TAU}, weight_decay: {{type: constant, value: 0}}}}", ["toy.yaml:3", "'tau' and 'weight_decay'"]),
    ],
)
def test_a_coordinate_beside_what_it_stands_for(tmp_path, in_process, parameters, words):
    done = in_process("validate", digits(tmp_path, parameters))
    assert done.returncode == 2 and done.stderr.count("error:") == 1
    assert all(word in done.stderr for word in words), done.stderr


@pytest.mark.parametrize(
    ("known", "missing"),
    [
        ("{optimizer: sgd, epochs: 2}", "coordinates: {examples: ...}"),
        ("{optimizer: sgd, examples: 100}", "coordinates: {epochs: ...}"),
        ("{examples: 100, epochs: 2}", "coordinates: {optimizer: ...}"),
    ],
)
def test_tau_needs_to_know_the_run(tmp_path, in_process, known, missing):
    (tmp_path / "mine.py").write_text(MINE)
    parameters = f"{{{TAU}, lr: {{type: real, low: 0.1, high: 1}}, batch_size: {{type: constant, value: 10}}, "
    parameters += "momentum: {type: constant, value: 0}}"
    done = in_process("validate", digits(tmp_path, parameters, train='{function: "mine.py:train"}', coordinates=known))
    assert done.returncode == 2 and done.stderr.count("error:") == 1
    assert "toy.yaml:3" in done.stderr and "parameters.tau" in done.stderr and missing in done.stderr, done.stderr
