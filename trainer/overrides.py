"""Single values of a recipe by key path (``augment.cutout``), and the short names that a search uses (``lr``)."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import Field

from hpsearch import typed_yaml
from hpsearch.contract import Value
from hpsearch.errors import InputError, Problem, RecipeError, listed, nearest
from hpsearch.typed_yaml import Document, Typed
from trainer.blocks import Count, NonNegative, Positive
from trainer.recipe import Recipe


class _Shape(Typed):
    """The names that change a whole schedule."""

    epochs: Count | None = None
    """Length of the run: all schedules are stretched to it."""
    lr: Positive | None = None
    """Peak of the schedule, as for the next two."""
    weight_decay: NonNegative | None = None
    momentum: Annotated[float, Field(ge=0, lt=1)] | None = None
    peak_epochs: Positive | None = Field(None, alias="schedule.peak_epochs")
    """Position of the learning rate's peak."""


_SHAPES = {field.alias or name for name, field in _Shape.model_fields.items()}


def parameters(recipe: Recipe) -> dict[str, Value | None]:
    """Return every name that a search may set, with its value in ``recipe``."""
    schedule = recipe.schedule
    found: dict[str, Value | None] = {
        "lr": schedule.lr.peak,
        "weight_decay": schedule.weight_decay.peak,
        "momentum": schedule.momentum.peak,
    }
    if schedule.lr.peak_epochs is not None:
        found["schedule.peak_epochs"] = schedule.lr.peak_epochs
    return found | _leaves(
        recipe.model_dump(exclude={"about", "post", "data", "schedule", "trace", "expect", "evidence"})
    )


def with_overrides(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """Return ``recipe`` with ``changes``, whose keys are those of ``parameters`` or values of the ``data`` block.

    ``lr``, ``weight_decay`` and ``momentum`` scale their schedule to a new peak, ``schedule.peak_epochs`` moves the
    learning rate's, ``epochs`` stretches all of them (before the peak is moved). Raises RecipeError for an unknown
    name, a wrong type or a value out of range.
    """
    check_names(changes, [*parameters(recipe), *_leaves({"data": recipe.data.model_dump()})], "parameter")
    shape = typed_yaml.parse(_Shape, Document({k: v for k, v in changes.items() if k in _SHAPES}), RecipeError)
    data = _shaped(recipe, shape).model_dump()
    for path, value in changes.items():
        if path not in _SHAPES:
            *parents, key = path.split(".")
            block = data
            for parent in parents:
                block = block[parent]
            block[key] = value
    return typed_yaml.parse(Recipe, Document(data), RecipeError)


def check_names(given: Iterable[str], valid: Iterable[str], kind: str, error: type[InputError] = RecipeError) -> None:
    """Raise ``error`` for every name that is not among ``valid``."""
    valid = list(valid)
    unknown = [name for name in given if name not in valid]
    if unknown:
        problems = [Problem(f"unknown {kind}", key=n, allowed=listed(valid), hint=nearest(n, valid)) for n in unknown]
        raise error(*problems)


def _shaped(recipe: Recipe, shape: _Shape) -> Recipe:
    """Apply the changes to whole schedules."""
    if shape.epochs is not None:
        recipe = recipe.at_length(shape.epochs)
    schedule = recipe.schedule
    peaks = {name: getattr(shape, name) for name in ("lr", "weight_decay", "momentum")}
    update = {name: getattr(schedule, name).with_peak(peak) for name, peak in peaks.items() if peak is not None}
    if shape.peak_epochs is not None:
        update["lr"] = update.get("lr", schedule.lr).with_peak_at(_inside(shape.peak_epochs, schedule.lr.epochs[-1]))
    return recipe.model_copy(update={"schedule": schedule.model_copy(update=update)})


def _inside(peak_epochs: float, end: float) -> float:
    if peak_epochs >= end:
        what = "the learning rate must peak before its schedule ends"
        raise RecipeError(Problem(what, key="schedule.peak_epochs", got=f"{peak_epochs:g}", allowed=f"below {end:g}"))
    return peak_epochs


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Value | None]:
    """Flatten nested mappings to key paths; lists are no single values and left out."""
    leaves: dict[str, Value | None] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            leaves |= _leaves(value, f"{prefix}{key}.")
        elif not isinstance(value, tuple | list):
            leaves[prefix + key] = value
    return leaves
