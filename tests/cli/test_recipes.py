import io
import json
import re

import pytest
from rich.console import Console

from hpsearch.cli import console
from hpsearch.cli.recipes import _measured, recipes
from hpsearch.space.load import shipped
from tests.cli.command import hpsearch
from trainer import recipe
from trainer.blocks import Evidence
from trainer.series import STORY, Chapter

OTHERS = [name for name in recipe.names() if name not in STORY]


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    done = hpsearch("recipes", cwd=tmp_path_factory.mktemp("empty"))
    assert done.returncode == 0, done.stderr
    return done.stdout


def cells(printed, name):
    """The row of a recipe, cut where two blanks are."""
    row = next(line for line in printed.splitlines() if f"  {name} " in line)
    return re.split(r" {2,}", row.strip())


def test_every_row_of_the_series_comes_in_its_order_and_the_other_recipes_follow(printed):
    header, *rows = printed.split("\n\n")[0].splitlines()
    first, second = header.index("recipe"), header.index("epochs")
    named = [(row[:first].strip(), row[first:second].strip()) for row in rows if row[:second].strip()]
    series = [(row.post, f"{row.space}.yaml" if row.space else "-") if isinstance(row, Chapter)
              else (recipe.load(row).post, row) for row in STORY]  # fmt: skip
    assert named == series + [("-", name) for name in OTHERS]
    assert [post for post, _ in series if " " not in post] == [
        "5", "6", "7", "8.1", "8.2", "8.3", "8.4", "8.5", "8.6", "8.7", "8.7", "8.8", "8.9", "8.10",
    ]  # fmt: skip


def test_a_row_shows_what_was_published(printed):
    assert cells(printed, "post4_resnet9")[:6] == [
        "4 final",
        "post4_resnet9",
        "24",
        "512",
        "resnet9 64",
        "0.9408, 79 s",
    ]
    assert cells(printed, "post2_batch512")[4:6] == ["dawn 64", "256 s"]
    assert "architecture.yaml" in printed and "architecture.yaml" in shipped()
    assert "docs/recipes.md" in printed


def test_what_we_expect_ourselves_is_not_called_published(printed):
    proxy = recipe.load("resnet9_proxy_cpu")
    assert cells(printed, "resnet9_proxy_cpu")[5] == "-"
    assert _measured(proxy.model_copy(update={"evidence": ()})) == "0.66 +- 0.005 (3 runs, held out)"


def evidence(accuracy, runs, std, scale, data="cifar10, cifar10"):
    place = {"data": data, "device": "a CPU", "versions": "torch 2.13"}
    return Evidence(scale=scale, runs=runs, accuracy=accuracy, std=std, seconds=1.0, petaflop=1.0, **place)


def test_evidence_at_full_scale_goes_first():
    small, full = evidence(0.61, 3, 0.004, "width 8 of 64"), evidence(0.9061, 1, None, "full")
    post8 = recipe.load("post8_09_flip_test").model_copy(update={"evidence": ()})
    assert _measured(post8) == "-"
    assert _measured(post8.model_copy(update={"evidence": (small,)})) == "0.61 +- 0.004 (3 runs, width 8 of 64)"
    assert _measured(post8.model_copy(update={"evidence": (small, full)})) == "0.9061 (1 run)"


def test_evidence_on_other_images_says_which():
    copies = evidence(0.9061, 2, 0.001, "full", "cifar10, cifar10-jpeg75")
    bundled = evidence(0.974, 2, None, "full", "digits")
    post8 = recipe.load("post8_09_flip_test")
    assert _measured(post8.model_copy(update={"evidence": (copies,)})) == "0.9061 +- 0.001 (2 runs, cifar10-jpeg75)"
    assert _measured(post8.model_copy(update={"evidence": (bundled,)})) == "0.974 (2 runs)"


def test_json_holds_the_order_and_every_value(tmp_path):
    listed = json.loads(hpsearch("recipes", "--json", cwd=tmp_path).stdout)
    assert listed["recipes"].keys() == set(recipe.names())
    assert recipe.load(listed["recipes"]["post8_10_convergence"]) == recipe.load("post8_10_convergence")
    assert listed["order"][0] == {"post": "1 baseline", "recipe": "post1_baseline"}
    assert [row["space"] for row in listed["order"] if "space" in row] == ["architecture", None, None, None]
    assert len(listed["order"]) == len(recipe.names()) + 4


def test_a_row_is_a_line_of_a_terminal_of_120_columns(monkeypatch):
    load = recipe.load
    small = evidence(0.6123, 3, 0.0042, "width 8 of 64, 1 of 24 epochs", "cifar10, cifar10-jpeg75")
    monkeypatch.setattr(recipe, "load", lambda name: load(name).model_copy(update={"evidence": (small,)}))
    terminal = Console(width=120, file=io.StringIO(), soft_wrap=True)
    monkeypatch.setattr(console, "out", terminal)
    recipes()
    lines = terminal.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 120
    assert "about" not in lines[0]
    assert all(any(f"  {name} " in line for line in lines) for name in recipe.names()), "no name is folded"
