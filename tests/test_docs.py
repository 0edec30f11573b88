"""Every snippet in the README and in docs/ is run, or checked against the command it names."""

import json
import re
import shlex
from pathlib import Path

import pandas as pd
import pytest
import typer.main

from benchmarks import studies, weight_decay
from benchmarks.fidelity import ranks, read
from hpsearch.cli.app import app
from hpsearch.cli.plan import overrides, plan_file
from hpsearch.space.grid import combinations
from hpsearch.space.load import load
from tests.cli.command import hpsearch

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


POST_6 = ("norm_reset", "wd_flat", "lars_equivalent")


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def commands():
    """(page, words) of every line of a page that calls hpsearch."""
    for page in PAGES:
        for block in blocks(page, ""):
            for line in block.splitlines():
                if line.startswith("hpsearch "):
                    yield pytest.param(shlex.split(line, comments=True)[1:], id=line.split("#")[0].strip())


def known_commands(group=None, before=""):
    """Name -> command, of groups of commands those in them: 'analyze tied'."""
    found = {}
    for name, command in (group or typer.main.get_command(app)).commands.items():
        full = f"{before}{name}"
        found |= known_commands(command, f"{full} ") if hasattr(command, "commands") else {full: command}
    return found


@pytest.mark.parametrize("words", [*commands()])
def test_commands_and_their_options_exist(words):
    known = known_commands()
    name = words[0] if words[0] in known else " ".join(words[:2])
    rest = words[len(name.split()) :]
    known[name].make_context(name, rest)  # parses; raises for an unknown option or a missing argument


def test_the_table_of_commands_names_every_command_and_its_options():
    rows = re.findall(r"^\| `(.*?)$", ROOT.joinpath("README.md").read_text(), flags=re.MULTILINE)
    text = "\n".join(rows)
    for name, command in known_commands().items():
        assert re.search(rf"\b{name}\b", text), name
        known = {option for parameter in command.params for option in parameter.opts}
        for row in rows:
            if row.startswith(f"{name} "):
                assert set(re.findall(r"--[a-z-]+", row)) <= known


def test_the_space_in_the_readme_is_the_shipped_one():
    (block,) = blocks(ROOT / "README.md", "yaml")
    shipped = (ROOT / "search_spaces" / "wd_lr.yaml").read_text()
    assert block == shipped[shipped.index("goal:") :]


def test_the_spaces_in_the_docs_are_valid(tmp_path, cifar_folder):
    every_kind, traced, in_coordinates, in_rungs = blocks(ROOT / "docs" / "space.md", "yaml")
    (tmp_path / "space.yaml").write_text(every_kind)
    plan, _ = plan_file(str(tmp_path / "space.yaml"), overrides(data=cifar_folder))
    kinds = {parameter.type for parameter in plan.space.parameters.values()}
    assert kinds == {"real", "integer", "choice", "constant"}
    (tmp_path / "space.yaml").write_text(traced)
    plan, _ = plan_file(str(tmp_path / "space.yaml"), overrides(data=cifar_folder))
    assert plan.space.train.settings["trace"] == {"every": 10, "layers": "all"}
    (tmp_path / "space.yaml").write_text(in_coordinates)
    plan, _ = plan_file(str(tmp_path / "space.yaml"), overrides())
    assert {"rate", "tau"} <= plan.space.parameters.keys()
    (tmp_path / "space.yaml").write_text(in_rungs)
    plan, _ = plan_file(str(tmp_path / "space.yaml"), overrides())
    assert plan.space.full_epochs == plan.description["epochs"]


def test_the_training_function_in_the_docs_runs(tmp_path):
    page = ROOT / "docs" / "training-function.md"
    (space,) = blocks(page, "yaml")
    function, beside = blocks(page, "python")
    (tmp_path / "space.yaml").write_text(space)
    (tmp_path / "mine.py").write_text(function)
    assert hpsearch("run", "--space", "space.yaml", "--inline", "--trials", 3, cwd=tmp_path).returncode == 0
    (tmp_path / "mine.py").write_text(function + beside)
    assert hpsearch("run", "--space", "space.yaml", "--inline", "--trials", 3, cwd=tmp_path).returncode == 0
    trials = pd.read_parquet(tmp_path / "results" / "space-2" / "trials")
    assert set(trials["status"]) == {"completed"} and set(trials["epochs"]) == {8}


def test_what_the_readme_loads_with_pandas_is_there(tmp_path, monkeypatch, capsys):
    options = ["--trials", 2, "--name", "wd_lr_cpu", "--inline"]
    assert hpsearch("run", "--space", "quickstart", *options, cwd=tmp_path).returncode == 0
    monkeypatch.chdir(tmp_path)
    (block,) = blocks(ROOT / "README.md", "python")
    exec(block, {})
    assert "completed" in capsys.readouterr().out


def test_links_inside_the_project_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(((?!http)[^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_shipped_spaces_load():
    for name in (
        "wd_lr",
        "wd_lr_cpu",
        "fidelity_cpu",
        "quickstart",
        "architecture",
        "proxy_grid",
        "proxy_rungs",
        *POST_6,
    ):
        assert load(name).space.goal


def test_the_architecture_search_is_that_of_post_4(cifar_folder):
    """15 networks at two lengths: nothing, or layers of one kind on one, two or three of the stages."""
    plan, _ = plan_file("architecture", overrides(data=cifar_folder))
    found = combinations(plan.space.parameters)
    added = [(config["model.residual"], config.get("model.extra", "none"), config["epochs"]) for config in found]
    stages = ["L1", "L2", "L3", "L1+L2", "L1+L3", "L2+L3", "L1+L2+L3"]
    networks = [("none", "none"), *(("none", some) for some in stages), *((some, "none") for some in stages)]
    assert added == [(*network, epochs) for network in networks for epochs in (20, 22)]
    assert plan.space.budget.trials == 10 * len(found)


def test_the_correlations_in_the_docs_are_those_of_the_stored_studies():
    text = (ROOT / "docs" / "fidelity.md").read_text()
    for row in ranks(read(ROOT / "results" / "reference")):
        assert f"{row['value']:.2f} ({row['low']:.2f} to {row['high']:.2f})" in text, row


def test_the_tables_in_the_docs_are_those_of_the_stored_figures():
    figures = ROOT / "results" / "reference" / "benchmarks"
    noise = (ROOT / "docs" / "noise.md").read_text()
    for row in json.loads((figures / "noise.json").read_text()):
        if row["case"] != "apart":  # of which the page has the range over n
            tied = f"{row['tied']:.1f}".removesuffix(".0") if row["case"] == "equal" else f"{row['tied']:.1f}"
            cells = [f"| {row['case']} | {row['n']} | {row['holds']:.3f} | {row['size']:.1f} | {tied} | "]
            cells += [f"{row['holds_t_test']:.3f}, {row['size_t_test']:.1f} | "]
            cells += [f"{row['raw']:.2f} | {row['adjusted']:.2f} | {row['error']:.2f} |"]
            assert "".join(cells) in noise, row
    fidelity = (ROOT / "docs" / "fidelity.md").read_text()
    for row in json.loads((figures / "fidelity.json").read_text())["regret"]:
        assert f"{row['mean']:.3f} +- {row['error']:.3f}" in fidelity, row


def test_the_tables_of_weight_decay_are_those_of_the_stored_studies():
    text = (ROOT / "docs" / "weight_decay.md").read_text()
    for rows in weight_decay.tables().values():
        assert "\n".join(rows) in text


@pytest.mark.parametrize("page", studies.KINDS)
def test_the_findings_in_the_docs_are_those_of_the_stored_studies(page):
    text = (ROOT / "docs" / f"{page}.md").read_text()
    assert studies.folders(page)
    assert studies.with_measured(text, page) == text
