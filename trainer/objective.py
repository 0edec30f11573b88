"""The built-in training function: a search's parameters and settings to a recipe, and the recipe to reports.

It uses the door of ``hpsearch.contract`` and no other. Settings (the space's ``train:`` block) are

``recipe``  name of a recipe of the package, or a file
``data``  name of a data set, if it is not the recipe's
``data_path``  where the data lie, if it is not the default place
``checkpoint_seconds``  least time between two checkpoints of a trial
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch

from hpsearch import typed_yaml
from hpsearch.contract import Config, Description, Report, Trial
from hpsearch.errors import RecipeError
from hpsearch.typed_yaml import Document, Typed
from trainer import checkpoint, data, recipe
from trainer.batches import Split, to_device
from trainer.loop import Run, fit, start
from trainer.overrides import check_names, parameters, with_overrides
from trainer.precision import choose, describe_device, find_device, supported
from trainer.recipe import Recipe
from trainer.schedules import NonNegative

METRICS = ["train_loss", "train_accuracy", "val_loss", "val_accuracy", "learning_rate", "images_per_second"]


class Settings(Typed):
    """The settings of the training function."""

    recipe: str = "post4_resnet9"
    data: str | None = None
    data_path: str | None = None
    checkpoint_seconds: NonNegative = 60.0


def train(trial: Trial) -> Iterator[Report]:
    """Train with ``trial.config`` over the recipe's values and yield a report per epoch.

    Raises RecipeError for a parameter that the recipe does not have or a value it does not allow.
    """
    settings = _settings(trial.settings)
    chosen = recipe_for(trial.settings, trial.config)
    chosen = chosen if trial.epochs is None else chosen.at_length(trial.epochs)
    arrays = trial.shared or prepare(trial.settings)
    device = find_device(trial.device)
    splits = {name: _split(arrays, name, device) for name in ("train", "val", "test")}
    classes = 1 + max(int(arrays[f"{name}_labels"].max()) for name in splits)
    run = start(chosen, trial.seed, device, splits["train"].shape, classes)
    if trial.checkpoint is not None:
        with suppress(RecipeError):  # damaged, or the recipe has changed since: start over
            checkpoint.restore(run, trial.checkpoint)
    return _checkpointed(run, splits, trial.workdir / "checkpoint.pt", settings.checkpoint_seconds)


def prepare(settings: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
    """Load the data and split them: uint8 images (n, height, width, channels) and int64 labels (n,) for each split.

    Raises RecipeError for the settings, DataError for the data.
    """
    chosen = recipe_for(settings, {})
    return split_arrays(_source(settings, chosen).load(), chosen)


def describe(settings: Mapping[str, Any]) -> Description:
    """Say what a run with these settings does, without loading the data.

    Raises as ``prepare`` does, and DeviceError for a GPU that torch cannot use.
    """
    chosen = recipe_for(settings, {})
    source = _source(settings, chosen)
    device = find_device("auto")
    precision, note = choose(chosen.precision, supported(device), describe_device(device))
    images = "all other" if chosen.data.train_images is None else f"{chosen.data.train_images:,}"
    facts = {
        "recipe": f"{_settings(settings).recipe}: {chosen.about}",
        "data": source.where,
        "images": f"{images} training images, {chosen.data.held_out:,} held out",
        "device": describe_device(device),
        "precision": note or precision,
    }
    return Description(facts=facts, parameters=parameters(chosen), metrics=METRICS, epochs=chosen.epochs)


def recipe_for(settings: Mapping[str, Any], config: Config) -> Recipe:
    """Return the recipe that a trial with these parameters trains at its full length.

    Raises RecipeError for settings, parameters or values that are not known.
    """
    parsed = _settings(settings)
    chosen = recipe.load(parsed.recipe)
    check_names(config, parameters(chosen), "parameter")
    given = {} if parsed.data is None else {"data.name": parsed.data}
    return with_overrides(chosen, {**given, **config})


def split_arrays(dataset: data.Dataset, chosen: Recipe) -> dict[str, npt.NDArray[Any]]:
    """Divide the training images as the recipe says; the same for every seed."""
    kept, held_out = data.held_out_split(dataset.train_labels, chosen.data.held_out, chosen.data.train_images)
    return {
        "train_images": dataset.train_images[kept],
        "train_labels": dataset.train_labels[kept],
        "val_images": dataset.train_images[held_out],
        "val_labels": dataset.train_labels[held_out],
        "test_images": dataset.test_images,
        "test_labels": dataset.test_labels,
    }


def _settings(settings: Mapping[str, Any]) -> Settings:
    return typed_yaml.parse(Settings, Document(dict(settings)), RecipeError, at=("train",))


def _source(settings: Mapping[str, Any], chosen: Recipe) -> data.Source:
    path = _settings(settings).data_path
    return data.find(chosen.data.name, None if path is None else Path(path))


def _split(arrays: Mapping[str, npt.NDArray[Any]], name: str, device: torch.device) -> Split:
    return to_device(arrays[f"{name}_images"], arrays[f"{name}_labels"], device)


def _checkpointed(run: Run, splits: Mapping[str, Split], file: Path, least_seconds: float) -> Iterator[Report]:
    """Yield the reports of ``run`` and keep a checkpoint in ``file`` until it ends or the search stops it.

    A run that goes on from a checkpoint first repeats its reports, so that the search sees the whole curve.
    """
    saved = time.monotonic()
    try:
        yield from [*run.reports]
        for report in fit(run, splits["train"], splits["val"], splits["test"]):
            yield report
            if run.progress.epoch < run.recipe.epochs and time.monotonic() - saved >= least_seconds:
                checkpoint.save(run, file)
                saved = time.monotonic()
    except GeneratorExit:
        file.unlink(missing_ok=True)
        raise
    file.unlink(missing_ok=True)
