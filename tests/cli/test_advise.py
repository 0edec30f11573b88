"""``hpsearch advise``, and what ``validate`` says of a space, as a person at a terminal meets them."""

import json

import pytest

from tests.cli.command import TOY, hpsearch, space_file

POST_4 = [
    "--lr",
    0.4,
    "--weight-decay",
    5e-4,
    "--momentum",
    0.9,
    "--batch-size",
    512,
    "--epochs",
    24,
    "--images",
    50000,
]


@pytest.fixture
def advise(tmp_path):
    return lambda *options: hpsearch("advise", *options, cwd=tmp_path)


def test_a_good_setting_shows_its_figures_and_nothing_off(advise):
    done = advise(*POST_4, "--warmup-epochs", 5)
    assert done.returncode == 0, done.stderr
    for words in (
        "2344, 97.66 an epoch",
        "0.2133 of the run at the peak learning rate, 0.4267 at its mean",
        "500 steps (5.12 epochs) until a gradient is forgotten",
        "125 steps (1.28 epochs)",
        "0.01681 rad per step",
        "390.6",
        "airbench94 0.16",
        "nothing is off",
    ):
        assert words in done.stdout


def test_what_is_off_has_its_number_its_limit_and_its_source(advise):
    done = advise(*POST_4, "--epochs", 1, "--warmup-epochs", 1)
    assert "tau 5.12, above 3: the decay is too weak" in done.stdout
    assert "steps 97.66, below 200: too few steps" in done.stdout and "288 trainings" in done.stdout
    assert "nothing is off" not in done.stdout


def test_the_same_as_json(advise):
    data = json.loads(advise(*POST_4, "--weight-decay", 0, "--json").stdout)
    assert data["figures"]["steps"] == 2343.75 and data["figures"]["tau"] is None
    assert [finding["quantity"] for finding in data["findings"]] == ["weight decay"]


def test_the_optimizer_makes_a_difference(advise):
    rotations = {
        name: json.loads(advise(*POST_4, "--optimizer", name, "--json").stdout)["figures"]["rotation"]
        for name in ("sgd", "sgd_nesterov", "adamw")
    }
    assert rotations["adamw"] < rotations["sgd"] < rotations["sgd_nesterov"]


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [
        ("--lr", 0, "above 0"),
        ("--lr", -1, "above 0"),
        ("--lr", "nan", "above 0"),
        ("--weight-decay", -1e-4, "0 or above"),
        ("--momentum", 1, "below 1"),
        ("--batch-size", 0, "above 0"),
        ("--batch-size", 60000, "at most the 50000 images"),
        ("--epochs", 0, "above 0"),
        ("--images", 0, "above 0"),
        ("--schedule-mean", 1.5, "at most 1"),
        ("--warmup-epochs", 30, "0 to the 24 epochs"),
        ("--optimizer", "sgdn", "sgd_nesterov"),
    ],
)
def test_a_value_that_no_run_can_have_is_refused(advise, option, value, allowed):
    done = advise(*POST_4, option, value)
    assert done.returncode == 2
    assert option in done.stderr and allowed in done.stderr and "Traceback" not in done.stderr


def test_validate_says_what_is_off_about_the_space_and_its_first_setting(tmp_path):
    space_file(
        tmp_path,
        coordinates="{optimizer: sgd, examples: 6400, reference: {lr: 0.1, weight_decay: 0.1, batch_size: 64, "
        "momentum: 0.9}}",
    )
    done = hpsearch("validate", "toy.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "the first setting  400 steps, tau 0.025, memory 10 steps (0.1 epochs)" in done.stdout
    assert "too strong" in done.stderr and "of the space" in done.stderr


def test_validate_is_silent_where_it_does_not_know_what_is_trained(tmp_path):
    space_file(tmp_path, train=f'{{function: "{TOY}:train"}}')
    done = hpsearch("validate", "toy.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "the first setting" not in done.stdout and "tau" not in done.stdout + done.stderr
