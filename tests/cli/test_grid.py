"""A grid from the space file to the table of its settings."""

import json
import re

import pandas as pd
import pytest

from tests.cli.command import hpsearch, space_file

VALUES = "{lr: {type: choice, values: [0.1, 1.0]}, width: {type: constant, value: 8}}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("grids")
    blocks = {"parameters": VALUES, "sampler": "{name: grid}", "objective": "{metric: seed, mode: max}"}
    space_file(made, "grid.yaml", **blocks, budget="{trials: 5}")
    space_file(made, "once.yaml", **blocks, budget="{trials: 2}")
    return made


def test_validate_says_how_often_the_budget_covers_the_grid(folder):
    printed = hpsearch("validate", "grid.yaml", cwd=folder).stdout
    assert re.search(r"^grid +2 combinations; the budget covers them 2.5 times$", printed, flags=re.MULTILINE)


def test_a_real_cannot_be_in_a_grid(folder):
    space_file(folder, "real.yaml", sampler="{name: grid}")
    done = hpsearch("validate", "real.yaml", cwd=folder)
    assert done.returncode != 0 and "Traceback" not in done.stderr
    assert "grid needs values to enumerate: choice, integer or constant" in done.stderr
    assert "real.yaml:3" in done.stderr and "parameters.lr.type" in done.stderr


def test_a_combination_that_cannot_be_trained_is_found_before_the_study(tmp_path):
    """Each size goes with the second split and each split with the second size; 128 and 12 do not go together."""
    sizes, splits = "{type: choice, values: [96, 192, 128]}", "{type: choice, values: [12, 16, 64]}"
    space_file(
        tmp_path,
        train="{recipe: digits_quickstart}",
        parameters=f"{{drop_last: {{type: constant, value: true}}, batch_size: {sizes}, model.norm.splits: {splits}}}",
        objective="{metric: val_accuracy, mode: max}",
        sampler="{name: grid}",
    )
    done = hpsearch("run", "--space", "toy.yaml", "--inline", cwd=tmp_path)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "toy.yaml:3" in done.stderr and "model.norm.splits" in done.stderr
    assert "a divisor of 96 (batch_size)" in done.stderr, "the first that fails: 64 parts"
    assert not (tmp_path / "results").exists()


def test_repeated_settings_are_shown_by_their_means(folder):
    done = hpsearch("run", "--space", "grid.yaml", "--inline", cwd=folder)
    assert done.returncode == 0, done.stderr
    trials = pd.read_parquet(folder / "results" / "grid" / "trials")
    assert sorted(trials["lr"]) == [0.1] * 3 + [1.0] * 2
    assert trials["seed"].nunique() == 5
    expected = trials.groupby("lr")["objective"].agg(["count", "mean", "std", "sem"]).sort_values("mean")[::-1]

    settings = json.loads(hpsearch("show", "grid", "--json", cwd=folder).stdout)["settings"]
    assert [setting["config"]["lr"] for setting in settings] == list(expected.index)
    for key, column in (("n", "count"), ("mean", "mean"), ("std", "std"), ("standard_error", "sem")):
        assert [setting[key] for setting in settings] == pytest.approx(list(expected[column]))

    for printed in (done.stdout, hpsearch("show", "grid", cwd=folder).stdout):
        table = printed[printed.index("by setting") :]
        header = r"^lr +n +seed +expected +seconds"  # only what varies, and no test accuracy
        assert re.search(header, table, flags=re.MULTILINE)
        rows = re.findall(r"^([\d.]+) +(\d) +([\d.]+) \+- ([\d.]+) ", table, flags=re.MULTILINE)
        found = [[float(text) for text in row] for row in rows]
        shown = [[lr, row["count"], row["mean"], row["sem"]] for lr, row in expected.iterrows()]
        assert found == [pytest.approx(row, rel=0.05) for row in shown]
    assert "standard error" in done.stderr


def test_without_repeats_there_is_no_such_table(folder):
    done = hpsearch("run", "--space", "once.yaml", "--inline", cwd=folder)
    assert "by setting" not in done.stdout and "standard error" not in done.stderr
    assert "hpsearch extend once --trials 4 --repeats auto" in done.stderr, "the search is over, and runs no more"
    assert json.loads(hpsearch("show", "once", "--json", cwd=folder).stdout)["settings"] == []
