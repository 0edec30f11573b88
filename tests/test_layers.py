"""Who may import whom: the lines of docs/architecture.md."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("space", "samplers", "runners", "store", "analysis", "report", "cli")
PLAIN = {"contract", "errors", "seeds", "devices", "typed_yaml", "yaml_document"}


def imports(folder):
    """(file, imported module) for every import statement below a folder."""
    for file in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                yield from ((file, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield file, node.module
                yield from ((file, f"{node.module}.{alias.name}") for alias in node.names)


def offenders(folder, *forbidden):
    return {
        f"{file.relative_to(ROOT)} imports {module}"
        for file, module in imports(folder)
        if any(module == name or module.startswith(f"{name}.") for name in forbidden)
    }


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("trainer", ["ray", "optuna", "typer"]),
        ("hpsearch/space", ["ray", "optuna", "torch", "hpsearch.store", "hpsearch.runners", "hpsearch.cli"]),
        ("hpsearch/samplers", ["ray", "hpsearch.store", "hpsearch.runners", "hpsearch.cli"]),
        ("hpsearch/statistics", ["ray", "optuna", "torch", "pandas", *(f"hpsearch.{room}" for room in ROOMS)]),
        ("hpsearch/report", ["ray", "optuna", "torch", "hpsearch.runners", "hpsearch.cli"]),
        ("hpsearch/runners", ["optuna", "hpsearch.store", "hpsearch.analysis", "hpsearch.cli"]),
        ("hpsearch/store", ["ray", "optuna", "torch", "hpsearch.runners", "hpsearch.samplers", "hpsearch.cli"]),
        ("hpsearch/analysis", ["ray", "torch", "hpsearch.runners", "hpsearch.cli"]),
    ],
)
def test_a_room_does_not_reach_into_the_others(folder, forbidden):
    assert not offenders(folder, *forbidden)


def test_one_module_of_the_samplers_uses_torch_and_what_is_not_public_of_optuna():
    lines = offenders("hpsearch/samplers", "torch") | offenders("hpsearch", "optuna._gp")
    assert {line.split(" ")[0] for line in lines} == {"hpsearch/samplers/surrogate.py"}


def test_one_module_of_the_analysis_uses_optuna():
    assert {line.split(" ")[0] for line in offenders("hpsearch/analysis", "optuna")} == {"hpsearch/analysis/forest.py"}


def test_only_commands_about_recipes_import_the_trainer():
    files = {line.split(" ")[0] for line in offenders("hpsearch", "trainer")}
    assert {file for file in files if not file.startswith("hpsearch/cli/study_")} == {
        f"hpsearch/cli/{name}.py"
        for name in ("ablate", "best", "effects", "recipes", "reproduce_jobs", "reproduce_runs", "train", "transfer")
    }


def test_the_trainer_uses_only_plain_modules_of_hpsearch_and_the_theory():
    modules = {module for _, module in imports("trainer") if module.startswith("hpsearch.")}
    theory = {module for module in modules if module.startswith("hpsearch.analysis")}
    assert {module.split(".")[1] for module in modules - theory} <= PLAIN
    assert {module.split(".")[2] for module in theory if module != "hpsearch.analysis"} == {"weight_decay"}


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("trainer.objective", ["ray", "optuna", "typer"]),
        ("hpsearch.analysis.weight_decay", ["ray", "torch", "optuna", "pandas", "pyarrow", "scipy", "pydantic"]),
        ("hpsearch.analysis.summary", ["ray", "torch", "optuna"]),
        ("hpsearch.analysis.importance", ["ray", "torch", "optuna"]),
        ("hpsearch.cli.app", ["ray", "torch", "optuna", "trainer"]),
    ],
)
def test_importing_it_does_not_import(module, absent):
    code = f"import sys, {module}; print(*[name for name in {absent!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.split() == []
