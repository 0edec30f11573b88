"""Whether a recipe's ``trace`` finds something to record."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import lru_cache

import torch

from hpsearch.errors import Problem, RecipeError, listed, nearest
from trainer import models
from trainer.batches import Shape, batch_slices
from trainer.blocks import Model, Trace
from trainer.recipe import Recipe

_SHOWN = 12
"""Names that a message lists."""


def check_layers(recipe: Recipe, shape: Shape) -> None:
    """Raise RecipeError when the recipe traces tensors that its network for images of ``shape`` does not have."""
    if recipe.trace:
        chosen(recipe.trace, _names(recipe.model, shape))


def check_steps(recipe: Recipe, images: int) -> None:
    """Raise RecipeError when a run over so many ``images`` ends before a second step would be traced.

    It is about full runs: the short ones of a search may see no more than their first step traced.
    """
    steps = recipe.epochs * len(batch_slices(images, recipe.batch_size, recipe.drop_last))
    if recipe.trace and recipe.trace.every >= steps:
        what, allowed = "the run ends before a second step would be traced", f"1 to {steps - 1} steps"
        raise RecipeError(Problem(what, key="trace.every", got=str(recipe.trace.every), allowed=allowed))


@lru_cache  # a search checks hundreds of configurations, of few networks
def _names(model: Model, shape: Shape) -> tuple[str, ...]:
    with torch.device("meta"):
        network = models.build(model, shape, classes=2)
    return tuple(name for name, _ in network.named_parameters())


def chosen(trace: Trace, names: Sequence[str]) -> list[str]:
    """Return the names that a pattern fits. Raises RecipeError for a pattern that fits none."""
    problems = [_no_such(pattern, names) for pattern in trace.patterns if not _any_fits(names, pattern)]
    if problems:
        raise RecipeError(*problems)
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in trace.patterns)]


def _any_fits(names: Sequence[str], pattern: str) -> bool:
    return any(fnmatchcase(name, pattern) for name in names)


def _no_such(pattern: str, names: Sequence[str]) -> Problem:
    allowed = listed([*names[:_SHOWN], "..."] if len(names) > _SHOWN else names)
    what = "no tensor of the network has such a name"
    return Problem(what, key="trace.layers", got=pattern, allowed=allowed, hint=nearest(pattern, names))
