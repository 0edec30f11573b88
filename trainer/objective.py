"""The built-in training function: a search's parameters and settings to a recipe, and the recipe to reports.

It uses the door of ``hpsearch.contract`` and no other. Settings (the space's ``train:`` block) are

``recipe``  name of a recipe of the package, a file, or the values of a recipe
``data``  name of a data set, if it is not the recipe's
``data_path``  where the data lie, if it is not the default place
``trace``  what to record of the weights (``blocks.Trace``), null for nothing, if it is not what the recipe says
``checkpoint_seconds``  least time between two checkpoints of a trial
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy.typing as npt

from hpsearch import typed_yaml
from hpsearch.contract import TECHNIQUE, Config, Description, Optimizer, Report, Trial, Value
from hpsearch.errors import Problem, RecipeError
from hpsearch.typed_yaml import Document, Typed
from trainer import checkpoint, data, recipe, splits
from trainer.batches import Shape, Split
from trainer.blocks import NonNegative, Trace
from trainer.loop import Run, check_fit, check_images, fit, start
from trainer.overrides import check_names, parameters, with_overrides
from trainer.precision import choose, describe_device, find_device, supported
from trainer.recipe import Recipe
from trainer.techniques import techniques, without
from trainer.trace_checks import check_steps

METRICS = ["train_loss", "train_accuracy", "val_loss", "val_accuracy", "learning_rate", "images_per_second"]


class Settings(Typed):
    """The settings of the training function."""

    recipe: str | dict[str, Any] = "post4_resnet9"
    data: str | None = None
    data_path: str | None = None
    trace: Trace | None = None
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
    images = splits.on_device(arrays, device)
    classes = 1 + max(int(arrays[f"{name}_labels"].max()) for name in images)
    run = start(chosen, trial.seed, device, images["train"], classes)
    if trial.checkpoint is not None:
        with suppress(RecipeError):  # damaged, or the recipe has changed since: start over
            checkpoint.restore(run, trial.checkpoint)
    return _checkpointed(run, images, trial.workdir / "checkpoint.pt", settings.checkpoint_seconds)


def prepare(settings: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
    """Load the data and divide them into arrays that trials share (``splits``).

    Raises RecipeError for the settings, DataError for the data.
    """
    chosen = recipe_for(settings, {})
    return splits.divided(_source(settings, chosen).load(), chosen)


def describe(settings: Mapping[str, Any]) -> Description:
    """Say what a run with these settings does, without loading the data.

    The settings it returns hold the recipe's values and the place of the data, whatever these were chosen by.
    Raises as ``prepare`` does, RecipeError for a recipe that does not fit the data, and DeviceError for a GPU that
    torch cannot use.
    """
    chosen = recipe_for(settings, {})
    source = _source(settings, chosen)
    resolved = _resolved(settings, source)
    check = _check(resolved, source)
    check({})
    name = _settings(settings).recipe
    facts = {
        "recipe": f"{name}: {chosen.about}" if isinstance(name, str) else chosen.about,
        "data": source.where,
        "images": f"{_training_images(chosen, source):,} training images, {chosen.data.held_out:,} held out",
        **_trace_facts(chosen),
    }
    description = Description(
        facts=facts | _device_facts(chosen),
        parameters=_parameters(chosen),
        metrics=METRICS,
        epochs=chosen.epochs,
        examples=_training_images(chosen, source),
        check=check,
        settings=resolved,
        optimizer_of=_optimizer_of(chosen),
    )
    rule = _sgd_or_adamw(chosen)
    if rule is not None:
        description["optimizer"] = rule
    return description


def recipe_for(settings: Mapping[str, Any], config: Config) -> Recipe:
    """Return the recipe that a trial with these parameters trains at its full length.

    Raises RecipeError for settings, parameters or values that are not known.
    """
    parsed = _settings(settings)
    chosen = recipe.load(parsed.recipe)
    if "trace" in parsed.model_fields_set:
        chosen = chosen.model_copy(update={"trace": parsed.trace})
    check_names(config, _parameters(chosen), "parameter")
    given = {} if parsed.data is None else {"data.name": parsed.data}
    left_out = [name.removeprefix(TECHNIQUE) for name, kept in config.items() if _is_switch(name, kept) and not kept]
    values = {name: value for name, value in config.items() if not name.startswith(TECHNIQUE)}
    return with_overrides(without(chosen, left_out), {**given, **values})


def _optimizer_of(chosen: Recipe) -> Callable[[Config], Optimizer | None]:
    """Return what says by which update rule a configuration trains."""
    keys = {name for name in _parameters(chosen) if name.startswith("optimizer.")}

    @cache  # hundreds of configurations have few rules, and making a recipe of one takes milliseconds
    def rule_with(changes: tuple[tuple[str, Value], ...]) -> Optimizer | None:
        return _sgd_or_adamw(with_overrides(chosen, dict(changes)))

    return lambda config: rule_with(tuple((name, value) for name, value in config.items() if name in keys))


def _sgd_or_adamw(chosen: Recipe) -> Optimizer | None:
    """Return the update rule by which lr and weight decay say how a run goes, if it is one that a search knows."""
    rule = chosen.optimizer
    if rule.muon:  # whose steps, of most weights, know neither
        return None
    if rule.name == "lars":  # made to turn weights as SGD with these rates does
        return "sgd_nesterov" if rule.trust is None else None
    return rule.name if rule.name in ("sgd", "sgd_nesterov", "adamw") else None


def _parameters(chosen: Recipe) -> dict[str, Value | None]:
    """Return what a search may set: the recipe's values, and a switch for each technique that it uses."""
    return parameters(chosen) | {TECHNIQUE + name: True for name in techniques(chosen)}


def _is_switch(name: str, value: Value) -> bool:
    if name.startswith(TECHNIQUE) and not isinstance(value, bool):
        raise RecipeError(Problem("a technique is used or not", key=name, got=repr(value), allowed="true or false"))
    return name.startswith(TECHNIQUE)


def _settings(settings: Mapping[str, Any]) -> Settings:
    return typed_yaml.parse(Settings, Document(dict(settings)), RecipeError, at=("train",))


def _source(settings: Mapping[str, Any], chosen: Recipe) -> data.Source:
    path = _settings(settings).data_path
    return data.find(chosen.data.name, None if path is None else Path(path))


def _trace_facts(chosen: Recipe) -> dict[str, str]:
    if chosen.trace is None:
        return {}
    return {"trace": f"the weights at every {chosen.trace.every} steps: {', '.join(chosen.trace.layers)}"}


def _device_facts(chosen: Recipe) -> dict[str, str]:
    device = find_device("auto")
    precision, note = choose(chosen.precision, supported(device), describe_device(device))
    return {"device": describe_device(device), "precision": note or precision}


def _resolved(settings: Mapping[str, Any], source: data.Source) -> dict[str, Any]:
    """Return settings that mean the same when recipe files, working directory and environment have changed."""
    values = recipe.load(_settings(settings).recipe).model_dump(mode="json")
    place = {} if source.path is None else {"data_path": str(source.path)}
    return {**settings, "recipe": values, **place}


def _training_images(chosen: Recipe, source: data.Source) -> int:
    return data.training_images(source.train_images, chosen.data.held_out, chosen.data.train_images)


def _check(settings: Mapping[str, Any], source: data.Source) -> Callable[[Config], None]:
    """Return what raises RecipeError for parameters with which the images of ``source`` cannot be trained on."""

    def check(config: Config) -> None:
        chosen = recipe_for(settings, config)
        check_fit(chosen, Shape(*source.shape))
        images = _training_images(chosen, source)
        check_images(chosen, images)
        check_steps(chosen, images)

    return check


def _checkpointed(run: Run, images: Mapping[str, Split], file: Path, least_seconds: float) -> Iterator[Report]:
    """Yield the reports of ``run`` and keep a checkpoint of the unfinished run in ``file``, which the search removes.

    A run that goes on from a checkpoint first repeats its reports, so that the search sees the whole curve.
    """
    saved = time.monotonic()
    yield from [*run.reports]
    for report in fit(run, images["train"], images["val"], images["test"]):
        yield report
        ended = "stop_reason" in report or run.progress.epoch == run.recipe.epochs
        if not ended and time.monotonic() - saved >= least_seconds:
            checkpoint.save(run, file)
            saved = time.monotonic()
