"""The update rules as a user meets them: in a recipe, in a space, and in what a search is told."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pytest

from hpsearch.cli.plan import overrides, plan_file
from hpsearch.contract import Trial
from hpsearch.errors import RecipeError
from tests.cli.command import space_file
from tests.trainer.conftest import CPU, weights
from trainer import checkpoint, objective, recipe
from trainer.batches import Split
from trainer.blocks import Optimizer
from trainer.loop import fit, start
from trainer.overrides import parameters, with_overrides
from trainer.recipe import FOLDER, Recipe

RULES = get_args(Optimizer.model_fields["name"].annotation)

RATES = {"adam": 0.01, "adamw": 0.01}
"""Where 0.2, the learning rate of the recipe, is too much."""


def changed(base: str, **optimizer: Any) -> dict[str, Any]:
    values = recipe.load(base).model_dump(mode="json")
    return {**values, "optimizer": {**values["optimizer"], **optimizer}}


def test_a_recipe_that_is_older_than_the_rules_is_still_one() -> None:
    values = recipe.load("post4_resnet9").model_dump(mode="json")
    for key in ("beta2", "epsilon", "trust"):
        del values["optimizer"][key]
    assert recipe.load(values) == recipe.load("post4_resnet9")


WRONG = [
    # (recipe, its optimizer, other changes, key of the problem, part of what is said)
    ("digits_quickstart", {"name": "sgd_nesterow"}, {}, "optimizer.name", "did you mean 'sgd_nesterov'"),
    ("digits_quickstart", {"name": "adamw", "beta2": 1.0}, {}, "optimizer.beta2", "less than 1"),
    ("digits_quickstart", {"name": "adamw", "epsilon": 0.0}, {}, "optimizer.epsilon", "greater than 0"),
    ("digits_quickstart", {"name": "lars", "trust": 0.0}, {}, "optimizer.trust", "greater than 0"),
    ("post4_resnet9", {"name": "adam"}, {}, "precision", "fp16 cannot hold the squared gradients of adam"),
    ("post4_resnet9", {"name": "adamw"}, {}, "precision", "fp32, bf16 or fp16"),
    ("speed", {"name": "adamw"}, {}, "optimizer.muon", "muon goes together with SGD only"),
    ("speed", {"name": "lars"}, {}, "optimizer.muon", "name: lars"),
    (
        "digits_quickstart",
        {"name": "lars"},
        {"weight_decay": {"epochs": [0], "values": [0.0]}},
        "optimizer.trust",
        "a weight decay above 0",
    ),
]


@pytest.mark.parametrize(("name", "optimizer", "schedule", "key", "said"), WRONG)
def test_refuses_what_does_not_go_together(
    name: str, optimizer: dict[str, Any], schedule: dict[str, Any], key: str, said: str
) -> None:
    values = changed(name, **optimizer)
    values["schedule"] |= schedule
    with pytest.raises(RecipeError) as refusal:
        recipe.load(values)
    (problem,) = refusal.value.problems
    assert problem.key == f"recipe.{key}"
    assert said in str(problem)


def test_a_refusal_stands_at_its_line(tmp_path: Path) -> None:
    text = (FOLDER / "post4_resnet9.yaml").read_text().replace("name: sgd_nesterov", "name: adamw")
    file = tmp_path / "adamw.yaml"
    file.write_text(text)
    with pytest.raises(RecipeError) as refusal:
        recipe.load(file)
    assert refusal.value.problems[0].line == text[: text.index("precision: fp16_whole")].count("\n") + 1


def test_what_goes_together() -> None:
    for rule in ("sgd", "sgdw", "sgdw_nesterov"):
        recipe.load(changed("speed", name=rule))
    post4 = recipe.load("post4_resnet9")
    assert with_overrides(post4, {"optimizer.name": "adamw", "precision": "fp16"}).optimizer.name == "adamw"
    assert with_overrides(post4, {"optimizer.name": "lars"}).precision == "fp16_whole"
    free = {"optimizer.name": "lars", "optimizer.trust": 0.02, "weight_decay": 0.0}
    assert with_overrides(post4, free).optimizer.trust == 0.02


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_learns_the_digits(rule: str, tmp_path: Path) -> None:
    config = {"optimizer.name": rule, "lr": RATES.get(rule, 0.2), "weight_decay": 5e-3}
    trial = Trial(config=config, settings={"recipe": "digits_quickstart"}, workdir=tmp_path)
    assert list(objective.train(trial))[-1]["val_accuracy"] > 0.94


@pytest.mark.parametrize("rule", RULES)
def test_a_resumed_run_is_the_straight_run(
    rule: str, tiny: Recipe, splits: Mapping[str, Split], tmp_path: Path
) -> None:
    tiny = with_overrides(tiny, {"optimizer.name": rule, "lr": RATES.get(rule, 0.2)})
    straight, first, resumed = (start(tiny, 0, CPU, splits["train"], 10) for _ in range(3))
    list(fit(straight, splits["train"]))
    next(fit(first, splits["train"]))
    checkpoint.save(first, tmp_path / "checkpoint.pt")
    checkpoint.restore(resumed, tmp_path / "checkpoint.pt")
    list(fit(resumed, splits["train"]))
    assert weights(resumed.network).tolist() == weights(straight.network).tolist()


@pytest.mark.parametrize(
    ("optimizer", "said"),
    [
        ({"name": "sgd"}, "sgd"),
        ({"name": "sgd_nesterov"}, "sgd_nesterov"),
        ({"name": "sgdw"}, None),
        ({"name": "sgdw_nesterov"}, None),
        ({"name": "adam"}, None),
        ({"name": "adamw"}, "adamw"),
        ({"name": "lars"}, "sgd_nesterov"),
        ({"name": "lars", "trust": 0.02}, None),
        ({"name": "sgd", "muon": {"lr": 0.1, "momentum": 0.9, "iterations": 3}}, None),
    ],
)
def test_a_search_is_told_of_the_rules_that_its_coordinates_know(optimizer: dict[str, Any], said: str | None) -> None:
    assert objective.describe({"recipe": changed("digits_quickstart", **optimizer)}).get("optimizer") == said


def test_a_space_searches_the_rule_and_what_belongs_to_it(tmp_path: Path) -> None:
    known = parameters(recipe.load("digits_quickstart"))
    assert {"optimizer.name", "optimizer.beta2", "optimizer.epsilon", "optimizer.trust"} <= known.keys()
    blocks = {"train": "{recipe: digits_quickstart}", "sampler": "{name: random}", "prior": "uniform"}
    adam = "when: {optimizer.name: adamw}"
    searched = {
        "optimizer.name": "{type: choice, values: [sgd_nesterov, lars, adamw]}",
        "optimizer.beta2": f"{{type: real, low: 0.9, high: 0.999, scale: log1m, {adam}}}",
        "lr": "{type: real, low: 1.0e-2, high: 1.0, scale: log}",
    }
    text = "{" + ", ".join(f"{name}: {values}" for name, values in searched.items()) + "}"
    plan, _ = plan_file(str(space_file(tmp_path, parameters=text, **blocks)), overrides())
    check = plan.description["check"]
    check({"optimizer.name": "adamw", "optimizer.beta2": 0.95, "lr": 0.01})
    check({"optimizer.name": "lars", "lr": 0.1})
    with pytest.raises(RecipeError, match="did you mean 'lars'"):
        check({"optimizer.name": "larz"})
    with pytest.raises(RecipeError, match="did you mean 'sgd_nesterov'"):
        plan_file(str(space_file(tmp_path, parameters=text.replace("sgd_n", "sgd-n"), **blocks)), overrides())
