"""The tricks of a recipe by name, and the same recipe without some of them: what an ablation switches."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hpsearch import typed_yaml
from hpsearch.errors import RecipeError
from hpsearch.typed_yaml import Document
from trainer.overrides import check_names
from trainer.recipe import Recipe

Values = dict[str, Any]
"""The values of a recipe as in its file."""


@dataclass(frozen=True)
class Technique:
    """A trick that a recipe may use.

    ``remove`` takes it out of a recipe's values and leaves them valid; it changes nothing where the trick is not used,
    so that any number of tricks can be removed, one after the other, in any order. What removes the trick ``inside``
    which this one lies removes this one, too.
    """

    name: str
    about: str
    remove: Callable[[Values], None]
    inside: str | None = None


def techniques(recipe: Recipe) -> dict[str, Technique]:
    """Return the techniques that ``recipe`` uses, by name: those whose removal changes it."""
    return {technique.name: technique for technique in TECHNIQUES if _removed(recipe, [technique]) != _values(recipe)}


def nested(recipe: Recipe) -> list[Technique]:
    """Return the techniques of ``recipe`` that lie inside another one that it uses."""
    used = techniques(recipe)
    return [technique for technique in used.values() if technique.inside in used]


def without(recipe: Recipe, names: Iterable[str]) -> Recipe:
    """Return ``recipe`` without the techniques of these names. Raises RecipeError for one that it does not use."""
    used, names = techniques(recipe), list(names)
    check_names(names, used, "technique")
    return typed_yaml.parse(Recipe, Document(_removed(recipe, [used[name] for name in names])), RecipeError)


def _values(recipe: Recipe) -> Values:
    return recipe.model_dump(mode="json")


def _removed(recipe: Recipe, unwanted: Iterable[Technique]) -> Values:
    values = _values(recipe)
    for technique in unwanted:
        technique.remove(values)
    return values


def _put(off: Mapping[str, Any], where: tuple[str, Any] | None = None) -> Callable[[Values], None]:
    """Return what sets the values at these key paths, as far as they exist; if ``where``, only if it has that value."""

    def remove(values: Values) -> None:
        if where is None or _block(values, where[0]).get(_key(where[0])) == where[1]:
            for path, value in off.items():
                if _key(path) in (block := _block(values, path)):
                    block[_key(path)] = value

    return remove


def _block(values: Values, path: str) -> Values:
    """Return the mapping that holds the last key of ``path``; empty where there is none."""
    for parent in path.split(".")[:-1]:
        values = values.get(parent) or {}
    return values


def _key(path: str) -> str:
    return path.rpartition(".")[2]


def _start_at_the_peak(values: Values) -> None:
    lr = values["schedule"]["lr"]
    peak = lr["values"].index(max(lr["values"]))
    lr["epochs"] = [0.0, *lr["epochs"][peak + 1 :]]
    lr["values"] = lr["values"][peak:]


def _end_at_zero(values: Values) -> None:
    """Move the last knot to 0 at the last epoch; one at the peak stays, and another follows if there is time left."""
    lr, end = values["schedule"]["lr"], float(values["epochs"])
    if lr["values"][-1] < max(lr["values"]):
        lr["epochs"], lr["values"] = lr["epochs"][:-1], lr["values"][:-1]
    if lr["epochs"][-1] < end:
        lr["epochs"], lr["values"] = [*lr["epochs"], end], [*lr["values"], 0.0]


def _bias_rates(factor: float) -> Mapping[str, float]:
    return {"optimizer.norm_bias_lr": factor, "optimizer.norm_bias_weight_decay": factor}


TECHNIQUES = (
    Technique("crop", "random crops of a padded image", _put({"augment.crop_padding": 0})),
    Technique("flip", "random mirror images", _put({"augment.flip": False, "augment.alternate": False})),
    Technique("alternating_flip", "an image and its mirror image in turn", _put({"augment.alternate": False}), "flip"),
    Technique("cutout", "a square of the mean colour", _put({"augment.cutout": 0})),
    Technique("grouped_choices", "crops and cutouts drawn for groups of images", _put({"augment.groups": None})),
    Technique("label_smoothing", "a share of the loss for all classes", _put({"label_smoothing": 0.0})),
    Technique(
        "smooth_activation",
        "celu, gelu or softplus, not relu",
        _put({"model.activation": "relu", "model.celu_alpha": None}),
    ),
    Technique(
        "pool_first",
        "pooling before the norm, not after the activation",
        _put({"model.downsample": "pool"}, where=("model.downsample", "pool_before_norm")),
    ),
    Technique("extra", "one more convolution in some stages", _put({"model.extra": "none"})),
    Technique("residual", "residual blocks in some stages", _put({"model.residual": "none"})),
    Technique("whitening", "fixed whitening filters as the first layer", _put({"model.whitening": None})),
    Technique(
        "whitening_bias",
        "a bias of the whitening filters, trained at first",
        _put({"model.whitening.bias_share": 0.0}),
        inside="whitening",
    ),
    Technique("dirac", "convolutions that start as copies of their input", _put({"model.filters": "default"})),
    Technique("ghost_norm", "batch norm over parts of a batch", _put({"model.norm.splits": 1})),
    Technique(
        "frozen_scales",
        "batch norm without trained scales",
        _put({"model.norm.scale": "ones", **_bias_rates(1.0)}, where=("model.norm.scale", "frozen")),
    ),
    Technique(
        "bias_rates",
        "a learning rate and weight decay for the norms' biases",
        _put(_bias_rates(1.0)),
        inside="frozen_scales",
    ),
    Technique("muon", "orthogonalised momentum for filters", _put({"optimizer.muon": None})),
    Technique("warm_up", "a learning rate that rises at first", _start_at_the_peak),
    Technique("lr_floor", "a learning rate that ends above 0", _end_at_zero),
    Technique("weight_average", "the average of the weights is judged", _put({"average": None})),
    Technique(
        "crops_test",
        "shifted copies of a test image, too",
        _put({"test_time": "flip"}, where=("test_time", "crops")),
        inside="test_time",
    ),
    Technique("test_time", "a test image judged together with its mirror image", _put({"test_time": "none"})),
)
