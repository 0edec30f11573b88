"""Networks as a recipe describes them."""

from torch import nn

from hpsearch.errors import Problem, RecipeError
from trainer import blocks
from trainer.batches import Shape
from trainer.models.dawn import Dawn
from trainer.models.layers import keep_signal
from trainer.models.resnet9 import ResNet9

SMALLEST_SIDE = 8
"""Pixels; three halvings must leave one."""


def build(model: blocks.Dawn | blocks.ResNet9, shape: Shape, classes: int) -> nn.Module:
    """Return a freshly initialised network, drawn from torch's global generator, for images of ``shape``.

    Whitening filters are still zero: they are made from images (``Whitening.fit``).
    Raises RecipeError for images that are too small.
    """
    check(model, shape)
    network: nn.Module
    if isinstance(model, blocks.Dawn):
        network = Dawn(shape.channels, classes, model)
    else:
        network = ResNet9(shape.channels, classes, model)
    if model.filters == "he":
        keep_signal(network)
    return network


def check(model: blocks.Dawn | blocks.ResNet9, shape: Shape) -> None:
    """Raise RecipeError when images of ``shape`` are too small to be halved three times, or for a whitening patch."""
    side = min(shape.height, shape.width)
    patch = model.whitening.patch if model.whitening else 1
    if patch > side:
        what = f"the images have {shape.height} x {shape.width} pixels"
        raise RecipeError(Problem(what, key="model.whitening.patch", got=str(patch), allowed=f"2 to {side}"))
    smallest = SMALLEST_SIDE + (patch + 1) % 2  # an even patch takes a pixel away
    if side < smallest:
        what = f"the images are too small for {model.name}"
        got = f"{shape.height} x {shape.width}"
        raise RecipeError(Problem(what, key="data.name", got=got, allowed=f"at least {smallest} pixels a side"))
