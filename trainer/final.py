"""The last training: one recipe, one model on disk, optionally on all the training images."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from hpsearch.contract import Report
from hpsearch.errors import InputError, Problem, RecipeError
from trainer import checkpoint, models, splits
from trainer.batches import Shape
from trainer.data import Source
from trainer.loop import Run, fit, start
from trainer.precision import find_device
from trainer.recipe import Recipe, load


def train_final(
    recipe: Recipe, source: Source, seed: int = 0, device: str = "auto", save: Path | None = None, full: bool = True
) -> Iterator[Report]:
    """Train, test at the end, and write the model to ``save``; yield a report per epoch (``loop.fit``).

    ``full`` trains on all the training images, so that there is no held-out score and of the early stopping rules only
    time and divergence act; otherwise the images are divided as in a search. Nothing is saved if the run diverges.
    Raises DataError, RecipeError and DeviceError, and InputError where ``save`` cannot be written.
    """
    place = find_device(device)
    if save:
        _check_writable(save)
    dataset = source.load()
    images = splits.on_device(splits.undivided(dataset) if full else splits.divided(dataset, recipe), place)
    run = start(recipe, seed, place, images["train"], len(dataset.classes))
    report: Report = {}
    for report in fit(run, images["train"], images.get("val"), images["test"]):
        yield report
    if save and not report.get("diverged"):
        save_model(run, images["train"].shape, dataset.classes, save)


@dataclass(frozen=True, eq=False)
class SavedModel:
    """A trained network, in evaluation mode, and what is needed to use it.

    ``recipe``  how it was trained; ``recipe.data`` holds the mean and std by which images are normalised
    ``classes``  names of the outputs, in order
    """

    network: nn.Module
    recipe: Recipe
    classes: tuple[str, ...]


def save_model(run: Run, shape: Shape, classes: tuple[str, ...], file: Path) -> None:
    """Write the network's weights with the recipe, the image size (h, w, channels) and the class names."""
    trained = run.judged.state_dict().items()
    weights = {name: (tensor.float() if tensor.is_floating_point() else tensor).cpu() for name, tensor in trained}
    state = {"recipe": run.recipe.model_dump(mode="json"), "shape": list(shape), "classes": list(classes)}
    checkpoint.write({**state, "network": weights}, file)


def load_model(file: Path) -> SavedModel:
    """Read what ``save_model`` wrote, on the CPU; raises RecipeError when it is something else."""
    state = checkpoint.read(file)
    if not {"recipe", "shape", "classes", "network"} <= state.keys():
        raise RecipeError(Problem("this is no saved model", file=file))
    recipe = load(state["recipe"])
    network = models.build(recipe.model, Shape(*state["shape"]), len(state["classes"]))
    network.load_state_dict(state["network"])
    return SavedModel(network.eval(), recipe, tuple(state["classes"]))


def _check_writable(file: Path) -> None:
    """Find out before the training, not after it, that ``file`` cannot be written."""
    if file.is_dir() or not os.access(file.parent, os.W_OK):
        hint = "it needs the path of a file in an existing folder that may be written"
        raise InputError(Problem("cannot write the model", file=file, hint=hint))
