"""The arithmetic of a training run, counted on the real network: convolutions and matrix products, nothing else.

A multiply-add is 2 FLOP. What is counted is what a step asks for - forward, backward and, with Muon, the products of
the update - whatever number format or algorithm the device then uses for it. A backward pass that needs no gradient
(of the images, of fixed filters) does not compute it. Evaluation is no training and does not count.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from trainer import models
from trainer.batches import Shape, batch_slices
from trainer.optim.update import Update
from trainer.recipe import Recipe


@dataclass(frozen=True)
class Cost:
    """FLOP of training: ``image`` for each image of a batch, forward and backward; ``step`` for each update."""

    image: float
    step: float


def cost(recipe: Recipe, shape: Shape, classes: int) -> Cost:
    """Count the steps of ``recipe`` on a few images of noise, on the CPU: the mean over the run.

    While a bias of whitening filters is trained, the backward pass reaches one convolution further down.

    Raises RecipeError as ``models.build`` does.
    """
    images = 2 * recipe.model.norm.splits  # batch norm has no variance of one image to divide by
    with torch.random.fork_rng(devices=[]):
        network = models.build(recipe.model, shape, classes)
        inputs = torch.randn(images, shape.channels, shape.height, shape.width)
    update = Update(network, recipe)
    early = recipe.model.whitening.bias_share if recipe.model.whitening else 0.0
    shares = {0: early, recipe.epochs: 1 - early}
    passes = sum(share * _passes(network, update, inputs, at) for at, share in shares.items() if share)
    with _counter() as products:
        update.step(recipe.epochs)
    return Cost(passes / images, products.get_total_flops())


def _passes(network: nn.Module, update: Update, inputs: Tensor, position: float) -> int:
    """Count a forward and a backward pass at ``position`` in epochs."""
    update.before(position)
    with _counter() as counter:
        logits: Tensor = network(inputs)
        logits.sum().backward()  # type: ignore[no-untyped-call]
    return int(counter.get_total_flops())


def petaflop(recipe: Recipe, shape: Shape, classes: int, images: int) -> float:
    """Return the arithmetic, in 10^15 FLOP, of a run of ``recipe`` on ``images`` training images."""
    return recipe.epochs * _epoch_petaflop(cost(recipe, shape, classes), recipe, images)


def _epoch_petaflop(of: Cost, recipe: Recipe, images: int) -> float:
    """Return the arithmetic of one epoch, whose last batch may be smaller or left out."""
    batches = batch_slices(images, recipe.batch_size, recipe.drop_last)
    images = int(batches[-1].stop)
    return (of.image * images + of.step * len(batches)) / 1e15


def _counter() -> FlopCounterMode:
    return FlopCounterMode(display=False)
