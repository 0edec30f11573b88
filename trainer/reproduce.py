"""A recipe as its source ran it: trained on all the training images, tested once, timed by the rule of DAWNBench.

The clock runs over the preparation (packing the images, bringing them to the device, making the network and its
whitening filters) and the training, not over reading the files or the test.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch

from hpsearch.contract import Report
from trainer.batches import Normalizer, Shape, batch_slices, to_device
from trainer.blocks import Precision
from trainer.data import Dataset, Source
from trainer.evaluate import Score, evaluate
from trainer.flops import petaflop
from trainer.loop import Run, check_fit, check_images, fit, start
from trainer.peak import measure
from trainer.precision import choose, describe_device, supported
from trainer.recipe import Recipe

SERIES_WIDTH = 64
"""Channels of the first convolution in the series."""

_SAID_OF_IT = {"about", "post", "trace", "expect", "evidence"}


@dataclass(frozen=True)
class Outcome:
    """What one run came to.

    ``accuracy``, ``test_loss``  on the test set (share of images, nats); None where the run diverged
    ``epochs``  that were trained
    ``seconds``, ``cpu_seconds``  of preparation and training: wall time, and processor time of all threads, which
                                  other work on the machine hardly changes
    ``eval_seconds``  wall time of the test
    ``images``  in the training set
    ``images_trained``  in all epochs that were trained, without those of a last batch that is dropped
    ``petaflop``  arithmetic of the epochs that were trained (``flops``)
    ``precision``, ``note``  the number format, and a remark where it is not the recipe's
    """

    accuracy: float | None
    test_loss: float | None
    epochs: int
    seconds: float
    cpu_seconds: float
    eval_seconds: float
    images: int
    images_trained: int
    petaflop: float
    precision: Precision
    note: str | None

    @property
    def images_per_second(self) -> float:
        """Images trained on over the time of preparation and training."""
        return self.images_trained / self.seconds

    @property
    def flops_per_second(self) -> float:
        """Arithmetic over the time of preparation and training."""
        return self.petaflop * 1e15 / self.seconds


def scaled(recipe: Recipe, width: int | None = None, epochs: int | None = None) -> Recipe:
    """Return a smaller edition of ``recipe``; None leaves it as it is.

    The network becomes narrower as ``width`` is to the 64 channels of the series, and the whole schedule is brought to
    ``epochs``.
    """
    if width is not None:
        channels = max(1, round(recipe.model.width * width / SERIES_WIDTH))
        recipe = recipe.model_copy(update={"model": recipe.model.model_copy(update={"width": channels})})
    return recipe if epochs is None else recipe.at_length(epochs)


def training_values(recipe: Recipe) -> str:
    """Return the values of ``recipe`` by which a run goes, all but what is said about it, as JSON with sorted keys.

    Without those that a recipe file may leave out, where they are what it means then: runs of before there were such
    keys stay runs of the same recipe.
    """
    return json.dumps(recipe.model_dump(mode="json", exclude=_SAID_OF_IT, exclude_defaults=True), sort_keys=True)


def ceiling(recipe: Recipe, device: torch.device) -> float:
    """Return the highest speed of ``device``, in FLOP per second, in the format that ``recipe`` computes in there.

    It is measured once per process and takes seconds then, which also wakes the device up.
    """
    precision, _ = choose(recipe.precision, supported(device), describe_device(device))
    return measure(device, precision).flops_per_second


def check(recipe: Recipe, source: Source) -> None:
    """Raise RecipeError when ``recipe`` cannot be trained on all the training images of ``source``."""
    check_fit(recipe, Shape(*source.shape))
    check_images(recipe, source.train_images)


def reproduce(
    recipe: Recipe, dataset: Dataset, seed: int, device: torch.device, watch: Callable[[Report], None]
) -> Outcome:
    """Run ``recipe`` once and test it at the end; ``watch`` is called with the report of every epoch (``loop.fit``)."""
    training, testing = Stopwatch(device), Stopwatch(device)
    report: Report = {}
    with training:
        train = to_device(dataset.train_images, dataset.train_labels, device)
        run = start(_untraced(recipe), seed, device, train, len(dataset.classes))
        for report in fit(run, train):
            watch(report)
    with testing:
        score = None if report.get("diverged") else _test(run, dataset)
    epochs = run.progress.epoch
    return Outcome(
        accuracy=score.accuracy if score else None,
        test_loss=score.loss if score else None,
        epochs=epochs,
        seconds=training.seconds,
        cpu_seconds=training.cpu_seconds,
        eval_seconds=testing.seconds,
        images=len(train),
        images_trained=batch_slices(len(train), recipe.batch_size, recipe.drop_last)[-1].stop * epochs,
        petaflop=petaflop(recipe, train.shape, len(dataset.classes), len(train)) * epochs / recipe.epochs,
        precision=run.precision,
        note=run.note,
    )


def _untraced(recipe: Recipe) -> Recipe:
    """Return ``recipe`` without its trace: nobody keeps what it records here, and it takes time that is measured."""
    return recipe.model_copy(update={"trace": None})


def _test(run: Run, dataset: Dataset) -> Score | None:
    """Return the score on the test set, or None where the network computes no numbers any more."""
    recipe = run.recipe
    test = to_device(dataset.test_images, dataset.test_labels, run.device)
    normalize = Normalizer(recipe.data.mean, recipe.data.std, run.device)
    score = evaluate(run.judged, test, normalize, run.precision, recipe.test_time)
    return score if math.isfinite(score.loss) else None


class Stopwatch:
    """Measures the time inside its ``with`` block, all work of the device included."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds = 0.0
        self.cpu_seconds = 0.0

    def __enter__(self) -> Self:
        self._wait()
        self._began, self._cpu_began = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self._wait()
        self.seconds = time.perf_counter() - self._began
        self.cpu_seconds = time.process_time() - self._cpu_began

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
