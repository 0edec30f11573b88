from pathlib import Path

import pytest

from hpsearch.contract import Description
from hpsearch.errors import SpaceError
from hpsearch.space.coordinate_spec import CoordinateSpec
from hpsearch.space.load import LoadedSpace, Overrides, check, find, load, parse_set, shipped
from hpsearch.space.parameters import Constant, Real
from hpsearch.space.spec import Space
from hpsearch.typed_yaml import loads, parse

TEXT = """\
train: {function: "m:f", recipe: a}
parameters:
  lr: {type: real, low: 0.1, high: 1, scale: log}
  momentum: {type: real, low: 0, high: 0.9, when: {lr_rule: x}}
  lr_rule: {type: choice, values: [x, y]}
objective: {metric: val_loss, mode: min}
budget: {trials: 4, hours: 2}
start_with: [{lr: 0.2, lr_rule: x}, {lr: 0.3}]
seed: 1
"""

SHIPPED = [
    *("architecture", "fidelity_cpu", "lars_equivalent", "norm_reset", "proxy_grid", "proxy_rungs", "quickstart"),
    *("wd_flat", "wd_lr", "wd_lr_cpu"),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of a test, with a space of its own in ./search_spaces."""
    (tmp_path / "search_spaces").mkdir()
    (tmp_path / "search_spaces" / "mine.yaml").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_space_is_looked_up_as_a_path_then_here_then_among_the_shipped(folder: Path) -> None:
    assert find("mine") == find("mine.yaml") == Path("search_spaces/mine.yaml")
    assert find(str(folder / "search_spaces" / "mine")) == folder / "search_spaces" / "mine.yaml"
    assert find("wd_lr.yaml") == find("wd_lr")
    assert find("wd_lr").parent.name == "search_spaces"
    assert find("wd_lr").is_absolute()
    (folder / "search_spaces" / "wd_lr.yaml").write_text(TEXT)
    assert find("wd_lr") == Path("search_spaces/wd_lr.yaml")
    (folder / "wd_lr.yaml").write_text(TEXT)
    assert find("wd_lr") == Path("wd_lr.yaml")


def test_a_folder_is_not_a_space(folder: Path) -> None:
    (folder / "wd_lr").mkdir()
    assert find("wd_lr").name == "wd_lr.yaml"
    with pytest.raises(SpaceError):
        find("")


def test_an_unknown_space_lists_those_there_are(folder: Path) -> None:
    with pytest.raises(SpaceError) as caught:
        find("wdlr.yaml")
    (problem,) = caught.value.problems
    names = sorted([*SHIPPED, "mine"])
    assert problem.allowed == f"a path, or {', '.join(f'{name}.yaml' for name in names)}"
    assert problem.hint == "did you mean 'wd_lr'?"


def test_files_in_a_space_are_relative_to_its_folder(folder: Path) -> None:
    assert load("mine").base == folder / "search_spaces"


def test_options_replace_what_the_file_says(folder: Path) -> None:
    overrides = Overrides(trials=9, hours=0.5, data_path="/data", recipe="b", seed=7)
    space = load("mine", overrides).space
    assert (space.budget.trials, space.budget.hours, space.seed) == (9, 0.5, 7)
    assert space.train.settings == {"recipe": "b", "data_path": "/data"}
    assert load("mine", Overrides()).space == load("mine").space
    assert load("mine").space.budget.hours == 2


def test_set_makes_constants(folder: Path) -> None:
    space = load("mine", Overrides(constants={"lr": 5.0, "augment.cutout": 8})).space
    assert space.parameters["lr"] == Constant(value=5.0)
    assert list(space.parameters) == ["lr", "momentum", "lr_rule", "augment.cutout"]
    assert space.start_with == ({"lr_rule": "x"}, {})
    assert isinstance(load("mine").space.parameters["lr"], Real)


def test_set_keeps_the_condition_of_what_it_replaces(folder: Path) -> None:
    space = load("mine", Overrides(constants={"momentum": 0.5, "lr_rule": "z"})).space
    assert list(space.config_from_units({"lr": 0.5})) == ["lr", "lr_rule"]


def test_values_of_set_follow_the_rules_of_the_file() -> None:
    found = parse_set(["lr=1e-3", "n=4", "flag=true", "mode=on", "augment.cutout=0", "text=a=b: c", "x='1'"])
    assert found == {"lr": 1e-3, "n": 4, "flag": True, "mode": "on", "augment.cutout": 0, "text": "a=b: c", "x": "'1'"}
    assert type(found["n"]) is int


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["lr"], "not of the form key=value"),
        (["=1"], "not of the form key=value"),
        (["1r=1"], "not of the form key=value"),
        (["a..b=1"], "not of the form key=value"),
        (["lr="], "not a single value"),
        (["lr=null"], "not a single value"),
        (["lr=[1, 2]"], "not a single value"),
        (["lr={a: 1}"], "not a single value"),
        (["lr=1", "lr=2"], "lr is set twice"),
    ],
)
def test_a_bad_set_names_the_option(options: list[str], words: str) -> None:
    with pytest.raises(SpaceError) as caught:
        parse_set(options)
    (problem,) = caught.value.problems
    assert words in problem.what
    assert (problem.key, problem.got) == ("--set", options[-1])


def test_a_bad_option_is_refused(folder: Path) -> None:
    with pytest.raises(SpaceError) as caught:
        load("mine", Overrides(trials=0))
    (problem,) = caught.value.problems
    assert (problem.key, problem.got, problem.file) == ("budget.trials", "0", None)


def loaded(constants: dict[str, int] | None = None) -> LoadedSpace:
    document = loads(TEXT, SpaceError, Path("s.yaml"))
    space = parse(Space, document, SpaceError)
    extra = {name: Constant(value=value) for name, value in (constants or {}).items()}
    return LoadedSpace(space.model_copy(update={"parameters": space.parameters | extra}), document)


def test_a_space_that_the_function_knows_passes() -> None:
    known: Description = {"parameters": {"lr": 0.1, "momentum": 0.9, "lr_rule": "x"}, "metrics": ["val_loss"]}
    check(loaded(), known)
    check(loaded(), {})
    check(loaded(), {"facts": {"data": "none"}})


def test_names_that_the_function_does_not_know_are_refused() -> None:
    description: Description = {"parameters": {"lr": 0.1, "moment": 0.9, "lr_rule": 1}, "metrics": ["val_los", "acc"]}
    with pytest.raises(SpaceError) as caught:
        check(loaded({"lr_rul": 1}), description)
    momentum, option, metric = caught.value.problems
    assert (momentum.file, momentum.line, momentum.key) == (Path("s.yaml"), 4, "parameters.momentum")
    assert (momentum.allowed, momentum.hint) == ("lr, lr_rule, moment", "did you mean 'moment'?")
    assert (option.file, option.key, option.got, option.hint) == (None, "--set", "lr_rul", "did you mean 'lr_rule'?")
    assert (metric.line, metric.key, metric.hint) == (6, "objective.metric", "did you mean 'val_los'?")


def test_a_function_without_parameters_refuses_all() -> None:
    with pytest.raises(SpaceError) as caught:
        check(loaded(), {"parameters": {}, "metrics": []})
    assert len(caught.value.problems) == 4


def test_the_shipped_spaces_are_valid() -> None:
    assert shipped() == [f"{name}.yaml" for name in SHIPPED]
    spaces = {name.removesuffix(".yaml"): load(name).space for name in shipped()}
    short, quickstart, gpu, cpu = (spaces[name] for name in ("fidelity_cpu", "quickstart", "wd_lr", "wd_lr_cpu"))
    assert short.fidelity is not None and short.fidelity.epochs == (1, 2, 5)
    assert gpu.dump() == {
        "goal": "Learning rate, weight decay and batch size of ResNet-9 on CIFAR-10",
        "train": {"function": "trainer.objective:train", "recipe": "post4_resnet9", "data": "cifar10"},
        "parameters": {
            "lr": {"when": {}, "type": "real", "low": 0.05, "high": 3.2, "scale": "log", "step": None},
            "weight_decay": {"when": {}, "type": "real", "low": 1e-5, "high": 1e-2, "scale": "log", "step": None},
            "batch_size": {"when": {}, "type": "choice", "values": [128, 256, 512, 1024]},
            "momentum": {"when": {}, "type": "constant", "value": 0.9},
        },
        "objective": {"metric": "val_loss", "mode": "min", "target": None, "bound": None},
        "coordinates": CoordinateSpec().model_dump(),
        "prior": {"name": "heuristic", "normal": None, "study": None, "learnt": None},
        "sampler": {"name": "hpsearch", "startup_trials": None, "runs": None},
        "stopping": {"rule": "halving", "grace": 0.5},
        "budget": {"trials": 64, "hours": 4, "repeats": "auto"},
        "fidelity": None,
        "start_with": [{"lr": 0.4, "weight_decay": 5e-4, "batch_size": 512}],
        "resources": {"cpus": 1, "gpus": "auto"},
        "seed": 0,
    }
    assert (cpu.train.settings["recipe"], cpu.parameters["batch_size"].describe()) == (
        "resnet9_proxy_cpu",
        "64, 128, 256",
    )
    assert (quickstart.train.settings, quickstart.budget.trials) == (
        {"recipe": "digits_quickstart", "data": "digits"},
        12,
    )


def test_settings_that_name_files_hold_in_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.yaml").write_text("")
    (tmp_path / "images").mkdir()
    space = tmp_path / "space.yaml"
    text = "parameters: {lr: {type: constant, value: 1}}\nobjective: {metric: a, mode: min}\nbudget: {trials: 1}\n"
    space.write_text("train: {recipe: mine.yaml, data_path: ./images, other: mine.yaml}\n" + text)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    settings = load(str(space)).space.train.settings
    assert settings == {
        "recipe": str(tmp_path / "mine.yaml"),
        "data_path": str(tmp_path / "images"),
        "other": "mine.yaml",
    }
    (elsewhere / "post4_resnet9").mkdir()
    space.write_text("train: {recipe: post4_resnet9, data_path: nowhere}\n" + text)
    assert load(str(space)).space.train.settings == {"recipe": "post4_resnet9", "data_path": "nowhere"}
