"""The three half-trained networks of post 7: with batch norm, with it frozen, and trained without at a lower rate."""

import copy
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hpsearch.contract import Report
from hpsearch.errors import Problem, RecipeError
from trainer import checkpoint, models
from trainer.batches import Normalizer, Shape, Split
from trainer.diagnostics.hessian import trainable
from trainer.diagnostics.moments import MOMENTS
from trainer.diagnostics.norm_mode import refresh_statistics
from trainer.loop import fit, start
from trainer.overrides import with_overrides
from trainer.recipe import Recipe

LOWER = 0.04
"""Learning rate without norm, as a share of that with it: 0.2 and 5.0 in post 7."""

GENTLER, TRIES = 0.25, 4
"""By what the rate is lowered where a training without norm diverges, and how often at most."""


@dataclass(frozen=True)
class Facts:
    """How a network was trained: peak rate, epochs of how many, the loss of the last one, accuracy on held-out images.

    ``diverged`` says that it came to nothing: the loss is not finite or out of bounds.
    """

    lr: float
    epochs: int
    schedule_epochs: int
    train_loss: float
    val_accuracy: float
    diverged: bool


@dataclass(frozen=True, eq=False)
class Trained:
    """A network, in fp32 and in memory with channels last, and how it was trained."""

    network: nn.Module
    facts: Facts

    def save(self, file: Path) -> None:
        """Keep it. Raises OSError."""
        try:
            checkpoint.write({"network": self.network.state_dict(), "facts": asdict(self.facts)}, file)
        except RuntimeError as cause:  # what torch's own writer makes of a full disk
            raise OSError(str(cause).partition("\n")[0]) from cause


def saved(file: Path, network: nn.Module) -> Trained:
    """Return what ``save`` has kept in ``file``, in a ``network`` like it. Raises RecipeError for a damaged file."""
    try:
        state = checkpoint.read(file)
        network.load_state_dict(state["network"])
        return Trained(network, Facts(**state["facts"]))
    except (RecipeError, KeyError, TypeError, RuntimeError) as cause:
        what, hint = "the network that was kept cannot be read", "remove the file, and it is trained once more"
        raise RecipeError(Problem(what, file=file, hint=hint)) from cause


def without_norm(recipe: Recipe, lr: float) -> Recipe:
    """Return ``recipe`` for a network without norm, started so that it keeps the size of its signal, at this peak.

    Muon, which needs a norm after the filters that it rescales, gives way to SGD. Raises RecipeError for a rate that is
    none.
    """
    plain = recipe.model_copy(update={"optimizer": recipe.optimizer.model_copy(update={"muon": None})})
    changes: dict[str, Any] = {"model.norm.kind": "none", "model.norm.shift": True, "model.filters": "he", "lr": lr}
    return with_overrides(plain, changes)


def check_norm(recipe: Recipe) -> None:
    """Raise RecipeError where the network of ``recipe`` has no batch norm."""
    if recipe.model.norm.kind == "none":
        what = "the recipe has no batch norm to look into"
        raise RecipeError(Problem(what, key="model.norm.kind", got="none", allowed="batch"))


def check_size(recipe: Recipe, shape: Shape, eigenvalues: int) -> None:
    """Raise RecipeError where the network for images of ``shape`` has too few parameters for so many eigenvalues.

    Some are looked for outside the gradients of three moments of each output. Two outputs stand for all here: a further
    one brings parameters of its own.
    """
    classes = 2
    with torch.device("meta"):
        room = sum(each.numel() for each in trainable(models.build(recipe.model, shape, classes)))
    room -= len(MOMENTS) * classes
    if eigenvalues > room:
        what = "the network has too few parameters for so many eigenvalues"
        raise RecipeError(Problem(what, key="--eigenvalues", got=f"{eigenvalues:,}", allowed=f"1 to {room:,}"))


def initial(recipe: Recipe, seed: int, train: Split, classes: int) -> nn.Module:
    """Return the network that a run of ``recipe`` starts from, in fp32."""
    return start(recipe, seed, train.pixels.device, train, classes).network.float()


def train_until(
    recipe: Recipe, seed: int, train: Split, val: Split, classes: int, epochs: int, watch: Callable[[Report], None]
) -> Trained:
    """Train for the first ``epochs`` of the schedule; ``watch`` is called with the report of each (``loop.fit``).

    Without the recipe's average, for it is the trained network itself that is judged, and without its trace.
    """
    plain = recipe.model_copy(update={"average": None, "trace": None})
    run = start(plain, seed, train.pixels.device, train, classes)
    report: Report = {}
    for report in fit(run, train, val):
        watch(report)
        if run.progress.epoch == epochs:
            break
    facts = Facts(
        lr=recipe.schedule.lr.peak,
        epochs=run.progress.epoch,
        schedule_epochs=recipe.epochs,
        train_loss=report["train_loss"],
        val_accuracy=report["val_accuracy"],
        diverged=bool(report.get("diverged")),
    )
    return Trained(run.network.float(), facts)


def frozen(trained: Trained, inputs: Iterable[Tensor]) -> Trained:
    """Return a copy with the running statistics of ``inputs``, to be used with these."""
    network = copy.deepcopy(trained.network)
    refresh_statistics(network, inputs)
    return Trained(network, trained.facts)


def fixed_batches(recipe: Recipe, train: Split, batches: int, size: int) -> list[tuple[Tensor, Tensor]]:
    """Return the first images as normalised batches of ``size``, not augmented, with their labels.

    Raises RecipeError where there are too few images, or a batch cannot be split into the parts of ghost norm.
    """
    check_batches(recipe, len(train), batches, size)
    normalize = Normalizer(recipe.data.mean, recipe.data.std, train.pixels.device)
    parts = [slice(start, start + size) for start in range(0, batches * size, size)]
    return [(normalize(train.pixels[part]), train.labels[part]) for part in parts]


def check_batches(recipe: Recipe, images: int, batches: int, size: int) -> None:
    """Raise RecipeError where ``images`` are too few for the batches, or ghost norm cannot split one."""
    if batches * size > images:
        what, got = "there are too few training images for the batches", f"{batches} batches of {size:,}"
        hint = "ask for fewer with --batches and --batch-size"
        raise RecipeError(Problem(what, key="--batches", got=got, allowed=f"up to {images:,} images", hint=hint))
    splits = recipe.model.norm.splits
    if size % splits or size == splits:
        what = "a batch cannot be split into the parts that are normalised each by itself"
        raise RecipeError(Problem(what, key="--batch-size", got=str(size), allowed=f"2 or more times {splits}"))
