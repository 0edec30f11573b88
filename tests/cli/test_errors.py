"""What a user can mend: one clear message, exit code 2, no traceback, nothing left behind."""

import shutil

import pytest

from tests.cli.command import TOY, hpsearch, space_file

REAL = "{lr: {type: real, low: 0.001, high: 1.0, scale: log}}"


def refused(done, *says):
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    for text in says:
        assert text in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"budgets": "{trials: 3}"}, ["toy.yaml:7", "unknown key 'budgets'", "did you mean 'budget'?"]),
        ({"budget": "{trials: many}"}, ["toy.yaml:6", "budget.trials", "'many'"]),
        ({"parameters": "{lr: {type: real, low: 2, high: 1}}"}, ["toy.yaml:3", "parameters.lr", "2"]),
        ({"parameters": "{lr: {type: real, low: 0, high: 1, scale: log}}"}, ["toy.yaml:3", "parameters.lr", "log"]),
        ({"parameters": "{lr: {type: choice, values: []}}"}, ["toy.yaml:3", "parameters.lr.values"]),
        ({"parameters": "{lr: {type: reel, low: 0, high: 1}}"}, ["parameters.lr", "reel", "did you mean 'real'?"]),
        ({"goal": "a\ngoal: b"}, ["toy.yaml:2", "goal", "twice"]),
        ({"goal": "!!python/object/apply:os.system ['touch pwned']"}, ["toy.yaml:1", "tags"]),
        ({"goal": "[a"}, ["toy.yaml", "not valid YAML"]),
        ({"objective": "{metric: val_los, mode: min}"}, ["toy.yaml:4", "objective.metric", "did you mean 'val_loss'?"]),
        ({"objective": "{metric: test_accuracy, mode: max}"}, ["objective.metric", "test_accuracy", "val_accuracy"]),
        ({"parameters": REAL.replace("lr", "lrr")}, ["toy.yaml:3", "lrr", "did you mean 'lr'?"]),
        ({"sampler": "{name: tpee}"}, ["sampler.name", "tpee", "did you mean 'tpe'?"]),
        ({"train": f'{{function: "{TOY}:trian"}}'}, ["trian", "did you mean 'train'?"]),
        ({"train": '{function: "nowhere.py:train"}'}, ["nowhere.py"]),
        ({"train": '{function: "no_such_module:train"}'}, ["no_such_module"]),
        ({"train": f'{{function: "{TOY}:train", epochs: 0}}'}, ["epochs must be at least 1"]),
        (
            {"train": "{recipe: post4_resnet}", "parameters": REAL},
            ["toy.yaml:2", "train.recipe", "did you mean 'post4_resnet9'?"],
        ),
        (
            {"train": "{recipe: digits_quickstart, data: digit}", "parameters": REAL},
            ["digit", "did you mean 'digits'?"],
        ),
        (
            {"train": "{recipe: digits_quickstart, datum: digits}", "parameters": REAL},
            ["train.datum", "did you mean 'data'?"],
        ),
        (
            {
                "train": "{recipe: digits_quickstart, data: digits}",
                "parameters": "{augment.cutuot: {type: constant, value: 4}}",
            },
            ["toy.yaml:3", "augment.cutuot", "did you mean 'augment.cutout'?"],
        ),
        ({"start_with": "[{lr: 5}]"}, ["toy.yaml:7", "start_with.0.lr", "5"]),
        ({"resources": "{gpus: 64}"}, ["resources.gpus", "64"]),
    ],
)
def test_a_space_that_is_wrong(tmp_path, changes, says):
    space_file(tmp_path, **changes)
    refused(hpsearch("run", "--space", "toy.yaml", "--inline", cwd=tmp_path), *says)
    assert not (tmp_path / "results").exists()
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "--space", "toi.yaml"], ["no search space 'toi.yaml'", "did you mean 'toy'?"]),
        (["run", "--space", "toy.yaml", "--set", "lr"], ["--set", "key=value"]),
        (["run", "--space", "toy.yaml", "--set", "widht=3"], ["--set", "widht", "did you mean 'width'?"]),
        (["run", "--space", "toy.yaml", "--name", "a/b"], ["--name", "a/b"]),
        (["run", "--space", "wd_lr_cpu", "--data", "nowhere", "--inline"], ["nowhere", "does not exist"]),
        (["run", "--space", "wd_lr_cpu", "--recipe", "mine.yaml", "--inline"], ["mine.yaml"]),
        (["run", "--space", "toy.yaml", "--address", "127.0.0.1:1"], ["--address", "127.0.0.1:1"]),
        (["run", "--space", "quickstart", "--set", "lr=-1", "--inline"], ["lr", "-1"]),
        (["run", "--space", "toy.yaml", "--hours", "0"], ["--hours"]),
        (["run", "--space", "toy.yaml", "--set", "lr=abc"], ["--set", "lr is a number", "0.001 .. 1"]),
        (["resume", "toy"], ["no study 'toy'"]),
        (["show", "toy"], ["no study 'toy'"]),
        (["best", "toy"], ["no study 'toy'"]),
        (["train", "post4"], ["post4", "post4_resnet9"]),
        (["train", "digits_quickstart", "--save", "no/such/folder/model.pt"], ["no/such/folder/model.pt"]),
        (["validate", "toy.yaml", "--set", "lr=[1]"], ["--set", "single value"]),
    ],
)
def test_options_that_are_wrong(tmp_path, arguments, says):
    space_file(tmp_path)
    refused(hpsearch(*arguments, cwd=tmp_path), *says)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ("{batch_size: {type: choice, values: [64, 64.5]}}", ["toy.yaml:3", "batch_size", "64.5"]),
        ("{augment.cutout: {type: integer, low: 0, high: 40}}", ["toy.yaml:3", "augment.cutout", "40"]),
        ("{precision: {type: constant, value: bf61}}", ["toy.yaml:3", "precision", "bf61"]),
        ("{momentum: {type: real, low: 0.5, high: 1.0}}", ["toy.yaml:3", "momentum", "1.0"]),
        (
            "{augment.flip: {type: choice, values: [true, false]}, "
            "lr: {type: real, low: -1, high: 1, when: {augment.flip: false}}}",
            ["toy.yaml:3", "parameters.lr", "must be greater than 0"],
        ),
        (
            "{drop_last: {type: constant, value: true}, model.norm.splits: {type: constant, value: 16}, "
            "batch_size: {type: integer, low: 64, high: 256}}",
            ["toy.yaml:3", "model.norm.splits", "a divisor of 65 (batch_size)"],
        ),
    ],
)
def test_a_value_that_the_recipe_cannot_take_is_found_before_the_study(tmp_path, parameters, says):
    space_file(tmp_path, train="{recipe: digits_quickstart}", parameters=parameters)
    refused(hpsearch("run", "--space", "toy.yaml", "--inline", cwd=tmp_path), *says)
    assert not (tmp_path / "results").exists()


def test_images_that_do_not_fit_the_recipe_are_found_before_the_study(tmp_path):
    space_file(tmp_path, train="{recipe: post4_resnet9, data: digits}")
    refused(hpsearch("run", "--space", "toy.yaml", "--inline", cwd=tmp_path), "channels")
    assert not (tmp_path / "results").exists()


def test_what_a_function_of_ones_own_says_of_a_setting_is_shown(tmp_path):
    space_file(tmp_path, start_with="[{lr: 0.5}]")
    done = hpsearch("run", "--space", "toy.yaml", "--inline", "--set", "lr=3.0", cwd=tmp_path)
    refused(done, "lr 3.0 is out of the question")
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("describe", "says"),
    [
        ("return {'metrics': settings['n']}", ["describe", "KeyError: 'n'", "mine.py:6"]),
        ("return 3", ["describe", "3"]),
        ("return {'epochs': 'many', 'metrics': ['val_loss']}", ["describe", "epochs", "'many'"]),
        ("return {'parameters': ['lr']}", ["describe", "parameters"]),
        ("raise ValueError('n is missing')", ["n is missing"]),
    ],
)
def test_a_mistake_in_describe_is_shown_with_its_place(tmp_path, describe, says):
    text = "def train(trial):\n    return {'val_loss': 1.0}\n\n\n"
    (tmp_path / "mine.py").write_text(f"{text}def describe(settings):\n    {describe}\n")
    space_file(tmp_path, train='{function: "mine.py:train"}')
    refused(hpsearch("run", "--space", "toy.yaml", "--inline", cwd=tmp_path), *says)


def test_a_name_that_exists(tmp_path):
    space_file(tmp_path)
    assert hpsearch("run", "--space", "toy.yaml", "--inline", "--name", "mine", cwd=tmp_path).returncode == 0
    done = hpsearch("run", "--space", "toy.yaml", "--inline", "--name", "mine", cwd=tmp_path)
    refused(done, "a study 'mine' exists already", "hpsearch resume mine")
    refused(hpsearch("show", "mien", cwd=tmp_path), "did you mean 'mine'?")


def test_a_folder_that_cannot_be_written(tmp_path):
    space_file(tmp_path)
    (tmp_path / "out").write_text("a file, not a folder")
    refused(hpsearch("run", "--space", "toy.yaml", "--inline", "--results", "out", cwd=tmp_path), "out")


def test_truncated_parquet(tmp_path, cifar_folder):
    copy = tmp_path / "data"
    copy.mkdir()
    shutil.copy(cifar_folder / "test.parquet", copy)
    whole = (cifar_folder / "train.parquet").read_bytes()
    (copy / "train.parquet").write_bytes(whole[: len(whole) // 2])
    refused(hpsearch("run", "--space", "wd_lr_cpu", "--data", copy, "--inline", cwd=tmp_path), "train.parquet")
    assert not (tmp_path / "results").exists()


def test_a_bad_checksum(tmp_path):
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(b"not the archive")
    done = hpsearch("run", "--space", "wd_lr_cpu", "--data", tmp_path, "--inline", cwd=tmp_path)
    refused(done, "cifar-10-binary.tar.gz")
    assert not (tmp_path / "results").exists()


def test_every_problem_of_a_file_is_told_at_once(tmp_path):
    space_file(tmp_path, budget="{trials: 0}", sampler="{name: best}")
    refused(hpsearch("validate", "toy.yaml", cwd=tmp_path), "budget.trials", "sampler.name")


def test_a_broken_driver_leaves_a_study_that_says_so(tmp_path):
    space_file(tmp_path)
    assert hpsearch("run", "--space", "toy.yaml", "--inline", cwd=tmp_path).returncode == 0
    (tmp_path / "results" / "toy" / "study.json").write_text("{")
    refused(hpsearch("show", "toy", cwd=tmp_path), "study.json")
    assert "cannot be read" in hpsearch("list", cwd=tmp_path).stdout
