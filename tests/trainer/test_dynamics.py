"""What is recorded of the weights, against the same in plain float64; and that recording changes nothing."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hpsearch.analysis import weight_decay as theory
from hpsearch.contract import Trial
from hpsearch.errors import RecipeError
from hpsearch.store.dynamics import COLUMNS
from tests.trainer.conftest import CPU, weights
from trainer import checkpoint, loop, objective, recipe
from trainer.batches import Normalizer, Split
from trainer.blocks import Precision, Trace
from trainer.loop import Run, fit, start
from trainer.overrides import with_overrides
from trainer.recipe import Recipe

Splits = Mapping[str, Split]
STEPS = 4  # of an epoch of the tiny recipe: 200 images in batches of 50


def traced(chosen: Recipe, every: int = 1, layers: Any = "all", **changes: Any) -> Recipe:
    changed = with_overrides(chosen, changes)
    return changed.model_copy(update={"trace": Trace.model_validate({"every": every, "layers": layers})})


def begin(chosen: Recipe, splits: Splits) -> Run:
    return start(chosen, 0, CPU, splits["train"], 10)


def rows(reports: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """The table of all epochs."""
    tables = [report["tables"]["dynamics"] for report in reports if "tables" in report]
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


class Watched:
    """The tensors before and after every step, and their gradients, in float64."""

    def __init__(self, run: Run) -> None:
        self.run, self.step_of_update = run, run.update.step
        self.seen: list[dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]] = []
        run.update.step = self.step  # type: ignore[method-assign]

    def step(self, position: float, loss_scale: float = 1.0) -> None:
        named = dict(self.run.network.named_parameters())
        w = {name: tensor.detach().double().numpy().copy() for name, tensor in named.items()}
        g = {
            name: tensor.grad.double().numpy() / loss_scale for name, tensor in named.items() if tensor.grad is not None
        }
        self.step_of_update(position, loss_scale)
        after = {name: tensor.detach().double().numpy().copy() for name, tensor in named.items()}
        self.seen.append({name: (w[name], g.get(name, 0 * w[name]), after[name]) for name in named})


def expected(w: np.ndarray, g: np.ndarray, after: np.ndarray, lr: float) -> dict[str, float]:
    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return float((a * b).sum() / (np.linalg.norm(a) * np.linalg.norm(b)))

    norm, update = float(np.linalg.norm(w)), float(np.linalg.norm(after - w))
    return {
        "weight_norm": norm,
        "grad_norm": float(np.linalg.norm(g)),
        "update_norm": update,
        "cos_weight_gradient": cosine(w, g),
        "cos_descent_update": cosine(-g, after - w),
        "rotation": math.acos(min(1.0, cosine(w, after))),
        "relative_update": update / norm,
        "effective_lr": lr / norm**2,
    }


@pytest.mark.parametrize("precision", ["fp32", "fp16", "fp16_whole"])
def test_what_is_recorded_is_what_float64_says(
    tiny: Recipe, splits: Splits, precision: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In fp16 the gradients are those of a loss that was scaled."""
    monkeypatch.setattr(loop, "supported", lambda device: frozenset({precision}))
    run = begin(traced(tiny, precision=precision, **{"model.weight_scale": 0.5}), splits)
    assert run.precision == precision
    watched = Watched(run)
    table = rows(list(fit(run, splits["train"])))
    compared = 0
    for place, (step, layer) in enumerate(zip(table["step"], table["layer"], strict=True)):
        w, g, after = watched.seen[step][layer]
        if not w.any():
            continue  # a bias of zeros has no direction
        lr = tiny.schedule.lr.at((step + 1) / STEPS)
        for name, value in expected(w, g, after, lr).items():
            near = pytest.approx(value, rel=2e-4, abs=5e-6 if name.startswith("cos") else 1e-6)
            assert table[name][place] == near, (name, step, layer)
        compared += 1
    assert compared > 300


def test_the_columns_are_those_that_the_store_knows(tiny: Recipe, splits: Splits) -> None:
    table = rows(list(fit(begin(traced(tiny), splits), splits["train"])))
    assert ["trial_id", "epoch", *table] == list(dict.fromkeys(["trial_id", "epoch", *table]))
    assert {"trial_id", "epoch", *table} == set(COLUMNS)
    for name, values in table.items():
        wanted = COLUMNS[name][0].to_pandas_dtype()
        assert values.dtype.kind == "U" if wanted is np.object_ or wanted is str else values.dtype == wanted, name


@pytest.mark.parametrize("every", [1, 3, 5])
def test_every_so_many_steps_from_the_first_on(tiny: Recipe, splits: Splits, every: int) -> None:
    table = rows(list(fit(begin(traced(tiny, every), splits), splits["train"])))
    tensors = len(set(table["layer"]))
    assert table["step"].tolist() == np.repeat(np.arange(0, 4 * STEPS, every), tensors).tolist()


def test_the_settings_are_those_of_the_step(tiny: Recipe, splits: Splits) -> None:
    """The last batch of an epoch is smaller, and the biases of norms have rates of their own."""
    chosen = traced(tiny, batch_size=60, **{"optimizer.norm_bias_lr": 8.0, "optimizer.norm_bias_weight_decay": 0.5})
    table = rows(list(fit(begin(chosen, splits), splits["train"])))
    first = table["layer"] == table["layer"][0]
    assert table["batch_size"][first].tolist() == [60, 60, 60, 20] * 4
    lr = [chosen.schedule.lr.at((step + 1) / 4) for step in range(16)]
    bias = table["kind"] == "norm bias"
    np.testing.assert_allclose(table["lr"][first], lr)
    np.testing.assert_allclose(table["lr"][bias].reshape(16, -1), np.outer(lr, 8 * np.ones(bias.sum() // 16)))
    assert set(table["weight_decay"][bias]) == {chosen.schedule.weight_decay.peak * 0.5}
    assert set(table["rule"]) == {"sgd_nesterov"} and set(table["momentum"]) == {0.9}
    assert set(table["kind"]) == {"conv", "norm scale", "norm bias", "linear"}
    assert set(table["kind"][table["scale_invariant"]]) == {"conv"}


def test_the_predictions_are_those_of_the_theory(tiny: Recipe, splits: Splits) -> None:
    table = rows(list(fit(begin(traced(tiny), splits), splits["train"])))
    gradient = table["weight_norm"].astype(float) * table["grad_norm"]
    rates = [table[name] for name in ("lr", "weight_decay", "momentum")]
    norm = theory.equilibrium_norm("sgd_nesterov", *rates, gradient, table["size"])
    invariant = table["scale_invariant"]
    np.testing.assert_allclose(table["equilibrium_norm"][invariant], norm[invariant], rtol=1e-5)
    turn = theory.equilibrium_rotation("sgd_nesterov", *rates)
    np.testing.assert_allclose(table["equilibrium_rotation"][invariant], turn[invariant], rtol=1e-5)
    assert np.isnan(table["equilibrium_norm"][~invariant]).all()
    assert np.isnan(table["equilibrium_rotation"][~invariant]).all()


RULES: list[dict[str, Any]] = [
    {"optimizer.name": "sgd_nesterov"},
    {"optimizer.name": "adamw", "lr": 0.01},
    {"optimizer.name": "lars"},
    {"optimizer.muon": {"lr": 0.1, "momentum": 0.6, "iterations": 3}},
]


@pytest.mark.parametrize("rule", RULES)
def test_tracing_changes_no_bit(tiny: Recipe, splits: Splits, rule: dict[str, Any]) -> None:
    chosen = changed(tiny, rule)
    plain, other = begin(chosen, splits), begin(traced(chosen, 3), splits)
    for run in (plain, other):
        reports = list(fit(run, splits["train"], splits["val"], splits["test"]))
    assert np.array_equal(weights(plain.network), weights(other.network))
    for ours, theirs in zip(plain.update.state(), other.update.state(), strict=True):
        assert torch.equal(ours, theirs)
    assert "tables" in reports[0] and reports[-1]["test_accuracy"] == plain.reports[-1]["test_accuracy"]


def changed(tiny: Recipe, rule: dict[str, Any]) -> Recipe:
    values = tiny.model_dump(mode="json")
    if "optimizer.muon" in rule:
        values["optimizer"]["muon"] = rule["optimizer.muon"]
        return recipe.load(values)
    return with_overrides(tiny, rule)


def test_the_rule_of_each_tensor_is_recorded(tiny: Recipe, splits: Splits) -> None:
    table = rows(list(fit(begin(traced(tiny, **{"optimizer.name": "lars"}), splits), splits["train"])))
    lars = table["rule"] == "lars"
    assert np.array_equal(lars, table["scale_invariant"])
    moving = lars & (table["lr"] > 0)
    rate = table["lr"][moving] / (table["weight_norm"][moving].astype(float) * table["grad_norm"][moving])
    np.testing.assert_allclose(table["effective_lr"][moving], rate, rtol=1e-5)
    assert np.isnan(table["equilibrium_norm"][lars]).all(), "without decay |w| only grows"
    np.testing.assert_allclose(
        table["equilibrium_rotation"][moving],
        theory.equilibrium_rotation("lars", table["lr"][moving], 0.0, 0.9),
        rtol=1e-5,
    )


@pytest.mark.parametrize("rule", [RULES[1], RULES[3]])
def test_where_steps_do_not_follow_gradients_the_effective_rate_is_of_the_first_power(
    tiny: Recipe, splits: Splits, rule: dict[str, Any]
) -> None:
    """A weight twice as long, whose gradient is half as long, turns half as far."""
    table = rows(list(fit(begin(traced(changed(tiny, rule)), splits), splits["train"])))
    here = table["scale_invariant"] & np.isin(table["rule"], ("adamw", "muon"))
    assert here.any()
    np.testing.assert_allclose(table["effective_lr"][here], table["lr"][here] / table["weight_norm"][here], rtol=1e-5)


def test_chosen_layers(tiny: Recipe, splits: Splits) -> None:
    table = rows(list(fit(begin(traced(tiny, layers=["stem.*", "head.linear.weight"]), splits), splits["train"])))
    assert set(table["layer"]) == {"stem.0.conv.weight", "stem.0.norm.weight", "stem.0.norm.bias", "head.linear.weight"}


def test_a_run_that_explodes_records_that_it_did(tiny: Recipe, splits: Splits) -> None:
    run = begin(traced(tiny, lr=1e20), splits)
    reports = list(fit(run, splits["train"], splits["val"]))
    assert reports[-1]["diverged"]
    table = rows(reports)
    assert not np.isfinite(table["weight_norm"]).all()
    assert np.isfinite(table["weight_norm"][table["step"] == 0]).all()


def test_a_resumed_run_records_the_same(tiny: Recipe, splits: Splits, tmp_path: Path) -> None:
    chosen, file = traced(tiny, 3), tmp_path / "checkpoint.pt"
    straight = rows(list(fit(begin(chosen, splits), splits["train"])))
    first = begin(chosen, splits)
    reports = fit(first, splits["train"])
    next(reports), next(reports)
    checkpoint.save(first, file)
    resumed = begin(chosen, splits)
    checkpoint.restore(resumed, file)
    table = rows([*resumed.reports, *fit(resumed, splits["train"])])
    for name, values in straight.items():
        assert np.array_equal(values, table[name], equal_nan=values.dtype.kind == "f"), name
        assert values.dtype.kind == table[name].dtype.kind


def test_the_initial_weights_can_be_scaled_without_a_change_of_the_function(tiny: Recipe, splits: Splits) -> None:
    exact = with_overrides(tiny, {"model.norm.epsilon": 1e-12})
    usual, small = (begin(with_overrides(exact, {"model.weight_scale": scale}), splits) for scale in (1.0, 0.25))
    ratios = {
        name: (b.norm() / a.norm()).item()
        for (name, a), b in zip(usual.network.named_parameters(), small.network.parameters(), strict=True)
        if a.any()
    }
    assert {name: ratio for name, ratio in ratios.items() if ratio != 1} == {
        name: pytest.approx(0.25) for name in ratios if name.endswith("conv.weight")
    }
    images = Normalizer(tiny.data.mean, tiny.data.std, CPU)(splits["train"].pixels[:50])
    torch.testing.assert_close(usual.network(images), small.network(images), rtol=1e-3, atol=1e-3)


def settings(**trace: Any) -> dict[str, Any]:
    return {"recipe": "digits_quickstart", "trace": trace}


def test_the_space_says_what_to_trace() -> None:
    trial = Trial({"epochs": 2}, settings(every=7, layers="head.*"))
    reports = objective.train(trial)
    table = next(iter(reports))["tables"]["dynamics"]  # type: ignore[call-overload]
    assert set(table["layer"]) == {"head.linear.weight"} and set(table["step"] % 7) == {0}


@pytest.mark.parametrize(
    ("trace", "key", "words"),
    [
        ({"every": 0}, "train.trace.every", ["greater than or equal to 1", "0"]),
        ({"every": 10_000}, "trace.every", ["10000", "1 to "]),
        ({"layers": "stem.0.conv.weigth"}, "trace.layers", ["stem.0.conv.weigth", "did you mean 'stem.0.conv.weight'"]),
        ({"layers": ["stem.*", "nothing*"]}, "trace.layers", ["nothing*"]),
        ({"layers": []}, "train.trace.layers", ["at least 1 item"]),
        ({"layers": 5}, "train.trace.layers", ["must be a list"]),
        ({"layers": ["stem.*", 5]}, "train.trace.layers.1", ["must be a valid string"]),
        ({"layer": "all"}, "train.trace.layer", ["did you mean 'layers'"]),
    ],
)
def test_what_cannot_be_traced_is_refused_before_anything_is_spent(
    trace: dict[str, Any], key: str, words: list[str]
) -> None:
    with pytest.raises(RecipeError) as caught:
        objective.describe(settings(**trace))
    assert any(problem.key == key or (problem.key or "").startswith(key) for problem in caught.value.problems)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_the_second_traced_step_must_lie_in_a_full_run() -> None:
    """Of 17 steps each, in 8 epochs; in the 2 of another trial 34."""
    check = objective.describe(settings(every=34))["check"]
    check({"epochs": 3})
    with pytest.raises(RecipeError, match="before a second step"):
        check({"epochs": 2})


def test_a_short_run_of_a_search_may_be_traced_at_its_first_step_only() -> None:
    (report,) = objective.train(Trial({}, settings(every=30), epochs=1))
    assert set(report["tables"]["dynamics"]["step"]) == {0}  # type: ignore[index]


def test_the_recipe_may_say_it_too() -> None:
    values = recipe.load("digits_quickstart").model_dump(mode="json")
    chosen = objective.recipe_for({"recipe": {**values, "trace": {"every": 5, "layers": "all"}}}, {})
    assert chosen.trace == Trace(every=5, layers=("all",))


@pytest.mark.parametrize(("space", "expected"), [({"every": 2}, Trace(every=2)), (None, None)])
def test_the_space_has_the_last_word(space: dict[str, Any] | None, expected: Trace | None) -> None:
    values = recipe.load("digits_quickstart").model_dump(mode="json")
    assert objective.recipe_for({"recipe": {**values, "trace": {"every": 5}}, "trace": space}, {}).trace == expected


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Warnings of NumPy are errors here, also inside of what is tested."""
    with np.errstate(all="warn"):
        yield
