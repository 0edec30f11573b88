"""Networks by the name that a recipe gives them."""

from collections.abc import Callable

from torch import nn

from hpsearch.errors import Problem, RecipeError
from trainer.batches import Shape
from trainer.models.resnet9 import ResNet9
from trainer.recipe import Model

_NETWORKS: dict[str, Callable[[int, int, int, float], nn.Module]] = {"resnet9": ResNet9}

SMALLEST_SIDE = 8
"""Pixels; three halvings must leave one."""


def build(model: Model, shape: Shape, classes: int) -> nn.Module:
    """Return a freshly initialised network, drawn from torch's global generator, for images of ``shape``.

    Raises RecipeError for images that are too small.
    """
    if min(shape.height, shape.width) < SMALLEST_SIDE:
        what = f"the images are too small for {model.name}"
        got = f"{shape.height} x {shape.width}"
        raise RecipeError(Problem(what, key="data.name", got=got, allowed=f"at least {SMALLEST_SIDE} pixels a side"))
    return _NETWORKS[model.name](shape.channels, classes, model.width, model.logit_scale)
