"""The training algorithm: one report per epoch."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hpsearch.errors import Problem, RecipeError
from hpsearch.seeds import derived_seed, stream
from trainer import augment, models
from trainer.batches import Normalizer, Shape, Split, batch_slices, shuffled
from trainer.early_stop import Progress, diverged, reason_to_stop
from trainer.evaluate import NO_SCORE, evaluate
from trainer.optim import NesterovSGD
from trainer.precision import autocast, choose, describe_device, supported
from trainer.recipe import Precision, Recipe

DIVERGED = "diverged: the loss is not finite or out of bounds"

CHECK_EVERY = 50
"""Steps between two looks at the loss, each of which waits for the device."""


@dataclass
class Run:
    """Everything that a training run changes, and what it is made from.

    Random numbers are drawn from streams that are named by the seed, the purpose and the epoch (``hpsearch.seeds``), so
    ``progress`` is also the state of every random stream.
    """

    recipe: Recipe
    seed: int
    device: torch.device
    precision: Precision
    note: str | None
    network: nn.Module
    optimizer: NesterovSGD
    progress: Progress
    reports: list[dict[str, Any]] = field(default_factory=list)


def start(recipe: Recipe, seed: int, device: torch.device, shape: Shape, classes: int) -> Run:
    """Return a run before its first epoch, for images of ``shape``.

    Raises RecipeError when the recipe does not fit the images.
    """
    check_fit(recipe, shape)
    precision, note = choose(recipe.precision, supported(device), describe_device(device))
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derived_seed(seed, "init"))
        network = models.build(recipe.model, shape, classes)
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = NesterovSGD(network.parameters(), recipe.optimizer.velocity)
    return Run(recipe, seed, device, precision, note, network, optimizer, Progress())


def check_fit(recipe: Recipe, shape: Shape) -> None:
    """Raise RecipeError when images of ``shape`` are not what the recipe is made for."""
    if len(recipe.data.mean) != shape.channels:
        what = "the recipe normalises another number of channels than the images have"
        got = f"{len(recipe.data.mean)} values"
        allowed, hint = f"{shape.channels} values", "take a recipe that is made for these images"
        raise RecipeError(Problem(what, key="data.mean", got=got, allowed=allowed, hint=hint))
    augment.check(recipe.augment, shape)


def check_batch_size(recipe: Recipe, images: int) -> None:
    """Raise RecipeError when a batch is larger than the ``images`` there are to train on."""
    if recipe.batch_size > images:
        what, got = "a batch is larger than the training set", str(recipe.batch_size)
        raise RecipeError(Problem(what, key="batch_size", got=got, allowed=f"2 to {images}"))


def fit(run: Run, train: Split, val: Split | None = None, test: Split | None = None) -> Iterator[dict[str, Any]]:
    """Train ``run`` to its end and yield a report after each epoch (see ``hpsearch.contract``).

    A report has ``epoch``, its ``seconds``, ``train_loss``, ``train_accuracy``, ``learning_rate`` (of the epoch's last
    step) and ``images_per_second`` of training; ``val_loss`` and ``val_accuracy`` where there is ``val``, NaN in a run
    that diverged; and ``test_accuracy`` where there is ``test``, only in the last report of a run that did not.

    Raises RecipeError when the batches are larger than the training set.
    """
    recipe, progress = run.recipe, run.progress
    normalize = Normalizer(recipe.data.mean, recipe.data.std, run.device)
    check_batch_size(recipe, len(train))
    batches = batch_slices(len(train), recipe.batch_size, recipe.drop_last)
    while progress.epoch < recipe.epochs:
        began = time.perf_counter()
        report = _train_epoch(run, train, batches, normalize)
        lost = diverged(report["train_loss"], recipe.stop.loss_bound)
        score = evaluate(run.network, val, normalize, run.precision) if val and not lost else NO_SCORE
        if val:
            report |= {"val_loss": score.loss, "val_accuracy": score.accuracy}
            lost = lost or not math.isfinite(score.loss)
        progress.record(score, time.perf_counter() - began)
        report |= {"epoch": progress.epoch, **_labels(run)}
        reason = DIVERGED if lost else reason_to_stop(recipe.stop, progress, score)
        if reason:
            report |= {"stop_reason": reason, "diverged": lost}
        ended = reason is not None or progress.epoch == recipe.epochs
        if test and ended and not lost:
            report["test_accuracy"] = evaluate(run.network, test, normalize, run.precision).accuracy
        report["seconds"] = time.perf_counter() - began
        run.reports.append(report)
        yield report
        if ended:
            return


def _labels(run: Run) -> dict[str, str]:
    """Return where and how the run computes."""
    return {"device": describe_device(run.device)} | ({"note": run.note} if run.note else {})


def _train_epoch(run: Run, train: Split, batches: list[slice], normalize: Normalizer) -> dict[str, Any]:
    """Take one step per batch, or fewer if the loss explodes, and return what was measured on the way."""
    recipe, epoch = run.recipe, run.progress.epoch
    order = shuffled(len(train), stream(run.seed, "order", epoch), run.device)
    choices = augment.draw(recipe.augment, len(train), train.shape, stream(run.seed, "augment", epoch), run.device)
    totals = torch.zeros(2, device=run.device)  # loss and correct images, summed where they are: reading them waits
    began = time.perf_counter()
    for step, batch in enumerate(batches, start=1):
        inputs = normalize(augment.crop_and_flip(train.pixels, order[batch], choices[batch]))
        augment.cutout_(inputs, recipe.augment.cutout, choices[batch])
        totals += train_step(run, inputs, train.labels[order[batch]], epoch + step / len(batches))
        if step % CHECK_EVERY == 0 and diverged(totals[0].item() / batch.stop, recipe.stop.loss_bound):
            break
    loss, correct = totals.tolist()
    return {
        "train_loss": loss / batch.stop,
        "train_accuracy": correct / batch.stop,
        "learning_rate": recipe.schedule.lr.at(epoch + step / len(batches)),
        "images_per_second": batch.stop / (time.perf_counter() - began),
    }


def train_step(run: Run, inputs: Tensor, labels: Tensor, position: float) -> Tensor:
    """Take one step at ``position`` in epochs; return the summed loss and the number of correct images, shape (2,)."""
    schedule = run.recipe.schedule
    loss_scale = len(labels) if run.precision == "fp16" else 1
    with autocast(run.device, run.precision):
        logits = run.network(inputs)
    loss = F.cross_entropy(logits.float(), labels)
    run.optimizer.zero_grad()
    (loss * loss_scale).backward()  # type: ignore[no-untyped-call]
    lr, weight_decay, momentum = (s.at(position) for s in (schedule.lr, schedule.weight_decay, schedule.momentum))
    run.optimizer.step(lr, weight_decay, momentum, loss_scale)
    return torch.stack([loss.detach() * len(labels), (logits.argmax(1) == labels).sum()])
