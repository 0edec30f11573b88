"""The count of arithmetic against counts by hand."""

import math
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from trainer import models, recipe
from trainer.batches import Shape
from trainer.blocks import ResNet9
from trainer.flops import cost, petaflop
from trainer.models.whitening import Whitening
from trainer.overrides import with_overrides
from trainer.recipe import Recipe

CIFAR = Shape(32, 32, 3)


def by_layer(network: nn.Module, shape: Shape, images: int) -> float:
    """FLOP of a step by the formula of each layer, from the sizes of its outputs and from what is trained."""
    total, trained_below = 0.0, False

    def add(module: nn.Module, _: Any, out: Tensor) -> None:
        nonlocal total, trained_below
        assert isinstance(module.weight, Tensor)
        products = 2 * out.numel() * math.prod(module.weight.shape[1:])
        total += products * (1 + module.weight.requires_grad + trained_below)  # forward, weights, inputs
        trained_below |= any(parameter.requires_grad for parameter in module.parameters())

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | Whitening):
            module.register_forward_hook(add)
    network(torch.randn(images, shape.channels, shape.height, shape.width))
    return total


def test_post_4_by_hand() -> None:
    # (inputs, outputs, side of the output before pooling) of its eight convolutions
    layers = [(3, 64, 32), (64, 128, 32), *[(128, 128, 16)] * 2, (128, 256, 16), (256, 512, 8), *[(512, 512, 4)] * 2]
    forward = [2 * 9 * inputs * outputs * side * side for inputs, outputs, side in layers]
    passes = 3 * sum(forward) - forward[0] + 3 * 2 * 512 * 10
    chosen = recipe.load("post4_resnet9")
    assert cost(chosen, CIFAR, 10).image == passes
    assert petaflop(chosen, CIFAR, 10, 50_000) == pytest.approx(24 * 50_000 * passes / 1e15)
    assert petaflop(chosen, CIFAR, 10, 50_000) == pytest.approx(2.7, abs=0.05)


@pytest.mark.parametrize(
    "name", ["post1_baseline", "post4_2_one_norm", "post4_3_conv3x3", "post4_8_extra", "post8_05_ghost_norm"]
)
def test_layer_by_layer(name: str) -> None:
    chosen = with_overrides(recipe.load(name), {"model.width": 4})
    network = models.build(chosen.model, CIFAR, 10)
    images = 2 * chosen.model.norm.splits
    assert cost(chosen, CIFAR, 10).image * images == by_layer(network, CIFAR, images)


def test_a_bias_below_everything_makes_the_way_back_longer_while_it_is_trained() -> None:
    chosen = with_overrides(recipe.load("speed"), {"model.width": 4})
    assert isinstance(chosen.model, ResNet9)
    assert chosen.model.whitening is not None
    share = chosen.model.whitening.bias_share
    with_bias = by_layer(models.build(chosen.model, CIFAR, 10), CIFAR, 2)
    network = models.build(chosen.model, CIFAR, 10)
    for module in network.modules():
        if isinstance(module, Whitening) and module.bias is not None:
            module.bias.requires_grad_(False)
    without = by_layer(network, CIFAR, 2)
    assert 0 < share < 1
    assert with_bias > without
    assert cost(chosen, CIFAR, 10).image == pytest.approx((share * with_bias + (1 - share) * without) / 2)


def test_fixed_filters_cost_their_forward_pass() -> None:
    """The 1x1 convolution over the 27 fixed filters of 8.7 costs what the 3x3 one over 3 channels did before it."""
    with_filters, without = (recipe.load(name) for name in ("post8_07_whitening", "post8_06_frozen_scales"))
    more = cost(with_filters, CIFAR, 10).image - cost(without, CIFAR, 10).image
    assert more == 2 * 27 * 27 * 32 * 32


def test_the_products_of_muon(tiny: Recipe) -> None:
    chosen = _with(tiny, {"optimizer": {"muon": {"lr": 0.1, "momentum": 0.6, "iterations": 3}}})
    network = models.build(chosen.model, Shape(8, 8, 1), 10)
    expected = 0
    assert isinstance(network.stages, nn.Module)
    for module in network.stages.modules():
        if isinstance(module, nn.Conv2d):
            rows, columns = sorted((module.out_channels, module.weight[0].numel()))
            expected += 3 * (2 * 2 * rows * rows * columns + 2 * rows**3)  # X X', A A, B X in every iteration
    assert expected > 0
    assert cost(chosen, Shape(8, 8, 1), 10).step == expected
    assert cost(tiny, Shape(8, 8, 1), 10).step == 0


def test_only_images_that_are_trained_on_count(tiny: Recipe) -> None:
    """130 images in batches of 50: the last 30 are a batch, or dropped; every batch is one update."""
    chosen = _with(tiny, {"optimizer": {"muon": {"lr": 0.1, "momentum": 0.6, "iterations": 3}}})
    of, shape = cost(chosen, Shape(8, 8, 1), 10), Shape(8, 8, 1)
    whole = petaflop(chosen, shape, 10, 130)
    dropped = petaflop(with_overrides(chosen, {"drop_last": True}), shape, 10, 130)
    assert whole == pytest.approx(4 * (130 * of.image + 3 * of.step) / 1e15)
    assert dropped == pytest.approx(4 * (100 * of.image + 2 * of.step) / 1e15)


def test_counting_changes_no_random_numbers(tiny: Recipe) -> None:
    torch.manual_seed(0)
    expected = torch.randn(3)
    torch.manual_seed(0)
    cost(tiny, Shape(8, 8, 1), 10)
    assert torch.equal(torch.randn(3), expected)


def _with(chosen: Recipe, blocks: Mapping[str, Mapping[str, Any]]) -> Recipe:
    data = chosen.model_dump(mode="json")
    return recipe.load({**data, **{name: {**data[name], **values} for name, values in blocks.items()}})
