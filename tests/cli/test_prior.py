"""Priors made of studies: the command, its file, the names of a space file, and what does not fit."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from hpsearch.cli.priors import resolve_prior
from hpsearch.errors import InputError, SpaceError
from hpsearch.space.learnt import for_space, read_learnt, shipped_priors
from hpsearch.space.prior_spec import Learnt
from hpsearch.space.spec import Space
from tests.cli.command import hpsearch, space_file
from tests.space.examples import LR, make_space

ROOT = Path(__file__).parents[2]
LEARNT = {
    "about": "by hand",
    "made_by": "a test",
    "settings": [{"lr": 0.1, "batch_size": 64}],
    "problems": {"one": {"lr": {"centre": 0.1, "spread": 3}, "batch_size": {"centre": 64, "spread": 2}}},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study of 12 trials, and one of 3."""
    made = tmp_path_factory.mktemp("priors")
    space_file(made, budget="{trials: 12}", prior="uniform")
    space_file(made, "short.yaml", budget="{trials: 3}", prior="uniform")
    for name in ("toy", "short"):
        done = hpsearch("run", "--space", f"{name}.yaml", "--inline", cwd=made)
        assert done.returncode == 0, done.stderr
    return made


def with_prior(prior: Any, parameters: dict[str, Any] | None = None, **blocks: Any) -> Space:
    return make_space(parameters or {"lr": LR}, prior=prior, **blocks)


def resolved(folder: Path, prior: Any, parameters: dict[str, Any] | None = None, **blocks: Any) -> Learnt:
    space = resolve_prior(with_prior(prior, parameters, **blocks), folder, folder / "results")
    assert Space.restore(space.dump()) == space, "the study keeps it"
    found = space.belief.learnt
    assert isinstance(found, Learnt)
    return found


def test_the_command_prints_and_writes_what_a_space_can_name(folder: Path) -> None:
    done = hpsearch("prior", "toy", "--write", "mine.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^toy +lr +\S+ +\S+ *$", done.stdout, flags=re.MULTILINE)
    printed = json.loads(hpsearch("prior", "toy", "--json", cwd=folder).stdout)
    text = (folder / "mine.yaml").read_text()
    assert yaml.safe_load(text) == printed
    assert printed["made_by"] == "hpsearch prior toy" and "A parabola, 12 trials" in printed["about"]
    assert str(folder) not in text
    assert (
        resolved(folder, {"learnt": "mine.yaml"})
        == resolved(folder, {"study": "toy"})
        == Learnt.model_validate(read_learnt("mine.yaml", folder))
    )


def test_a_study_may_be_given_by_its_folder(folder: Path) -> None:
    assert resolved(folder, {"study": "results/toy"}) == resolved(folder, {"study": ["toy"]})
    assert resolved(folder, {"study": str(folder / "results" / "toy")}).made_by == "hpsearch prior toy"


@pytest.mark.parametrize("prior", [None, "heuristic", "uniform", {"normal": {"lr": {"centre": 0.1, "spread": 3}}}])
def test_other_priors_stay_as_they_are(folder: Path, prior: Any) -> None:
    space = make_space() if prior is None else with_prior(prior)
    assert resolve_prior(space, folder, folder / "results") == space


def test_the_values_take_the_names_of_the_space(folder: Path) -> None:
    found = {"eta": LR, "batch_size": {"type": "choice", "values": [32, 64]}}
    learnt = resolved(folder, {"learnt": LEARNT}, found, coordinates={"lr": "eta"})
    assert set(learnt.problems["one"]) == {"eta", "batch_size"}
    assert learnt.settings == ({"eta": 0.1, "batch_size": 64},)
    space = with_prior({"learnt": learnt.model_dump()}, found, coordinates={"lr": "eta"})
    assert for_space(learnt, space) == learnt, "once more changes nothing: a study that is resumed"


@pytest.mark.parametrize(("key", "name"), [("rate", "lr"), ("rate", "rate"), ("tau", "weight_decay"), ("tau", "tau")])
def test_coordinates_say_something_about_what_follows_from_them(folder: Path, key: str, name: str) -> None:
    learnt = {**LEARNT, "problems": {"one": {key: {"centre": 0.1, "spread": 3}}}}
    assert resolved(folder, {"learnt": learnt}, {name: LR}).problems["one"].keys() == {key}


@pytest.mark.parametrize(
    ("prior", "parameters", "words"),
    [
        ({"study": "toi"}, None, ["no study 'toi'", "did you mean 'toy'?"]),
        ({"study": "results/none"}, None, ["no study 'none'"]),
        ({"study": "short"}, None, ["3 completed trials, too few", "5 or more"]),
        ({"study": ["toy", "toy"]}, None, ["two of the studies are called 'toy'"]),
        ({"study": "toy"}, {"lr": {**LR, "low": 2.0, "high": 9.0}}, ["searched lr elsewhere", "0.001 .. 1", "2 .. 9"]),
        ({"study": "toy"}, {"lr": {"type": "choice", "values": ["low", "high"]}}, ["searched lr elsewhere"]),
        ({"study": "toy"}, {"width": {"type": "integer", "low": 1, "high": 9}}, ["says nothing", "width"]),
        ({"learnt": LEARNT}, {"width": {"type": "integer", "low": 1, "high": 9}}, ["says nothing", "batch_size, lr"]),
        ({"learnt": "lcbenhc"}, None, ["no learnt prior 'lcbenhc'", "prior.learnt"]),
    ],
)
def test_what_does_not_fit_is_refused(folder: Path, prior: Any, parameters: Any, words: list[str]) -> None:
    with pytest.raises(InputError) as refusal:
        resolve_prior(with_prior(prior, parameters), folder, folder / "results")
    assert all(word in str(refusal.value) for word in words), str(refusal.value)


@pytest.mark.parametrize("parameter", [{"type": "constant", "value": 7.0}, {**LR, "low": 0.5, "high": 50.0}])
def test_ranges_need_to_overlap_only(folder: Path, parameter: dict[str, Any]) -> None:
    other = {"momentum": {"type": "real", "low": 0, "high": 0.9}}
    if parameter["type"] == "constant":
        with pytest.raises(SpaceError, match="says nothing"):
            resolved(folder, {"study": "toy"}, {"lr": parameter, **other})
    else:
        assert "lr" in resolved(folder, {"study": "toy"}, {"lr": parameter, **other}).problems["toy"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("about: x\nmade_by: y\nsettings: []\n", "problems"),
        ("about: x\nmade_by: y\nsettings: []\nproblems: {one: {lr: {centre: 1, spread: -1}}}\n", "spread"),
        ("- 1\n", "mapping"),
    ],
)
def test_a_damaged_file_is_shown_by_its_place(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(SpaceError, match=words) as refusal:
        read_learnt("mine.yaml", tmp_path)
    assert "mine.yaml" in str(refusal.value)


@pytest.mark.parametrize("arguments", [["toi"], ["short"], ["toy", "--write", "no/such/folder.yaml"]])
def test_mistakes_end_with_a_message(folder: Path, arguments: list[str]) -> None:
    done = hpsearch("prior", *arguments, cwd=folder)
    assert done.returncode == 2 and "error:" in done.stderr and "Traceback" not in done.stderr


NORMAL = "{{normal: {{{}}}}}"


@pytest.mark.parametrize(
    ("prior", "words"),
    [
        ("heuristik", ["toy.yaml:7", "heuristik", "did you mean 'heuristic'?"]),
        ("{studies: toy}", ["toy.yaml:7", "unknown key 'studies'", "did you mean 'study'?"]),
        ("{name: uniform, study: toy}", ["toy.yaml:7", "a prior is one of these"]),
        ("{study: toi}", ["no study 'toi'", "did you mean 'toy'?"]),
        ("{study: short}", ["3 completed trials, too few", "5 or more"]),
        ("{learnt: lcbenhc}", ["toy.yaml:7", "prior.learnt", "no learnt prior 'lcbenhc'"]),
        (NORMAL.format("lrr: {centre: 0.1, spread: 3}"), ["toy.yaml:7", "prior.normal.lrr", "did you mean 'lr'?"]),
        (NORMAL.format("lr: {centre: 0, spread: 3}"), ["toy.yaml:7", "prior.normal.lr.centre", "above 0"]),
        (NORMAL.format("lr: {centre: 0.1, spread: 1}"), ["toy.yaml:7", "prior.normal.lr.spread", "above 1", "factor"]),
        (NORMAL.format("lr: {centre: 0.1, spread: 0}"), ["toy.yaml:7", "prior.normal.lr.spread", "greater than 0"]),
        (NORMAL.format("lr: {centre: 0.1}"), ["toy.yaml:7", "prior.normal.lr.spread", "missing"]),
        (NORMAL.format("rate: {centre: -1, spread: 3}"), ["toy.yaml:7", "prior.normal.rate.centre", "above 0"]),
        (NORMAL.format("tau: {centre: 0.2, spread: 3}"), ["toy.yaml:7", "prior.normal.tau", "examples", "epochs"]),
        (NORMAL.format("momentum: {centre: 1, spread: 3}"), ["toy.yaml:7", "momentum.centre", "below 1"]),
        (NORMAL.format("kind: {centre: 1, spread: 3}"), ["toy.yaml:7", "prior.normal.kind", "no scale", "a, b"]),
    ],
)
def test_a_space_whose_prior_is_wrong(
    folder: Path, monkeypatch: pytest.MonkeyPatch, in_process: Any, prior: str, words: list[str]
) -> None:
    monkeypatch.chdir(folder)
    more = "momentum: {type: real, low: 0, high: 0.9}, kind: {type: choice, values: [a, b]}"
    parameters = f"{{lr: {{type: real, low: 0.001, high: 1, scale: log}}, {more}}}"
    (folder / "mine.py").write_text("def train(trial):\n    return {'val_loss': trial.config['lr']}\n")
    (folder / "bad").mkdir(exist_ok=True)
    file = space_file(folder / "bad", parameters=parameters, train='{function: "mine.py:train"}', prior=prior)
    done = in_process("run", "--space", file, "--inline")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert all(word in done.stderr for word in words), done.stderr
    assert done.stderr.count("error:") == 1


@pytest.mark.parametrize("sampler", ["tpe", "gp", "grid", "factorial"])
def test_a_sampler_that_has_no_place_for_a_prior(folder: Path, tmp_path: Path, in_process: Any, sampler: str) -> None:
    parameters = "{lr: {type: choice, values: [0.1, 0.2]}}"
    file = space_file(tmp_path, parameters=parameters, sampler=f"{{name: {sampler}}}", prior="heuristic")
    done = in_process("validate", file)
    assert done.returncode == 2 and f"the sampler {sampler} makes no use of a prior" in done.stderr
    assert "toy.yaml:7" in done.stderr and done.stderr.count("error:") == 1


def test_a_belief_about_a_constant_is_allowed(folder: Path) -> None:
    """As --set makes one of a parameter."""
    space = make_space({"lr": {"type": "constant", "value": 0.1}}, prior={"normal": {"lr": {"centre": 1, "spread": 2}}})
    assert resolve_prior(space, folder, folder) == space


def test_a_learnt_belief_that_no_scale_has_is_shown_by_its_place(folder: Path) -> None:
    learnt = {**LEARNT, "problems": {"one": {"lr": {"centre": 0.1, "spread": 0.5}}}}
    with pytest.raises(SpaceError, match=r"lr cannot have this spread") as refusal:
        resolve_prior(with_prior({"learnt": learnt}), folder, folder)
    assert refusal.value.problems[0].key == "prior.learnt.problems.one.lr.spread"


def test_a_study_whose_function_is_gone_teaches_what_its_table_has(folder: Path, tmp_path: Path) -> None:
    """Read in another process, in another folder, without the file of its function."""
    results = tmp_path / "results"
    code = (
        "import json, shutil, sys\nfrom pathlib import Path\n"
        "source, target = map(Path, sys.argv[1:])\nshutil.copytree(source, target)\n"
        "record = json.loads((target / 'study.json').read_text())\n"
        "record['function'] = record['space']['train']['function'] = 'gone.py:train'\n"
        "(target / 'study.json').write_text(json.dumps(record))\n"
    )
    subprocess.run([sys.executable, "-c", code, folder / "results" / "toy", results / "toy"], check=True)
    done = hpsearch("prior", "toy", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "lr and weight_decay are learnt" in done.stderr
    assert set(json.loads(done.stdout)["problems"]["toy"]) == {"lr"}


@pytest.mark.parametrize("name", shipped_priors())
def test_a_shipped_prior_can_be_read(name: str) -> None:
    learnt = read_learnt(name, Path())
    space = make_space(
        {
            "lr": LR,
            "weight_decay": {**LR, "low": 1e-6},
            "batch_size": {"type": "choice", "values": [64, 128]},
            "momentum": {"type": "real", "low": 0.5, "high": 0.99},
        }
    )
    assert for_space(learnt, space).problems and learnt.settings
    assert re.search(r"^(hpsearch prior|python -m benchmarks)", learnt.made_by)
