"""The replays of ``hpsearch study forgetting``: a training for each part, then its frozen network on past batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch.nn.functional as F

from hpsearch.analysis.weight_decay import memory_steps
from hpsearch.cli.study_session import Part
from hpsearch.cli.study_subject import Subject
from hpsearch.store.diagnostics import Row, Rows
from trainer.batches import Normalizer, Split, batch_slices
from trainer.diagnostics.replay import Batch, freeze, halved, held, past_batches, replay
from trainer.evaluate import evaluate
from trainer.loop import Run, fit, start
from trainer.precision import autocast
from trainer.recipe import Recipe

FULL, HALF = "full", "half"


@dataclass(frozen=True)
class Training:
    """One training: the ``recipe`` as it is run, ``factor`` times the peak of its learning rate on ``data``."""

    factor: float
    data: str
    seed: int
    recipe: Recipe

    @property
    def key(self) -> Row:
        """What tells it from the others, as the tables have it."""
        return {"factor": self.factor, "data": self.data, "seed": self.seed}

    @property
    def last_epoch(self) -> int:
        """The number of its last epoch, from 0."""
        return self.recipe.epochs - 1


def parts(subject: Subject, factors: Sequence[float], until: int) -> list[Part]:
    """Return a part for each training; on half of the images it goes through them twice as often."""
    return [
        Part(
            f"x{factor:g}-{data}-seed{seed}",
            f"{factor:g} times the peak learning rate, {data} data, seed {seed}",
            partial(_compute, subject, Training(factor, data, seed, _recipe(subject, factor, data, until))),
        )
        for factor in factors
        for data in (FULL, HALF)
        for seed in subject.seeds
    ]


def _recipe(subject: Subject, factor: float, data: str, until: int) -> Recipe:
    chosen = held(subject.recipe, factor, until)
    return chosen if data == FULL else chosen.at_length(2 * until)


def _compute(subject: Subject, training: Training) -> Rows:
    """Train, freeze, and replay the last epoch of this run, and of the others as a control."""
    whole = subject.images["train"]
    train = whole if training.data == FULL else halved(whole)
    run = start(training.recipe, training.seed, subject.device, train, subject.classes)
    *_, report = fit(run, train)
    diverged = bool(report.get("diverged"))
    about = {**_about(training, train), "train_loss": report["train_loss"], "diverged": diverged}
    if diverged:
        return {"forgetting_runs": [about], "replays": []}
    with autocast(subject.device, run.precision):
        freeze(run.network, _batches(training, run, training.seed, train))
        replays = [row for seed in subject.seeds for row in _replays(training, run, seed, train)]
    return {"forgetting_runs": [{**about, **_held_out(training, run, subject.images["val"])}], "replays": replays}


def _batches(training: Training, run: Run, seed: int, split: Split) -> Iterator[Batch]:
    return past_batches(training.recipe, seed, training.last_epoch, split, run.precision)


def _replays(training: Training, run: Run, seed: int, train: Split) -> Iterator[Row]:
    """Give the loss on each batch of the last epoch of the run with this seed, the oldest first."""
    slices = batch_slices(len(train), training.recipe.batch_size, training.recipe.drop_last)
    losses = replay(run.network, F.cross_entropy, _batches(training, run, seed, train))
    for position, (batch, loss) in enumerate(zip(slices, losses, strict=True), start=1):
        of_batch = {"age": len(slices) - position, "images": batch.stop - batch.start, "loss": loss}
        yield {**training.key, "order_seed": seed, **of_batch}


def _held_out(training: Training, run: Run, val: Split) -> Row:
    """Return what the frozen network makes of images that it never saw, augmented as in training and as they are."""
    recipe = training.recipe.model_copy(update={"drop_last": False})
    batches = past_batches(recipe, training.seed, recipe.epochs, val, run.precision)
    sizes = [batch.stop - batch.start for batch in batch_slices(len(val), recipe.batch_size, False)]
    with autocast(run.device, run.precision):
        losses = replay(run.network, F.cross_entropy, batches)
    normalize = Normalizer(recipe.data.mean, recipe.data.std, run.device)
    score = evaluate(run.network, val, normalize, run.precision, recipe.test_time)
    unseen = sum(loss * size for loss, size in zip(losses, sizes, strict=True)) / sum(sizes)
    return {"unseen_loss": unseen, "val_loss": score.loss, "val_accuracy": score.accuracy}


def _about(training: Training, train: Split) -> Row:
    recipe, end = training.recipe, training.recipe.epochs
    rule, lr = recipe.optimizer, recipe.schedule.lr.peak
    decay, momentum = recipe.schedule.weight_decay.at(end), recipe.schedule.momentum.at(end)
    steps = len(batch_slices(len(train), recipe.batch_size, recipe.drop_last))
    nothing_known = rule.muon is not None
    return {
        **training.key,
        "lr": lr,
        "weight_decay": decay,
        "momentum": momentum,
        "nesterov": rule.name.endswith("_nesterov"),
        "batch_size": recipe.batch_size,
        "images": len(train),
        "steps": steps * end,
        "steps_per_epoch": steps,
        "memory_steps": float("nan") if nothing_known else float(memory_steps(rule.name, lr, decay, momentum)),
    }
