"""Which parameter follows which rule; and the equivalence behind the frozen scales of post 8.6."""

import numpy as np
import pytest
import torch
from torch import Tensor

from trainer import losses, models, recipe
from trainer.batches import Shape
from trainer.models.norm import BatchNorm
from trainer.models.whitening import Whitening
from trainer.optim.update import Update
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
