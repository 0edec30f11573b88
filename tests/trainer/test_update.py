"""Which parameter follows which rule; and the equivalence behind the frozen scales of post 8.6."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from trainer import losses, models, recipe
from trainer.batches import Shape
from trainer.models.norm import BatchNorm
from trainer.models.whitening import Whitening
from trainer.optim.update import Setting, Update
from trainer.overrides import with_overrides
from trainer.recipe import Recipe

LABELS = torch.tensor([0, 1, 2, 3] * 8)


def images() -> Tensor:
    return torch.randn(32, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def network_of(chosen: Recipe) -> torch.nn.Module:
    torch.manual_seed(0)
    network = models.build(chosen.model, Shape(16, 16, 3), 10).double()
    for module in network.modules():
        if isinstance(module, BatchNorm):
            torch.nn.init.normal_(module.bias, std=0.1)
        if isinstance(module, Whitening):
            torch.nn.init.normal_(module.weight)
    return network


def take_steps(network: torch.nn.Module, chosen: Recipe, positions: tuple[float, ...]) -> None:
    update = Update(network, chosen)
    for position in positions:
        update.before(position)
        losses.cross_entropy(network(images()), LABELS, chosen.label_smoothing).backward()
        update.step(position)


def test_frozen_scales_of_a_quarter_are_scales_of_one_with_faster_biases() -> None:
    """Scales 1/4, CELU(0.075), logits 1/8 = scales 1, CELU(0.3), biases * 4 with lr * 16 and wd / 16, logits 1/32."""
    common = {"model.width": 4, "model.norm.splits": 1, "model.norm.scale": "frozen", "model.norm.epsilon": 1e-14}
    base = with_overrides(recipe.load("post8_05_ghost_norm"), {**common, "weight_decay": 0.05})
    quarter = with_overrides(base, {"model.celu_alpha": 0.075, "model.logit_scale": 1 / 8})
    rates = {"optimizer.norm_bias_lr": 16.0, "optimizer.norm_bias_weight_decay": 1 / 16}
    one = with_overrides(base, {"model.celu_alpha": 0.3, "model.logit_scale": 1 / 32, **rates})
    networks = [network_of(chosen) for chosen in (quarter, one)]
    for a, b in zip(*(network.modules() for network in networks), strict=True):
        if isinstance(a, BatchNorm) and isinstance(b, BatchNorm):
            a.weight.fill_(0.25)
            b.bias.data.mul_(4)
    before = [parameter.detach().clone() for parameter in networks[0].parameters()]
    torch.testing.assert_close(networks[0](images()), networks[1](images()), rtol=1e-9, atol=1e-9)
    for network, chosen in zip(networks, (quarter, one), strict=True):
        take_steps(network, chosen, (3.0, 3.1))
    for (name, a), b, start in zip(networks[0].named_parameters(), networks[1].parameters(), before, strict=True):
        assert (a - start).abs().max() > 1e-6, name
        torch.testing.assert_close(a * (4 if "norm.bias" in name else 1), b, rtol=1e-7, atol=1e-9, msg=name)


def moved(chosen: Recipe, position: float, **changes: object) -> dict[str, np.ndarray]:
    """How far one step moves each parameter."""
    chosen = with_overrides(chosen, changes)
    network = network_of(chosen)
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    take_steps(network, chosen, (position,))
    return {name: (parameter.detach() - before[name]).numpy() for name, parameter in network.named_parameters()}


def test_norm_biases_have_their_own_rates() -> None:
    chosen = with_overrides(recipe.load("post4_resnet9"), {"model.width": 4, "weight_decay": 0.01})
    usual = moved(chosen, 5.0)
    faster = moved(chosen, 5.0, **{"optimizer.norm_bias_lr": 8.0})
    free = moved(chosen, 5.0, **{"optimizer.norm_bias_weight_decay": 0.0})
    for name, step in usual.items():
        bias = "norm.bias" in name
        np.testing.assert_allclose(faster[name], step * (8 if bias else 1), rtol=1e-9)
        assert np.allclose(free[name], step, rtol=1e-9) != bias


@pytest.mark.parametrize(("position", "trained"), [(1.0, True), (3.0, True), (3.1, False)])
def test_the_bias_of_whitening_filters_is_trained_in_its_share_of_the_run(position: float, trained: bool) -> None:
    chosen = with_overrides(recipe.load("speed"), {"model.width": 4, "epochs": 8, "model.whitening.bias_share": 3 / 8})
    step = moved(chosen, position)
    assert bool(step["stem.0.bias"].any()) == trained
    assert all(step[name].any() for name in step if name != "stem.0.bias")


def test_with_muon_filters_move_by_its_rate_and_the_rest_by_sgd() -> None:
    chosen = with_overrides(recipe.load("speed"), {"model.width": 4, "epochs": 8})
    usual, halfway = moved(chosen, 1.0), moved(chosen, 1.0, **{"optimizer.muon.lr": chosen.optimizer.muon.lr / 2})
    filters = {name for name in usual if name.startswith("stages") and name.endswith("conv.weight")}
    assert len(filters) == 6
    for name, step in usual.items():
        assert np.allclose(step, halfway[name], rtol=1e-9) != (name in filters), name


RULES = ["sgd", "sgd_nesterov", "sgdw", "sgdw_nesterov", "adam", "adamw", "lars"]

POSITION, LR, WEIGHT_DECAY, MOMENTUM = 5.0, 0.4, 0.05, 0.9


def by_rule(name: str, **changes: Any) -> Recipe:
    """Return a recipe with a rate for the biases of norms, and a width of 4."""
    optimizer = {"name": name, "norm_bias_lr": 3.0, "norm_bias_weight_decay": 0.5, **changes}
    values = {f"optimizer.{key}": value for key, value in optimizer.items()}
    small = {"model.width": 4, "weight_decay": WEIGHT_DECAY, "precision": "fp32"}
    return with_overrides(recipe.load("post4_resnet9"), {**small, **values})


def followed_by_norm(network: torch.nn.Module) -> frozenset[str]:
    return frozenset(name for name, _ in network.named_parameters() if name.endswith("conv.weight"))


def first_step(by: Setting, w: np.ndarray, g: np.ndarray) -> np.ndarray:
    """How far a rule moves w at first, when it remembers nothing."""
    lr, decay, rho = by.lr, by.weight_decay, by.momentum
    if by.rule == "lars":
        length = np.linalg.norm(w)
        u = (g + decay * w) * length / (np.linalg.norm(g) + decay * length)
        return np.asarray(-lr * (1 + rho) * u)
    apart = by.rule in ("adamw", "sgdw", "sgdw_nesterov")
    g = g if apart else g + decay * w
    step = g / (np.abs(g) + 1e-8) if by.rule.startswith("adam") else g
    faster = 1 + rho if by.rule.endswith("nesterov") else 1
    return np.asarray(-lr * faster * step - (lr * decay * w if apart else 0))


@pytest.mark.parametrize("trust", [None, 0.02])
@pytest.mark.parametrize("rule", RULES)
def test_every_parameter_moves_by_its_setting(rule: str, trust: float | None) -> None:
    chosen = by_rule(rule, trust=trust)
    network = network_of(chosen)
    update = Update(network, chosen, followed_by_norm(network))
    update.before(POSITION)
    losses.cross_entropy(network(images()), LABELS, 0.0).backward()
    named = dict(network.named_parameters())
    before = {name: (w.detach().numpy().copy(), w.grad.numpy().copy()) for name, w in named.items()}
    update.step(POSITION)
    settings = update.settings(POSITION)
    assert settings.keys() == named.keys()
    for name, (w, g) in before.items():
        np.testing.assert_allclose(
            named[name].detach().numpy() - w, first_step(settings[name], w, g), rtol=1e-6, atol=1e-14, err_msg=name
        )


def test_settings_are_those_of_the_schedules_with_the_factors_of_a_kind() -> None:
    chosen = by_rule("adamw")
    settings = Update(network_of(chosen), chosen).settings(POSITION)
    assert set(settings.values()) == {
        Setting("adamw", LR, WEIGHT_DECAY, MOMENTUM),
        Setting("adamw", 3 * LR, 0.5 * WEIGHT_DECAY, MOMENTUM),
    }
    assert {name for name, by in settings.items() if by.lr > LR} == {name for name in settings if "norm.bias" in name}
    half = Update(network_of(chosen), chosen).settings(2.5)["head.linear.weight"]
    assert half == Setting("adamw", LR / 2, WEIGHT_DECAY, MOMENTUM)


@pytest.mark.parametrize(
    ("trust", "rate", "decay"), [(None, (2 * LR * WEIGHT_DECAY * (1 - MOMENTUM)) ** 0.5, 0), (0.02, 0.02 * LR, 0.05)]
)
def test_lars_is_for_what_is_scale_invariant(trust: float | None, rate: float, decay: float) -> None:
    chosen = by_rule("lars", trust=trust)
    network = network_of(chosen)
    invariant = followed_by_norm(network)
    settings = Update(network, chosen, invariant).settings(POSITION)
    assert len(invariant) == 8
    for name in invariant:
        assert settings[name].rule == "lars"
        assert settings[name].lr == pytest.approx(rate)
        assert (settings[name].weight_decay, settings[name].momentum) == (decay, MOMENTUM)
    usual = by_rule("sgd_nesterov")
    others = Update(network, usual).settings(POSITION)
    assert {name: settings[name] for name in settings if name not in invariant} == {
        name: others[name] for name in settings if name not in invariant
    }
    assert Update(network, usual, invariant).settings(POSITION) == others


def test_settings_of_muon_and_of_a_bias_that_is_trained_for_a_while() -> None:
    chosen = with_overrides(recipe.load("speed"), {"model.width": 4})  # peak 1.65 at first, 0 after epoch 8
    update = Update(network_of(chosen), chosen)
    before, after = update.settings(2.0), update.settings(4.0)
    assert before["stem.0.bias"] == Setting("sgd_nesterov", 64 * 1.65 * 0.75, 2.4e-3 / 64, 0.85)
    assert after["stem.0.bias"] == Setting("sgd_nesterov", 0.0, 0.0, 0.85)
    filters = [name for name, by in after.items() if by.rule == "muon"]
    assert len(filters) == 6
    assert {after[name] for name in filters} == {Setting("muon", 0.24 / 2, 0.0, 0.6)}


@pytest.mark.parametrize("rule", RULES)
def test_goes_on_from_its_state_exactly(rule: str) -> None:
    chosen = by_rule(rule)
    positions = (1.0, 3.0, 5.0, 9.0, 15.0)
    straight = network_of(chosen).float()
    invariant = followed_by_norm(straight)

    def follow(network: torch.nn.Module, positions: tuple[float, ...], state: list[Tensor]) -> list[Tensor]:
        update = Update(network, chosen, invariant)
        if state:
            update.restore(state)
        for position in positions:
            update.before(position)
            losses.cross_entropy(network(images().float()), LABELS, 0.0).backward()
            update.step(position)
        return [tensor.clone() for tensor in update.state()]

    expected = follow(straight, positions, [])
    resumed = network_of(chosen).float()
    found = follow(resumed, positions[2:], follow(resumed, positions[:2], []))
    for a, b in zip([*expected, *straight.parameters()], [*found, *resumed.parameters()], strict=True):
        assert torch.equal(a, b)
