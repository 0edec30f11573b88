"""The training algorithm: one report per epoch."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from hpsearch.errors import Problem, RecipeError
from hpsearch.seeds import derived_seed, stream
from trainer import augment, losses, models, trace_checks
from trainer.augment_by_offset import crop_and_flip_epoch
from trainer.average import WeightAverage
from trainer.batches import Normalizer, Shape, Split, batch_slices, shuffled
from trainer.blocks import Augment, Precision
from trainer.dynamics import Tracer
from trainer.early_stop import Progress, diverged, reason_to_stop
from trainer.evaluate import NO_SCORE, Score, evaluate
from trainer.invariance import scale_invariant
from trainer.models import whitening
from trainer.optim.update import Update
from trainer.precision import (
    as_input,
    autocast,
    choose,
    describe_device,
    loss_scale,
    supported,
    to_precision,
)
from trainer.recipe import Recipe

DIVERGED = "diverged: the loss is not finite or out of bounds"

INVARIANCE_IMAGES = 32
"""Images that tell which tensors are scale invariant."""

Images = Callable[[slice], Tensor]
"""Positions in an epoch -> the normalised images of a batch, (b, channels, h, w)."""

CHECK_EVERY = 50
"""Steps between two looks at the loss on a CPU. On a GPU a look would wait for the device; there an epoch is short."""


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
    update: Update
    tracer: Tracer | None
    average: WeightAverage | None
    progress: Progress
    reports: list[dict[str, Any]] = field(default_factory=list)

    @property
    def judged(self) -> nn.Module:
        """The network that the run is judged by: the average where the recipe keeps one."""
        return self.average.network if self.average else self.network


def start(recipe: Recipe, seed: int, device: torch.device, train: Split, classes: int) -> Run:
    """Return a run before its first epoch, for the images of ``train``, of which whitening filters are made.

    Raises RecipeError when the recipe does not fit the images.
    """
    check_fit(recipe, train.shape)
    check_images(recipe, len(train))
    precision, note = choose(recipe.precision, supported(device), describe_device(device))
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derived_seed(seed, "init"))
        network = models.build(recipe.model, train.shape, classes)
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    _fit_whitening(network, recipe, train)
    invariant = _scale_invariant(network, recipe, train)
    _scale(network, invariant, recipe.model.weight_scale)
    to_precision(network, precision)
    update = Update(network, recipe, invariant)
    tracer = Tracer(network, update, recipe.trace, invariant) if recipe.trace else None
    kept = recipe.average
    average = WeightAverage(network, kept.every, kept.momentum) if kept else None
    return Run(recipe, seed, device, precision, note, network, update, tracer, average, Progress())


def _fit_whitening(network: nn.Module, recipe: Recipe, train: Split) -> None:
    """Make the fixed filters of the first training images, where the recipe has such filters."""
    spec = recipe.model.whitening
    if spec is None:
        return
    normalize = Normalizer(recipe.data.mean, recipe.data.std, train.pixels.device)
    for layer in network.modules():
        if isinstance(layer, whitening.Whitening):
            layer.fit(normalize(train.pixels[: spec.images]))


def _scale_invariant(network: nn.Module, recipe: Recipe, train: Split) -> frozenset[str]:
    """Return the names of the scale-invariant parameters, where the recipe makes use of them."""
    if recipe.trace is None and recipe.optimizer.name != "lars" and recipe.model.weight_scale == 1:
        return frozenset()
    splits = recipe.model.norm.splits
    images = slice(min(len(train), splits * math.ceil(INVARIANCE_IMAGES / splits)) // splits * splits)
    normalize = Normalizer(recipe.data.mean, recipe.data.std, train.pixels.device)
    return scale_invariant(network, normalize(train.pixels[images]), train.labels[images])


@torch.no_grad()
def _scale(network: nn.Module, names: frozenset[str], factor: float) -> None:
    """Multiply the parameters of these names."""
    if factor != 1:
        for name, parameter in network.named_parameters():
            if name in names:
                parameter.mul_(factor)


def check_fit(recipe: Recipe, shape: Shape) -> None:
    """Raise RecipeError when images of ``shape`` are not what the recipe is made for."""
    if len(recipe.data.mean) != shape.channels:
        what = "the recipe normalises another number of channels than the images have"
        got = f"{len(recipe.data.mean)} values"
        allowed, hint = f"{shape.channels} values", "take a recipe that is made for these images"
        raise RecipeError(Problem(what, key="data.mean", got=got, allowed=allowed, hint=hint))
    models.check(recipe.model, shape)
    augment.check(recipe.augment, shape)
    trace_checks.check_layers(recipe, shape)


def check_images(recipe: Recipe, images: int) -> None:
    """Raise RecipeError when the ``images`` there are to train on are too few for a batch or a trick."""
    if recipe.batch_size > images:
        what, got = "a batch is larger than the training set", str(recipe.batch_size)
        raise RecipeError(Problem(what, key="batch_size", got=got, allowed=f"2 to {images}"))
    if recipe.model.whitening:
        whitening.check(recipe.model.whitening, images)
    if recipe.average:
        _check_average(recipe, recipe.average.every, images)


def _check_average(recipe: Recipe, every: int, images: int) -> None:
    steps = recipe.epochs * len(batch_slices(images, recipe.batch_size, recipe.drop_last))
    if every > steps:
        what = "the average would never be updated: the run ends before"
        raise RecipeError(Problem(what, key="average.every", got=str(every), allowed=f"1 to {steps} steps"))


def fit(run: Run, train: Split, val: Split | None = None, test: Split | None = None) -> Iterator[dict[str, Any]]:
    """Train ``run`` to its end and yield a report after each epoch (see ``hpsearch.contract``).

    A report has ``epoch``, its ``seconds``, ``train_loss``, ``train_accuracy``, ``learning_rate`` (of the epoch's last
    step) and ``images_per_second`` of training; ``val_loss`` and ``val_accuracy`` where there is ``val``, NaN in a run
    that diverged; ``test_accuracy`` where there is ``test``, only in the last report of a run that did not; and
    ``tables`` with the one of ``dynamics`` where the recipe traces.

    Raises RecipeError when the batches are larger than the training set.
    """
    recipe, progress = run.recipe, run.progress
    normalize = Normalizer(recipe.data.mean, recipe.data.std, run.device)
    check_images(recipe, len(train))
    batches = batch_slices(len(train), recipe.batch_size, recipe.drop_last)
    while progress.epoch < recipe.epochs:
        began = time.perf_counter()
        report = _train_epoch(run, train, batches, normalize)
        lost = diverged(report["train_loss"], recipe.stop.loss_bound)
        score = _judge(run, val, normalize) if val and not lost else NO_SCORE
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
            report["test_accuracy"] = _judge(run, test, normalize).accuracy
        report["seconds"] = time.perf_counter() - began
        run.reports.append(report)
        yield report
        if ended:
            return


def _judge(run: Run, split: Split, normalize: Normalizer) -> Score:
    return evaluate(run.judged, split, normalize, run.precision, run.recipe.test_time)


def _labels(run: Run) -> dict[str, str]:
    """Return where and how the run computes."""
    return {"device": describe_device(run.device)} | ({"note": run.note} if run.note else {})


def _train_epoch(run: Run, train: Split, batches: list[slice], normalize: Normalizer) -> dict[str, Any]:
    """Take one step per batch, or fewer if the loss explodes, and return what was measured on the way."""
    recipe, epoch = run.recipe, run.progress.epoch
    order = shuffled(len(train), stream(run.seed, "order", epoch), run.device)
    choices = augment.draw(recipe.augment, order, train.shape, run.seed, epoch, run.device)
    totals = torch.zeros(2, device=run.device)  # loss and correct images, summed where they are: reading them waits
    if run.tracer:
        run.tracer.begin(epoch * len(batches))
    began = time.perf_counter()
    images = augmented(train, recipe.augment, order, choices, normalize)
    for step, batch in enumerate(batches, start=1):
        totals += train_step(run, images(batch), train.labels[order[batch]], epoch + step / len(batches))
        look = run.device.type == "cpu" and step % CHECK_EVERY == 0
        if look and diverged(totals[0].item() / batch.stop, recipe.stop.loss_bound):
            break
    loss, correct = totals.tolist()
    traced = run.tracer.columns(batches) if run.tracer else {}
    report = {
        "train_loss": loss / batch.stop,
        "train_accuracy": correct / batch.stop,
        "learning_rate": recipe.schedule.lr.at(epoch + step / len(batches)),
        "images_per_second": batch.stop / (time.perf_counter() - began),
    }
    return report | ({"tables": {"dynamics": traced}} if traced else {})


def augmented(train: Split, spec: Augment, order: Tensor, choices: augment.Choices, normalize: Normalizer) -> Images:
    """Return what gives a batch of an epoch, augmented and normalised, by its positions in ``order`` (n,).

    ``choices`` are those of the whole epoch; on a GPU all crops are made here.
    """
    crops = crop_and_flip_epoch(train.pixels, order, choices) if train.pixels.device.type == "cuda" else None

    def images(batch: slice) -> Tensor:
        here = choices[batch]
        inputs = normalize(augment.crop_and_flip(train.pixels, order[batch], here) if crops is None else crops[batch])
        return augment.cutout_(inputs, spec.cutout, here)

    return images


def train_step(run: Run, inputs: Tensor, labels: Tensor, position: float) -> Tensor:
    """Take one step at ``position`` in epochs; return the summed loss and the number of correct images, shape (2,)."""
    scale = loss_scale(run.precision, run.recipe.batch_size)
    run.update.before(position)
    with autocast(run.device, run.precision):
        logits = run.network(as_input(inputs, run.precision))
    loss = losses.cross_entropy(logits.float(), labels, run.recipe.label_smoothing)
    (loss * scale).backward()  # type: ignore[no-untyped-call]
    (run.tracer or run.update).step(position, scale)
    if run.average:
        run.average.update()
    return torch.stack([loss.detach() * len(labels), (logits.argmax(1) == labels).sum()])
