"""``hpsearch ablate`` from the recipe to the table of effects, on the digits, in one process."""

import json
import re

import pandas as pd
import pyarrow.parquet as pq
import pytest

from hpsearch.space.design import columns, design
from tests.cli.command import hpsearch, space_file
from trainer import recipe

SMALL = ["--runs", 8, "--epochs", 2, "--inline"]
TECHNIQUES = ["crop", "residual", "warm_up"]
SWITCH = "{type: choice, values: [true, false]}"


@pytest.fixture(scope="module")
def ablated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ablation")
    done = hpsearch("ablate", "digits_quickstart", *SMALL, "--set", "batch_size=128", "--seed", 5, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "results" / "ablate-digits_quickstart", done


def test_every_run_of_the_design_is_trained_once(ablated):
    study, _ = ablated
    trials = pd.read_parquet(study / "trials")
    assert set(trials["status"]) == {"completed"} and set(trials["epochs"]) == {2}
    assert trials["seed"].nunique() == 8
    found = {tuple(row) for row in trials[[f"technique.{name}" for name in TECHNIQUES]].to_numpy().tolist()}
    assert found == {tuple(row) for row in (design(columns(3, 8), 8) > 0).tolist()}
    recipe = json.loads((study / "study.json").read_text())["space"]["train"]["recipe"]
    assert (recipe["batch_size"], recipe["epochs"], recipe["model"]["width"]) == (128, 2, 8)


def test_the_effects_are_stored_in_points(ablated):
    study, _ = ablated
    trials, effects = pd.read_parquet(study / "trials"), pd.read_parquet(study / "effects")
    assert list(effects["effect"]) == sorted(effects["effect"], reverse=True)
    assert set(effects["name"]) == set(TECHNIQUES) and (effects["about"] != "").all()
    for row in effects.itertuples():
        means = trials.groupby(f"technique.{row.name}")["val_accuracy"].mean()
        assert row.effect == pytest.approx(100 * (means[True] - means[False]))
        assert row.low < row.effect < row.high and (row.n_with, row.n_without) == (4, 4)
    field = pq.read_schema(study / "effects" / "part-00000.parquet").field("effect")
    assert field.metadata[b"unit"] == b"points of val_accuracy"


def test_the_table_is_printed_at_the_end_and_by_show(ablated):
    study, done = ablated
    effects = pd.read_parquet(study / "effects")
    shown = hpsearch("show", study.name, cwd=study.parents[1])
    for printed in (done.stdout, shown.stdout):
        table = printed[printed.index("effects in points of val_accuracy") :]
        rows = re.findall(r"^(\w+) +([+-][\d.]+) \+- ([\d.]+) +(helps|hurts|not shown) ", table, flags=re.MULTILINE)
        assert [row[0] for row in rows] == list(effects["name"])
        for (_, effect, half, verdict), row in zip(rows, effects.itertuples(), strict=True):
            assert [float(effect), float(half)] == pytest.approx([row.effect, (row.high - row.low) / 2], abs=0.06)
            assert verdict == ("helps" if row.low > 0 else "hurts" if row.high < 0 else "not shown")
        assert re.search(r"^design +8 runs for 3 parameters, a full design", table, flags=re.MULTILINE)
        assert re.search(r"^power .*\(3\.7 standard errors\) or more are shown in 4 of 5", table, flags=re.MULTILINE)
    assert "over all settings of the others" in shown.stderr
    data = json.loads(hpsearch("show", study.name, "--json", cwd=study.parents[1]).stdout)["effects"]
    assert data["unit"] == "points of val_accuracy" and len(data["effects"]) == 3


def test_more_trials_repeat_the_design_and_renew_the_effects(ablated):
    study, _ = ablated
    done = hpsearch("extend", study.name, "--trials", 2, "--inline", cwd=study.parents[1])
    assert done.returncode == 0, done.stderr
    effects = pd.read_parquet(study / "effects")
    assert set(effects["n_with"] + effects["n_without"]) == {10}
    assert "10 trials with a result" in done.stdout


def test_an_unfinished_design_says_what_it_lacks(tmp_path):
    space_file(
        tmp_path,
        parameters=f"{{width: {SWITCH}, lr: {{type: choice, values: [0.1, 1.0]}}}}",
        sampler="{name: factorial, runs: 8}",
        budget="{trials: 4}",
    )
    done = hpsearch("run", "--space", "toy.yaml", "--inline", cwd=tmp_path)
    assert done.returncode == 0 and "no effects yet: too few trials" in done.stderr
    assert not (tmp_path / "results" / "toy" / "effects").exists()
    assert json.loads(hpsearch("show", "toy", "--json", cwd=tmp_path).stdout)["effects"] is None
    assert hpsearch("extend", "toy", "--trials", 4, "--inline", cwd=tmp_path).returncode == 0
    effects = pd.read_parquet(tmp_path / "results" / "toy" / "effects").set_index("name")
    assert effects["effect"]["lr"] == pytest.approx(-1.0), "(log10(0.1) + 1)^2 - (log10(1) + 1)^2"
    assert set(effects["about"]) == {""}


def test_diverged_trials_are_left_out_aloud(tmp_path):
    space_file(
        tmp_path,
        train=f'{{function: "{tmp_path / "sometimes.py"}:train"}}',
        parameters=f"{{a: {SWITCH}, b: {SWITCH}}}",
        sampler="{name: factorial, runs: 16}",
        budget="{trials: 16}",
    )
    source = "def train(trial):\n    lost = not trial.config['a'] and trial.seed % 2\n"
    (tmp_path / "sometimes.py").write_text(source + "    return {'val_loss': float('nan') if lost else 0.5}\n")
    done = hpsearch("run", "--space", "toy.yaml", "--inline", cwd=tmp_path)
    trials = pd.read_parquet(tmp_path / "results" / "toy" / "trials")
    diverged = int((trials["status"] == "diverged").sum())
    assert 0 < diverged < 8
    assert re.search(rf"^left out +{diverged} diverged", done.stdout, flags=re.MULTILINE)
    effects = pd.read_parquet(tmp_path / "results" / "toy" / "effects").set_index("name")
    assert (effects["n_with"]["a"], effects["n_without"]["a"]) == (8, 8 - diverged)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], ["there is no such recipe"]),
        (["digits_quickstart", "--techniques", "crop,residul"], ["unknown technique", "did you mean 'residual'?"]),
        (["digits_quickstart", "--runs", 12], ["--runs", "8, 16, 32, 64, 128"]),
        (["speed", "--runs", 8], ["not a size of a design for 11 techniques", "16, 32, 64, 128"]),
        (["speed", "--techniques", "crop,flip,alternating_flip"], ["lies inside", "flip, alternating_flip", "one of"]),
        (["digits_quickstart", "--set", "lrr=1"], ["unknown parameter", "did you mean 'lr'?"]),
        (["digits_quickstart", "--set", "batch_size=2000"], ["batch_size"]),
        (["digits_quickstart", "--name", "a/b"], ["not a usable name"]),
    ],
)
def test_bad_input_stops_before_anything_is_trained(tmp_path, arguments, words):
    done = hpsearch("ablate", *arguments, "--inline", cwd=tmp_path)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert all(word in done.stderr for word in words), done.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("arguments", "switched", "taken_along"),
    [
        (
            [],
            ["crop", "flip", "residual", "warm_up", "test_time"],
            {"flip": "alternating_flip", "test_time": "crops_test"},
        ),
        (
            ["--techniques", "test_time,alternating_flip"],
            ["alternating_flip", "test_time"],
            {"test_time": "crops_test"},
        ),
    ],
)
def test_what_lies_inside_a_technique_is_switched_with_it_or_instead(tmp_path, arguments, switched, taken_along):
    values = recipe.load("digits_quickstart").model_dump(mode="json")
    values["augment"] |= {"flip": True, "alternate": True}
    (tmp_path / "mine.yaml").write_text(recipe.load(values | {"test_time": "crops"}).to_yaml())
    done = hpsearch("ablate", "mine.yaml", "--runs", 16, "--epochs", 1, "--inline", *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    effects = pd.read_parquet(tmp_path / "results" / "ablate-mine" / "effects").set_index("name")
    assert {*effects.index} == {*switched}
    assert dict(re.findall(r"^(\w+) is switched with its (\w+)$", done.stderr, flags=re.MULTILINE)) == taken_along
    said = {name: about.rpartition(", with its ")[2] for name, about in effects["about"].items() if "with its" in about}
    assert said == taken_along


def test_a_combination_that_is_no_recipe_stops_the_study_before_it_starts(tmp_path):
    space_file(
        tmp_path,
        train="{recipe: digits_quickstart}",
        parameters=f"{{drop_last: {SWITCH}, model.norm.splits: {{type: choice, values: [4, 1]}}}}",
        objective="{metric: val_accuracy, mode: max}",
        sampler="{name: factorial, runs: 8}",
    )
    done = hpsearch("run", "--space", "toy.yaml", "--inline", cwd=tmp_path)
    assert done.returncode == 2 and "model.norm.splits" in done.stderr and "drop_last" in done.stderr
    assert not (tmp_path / "results").exists()
