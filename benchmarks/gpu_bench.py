"""What the parts of the GPU check share: the device, the images, the time that is left, and what counts as failed."""

import statistics
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from trainer import recipe
from trainer.batches import Normalizer, Split, to_device
from trainer.data import Dataset
from trainer.overrides import with_overrides
from trainer.recipe import Recipe

RECIPES = ("post4_resnet9", "post8_09_flip_test", "speed")
TINY = {"train": 256, "test": 128, "width": 4, "batch_size": 64, "epochs": 2}
"""Sizes of ``--tiny``: it shows that everything runs, and its figures mean nothing."""

Result = dict[str, Any]


@dataclass
class Bench:
    """Where the check takes place.

    ``end``    reading of ``time.perf_counter`` at which the whole check should end
    ``until``  the same for the part that is running
    ``left_out``  what the part that is running had no time or no device for, in words
    """

    dataset: Dataset
    device: torch.device
    tiny: bool
    end: float
    until: float = 0.0
    left_out: list[str] = field(default_factory=list)

    def begin(self, share: float) -> None:
        """Give the next part its ``share`` of the time that is left."""
        now = time.perf_counter()
        self.until = now + share * max(0.0, self.end - now)
        self.left_out = []

    def has(self, seconds: float = 0.0) -> bool:
        """Tell whether the part still has so many seconds."""
        return time.perf_counter() + seconds < self.until

    def skip(self, what: str) -> None:
        """Note, and say, that something is left out."""
        self.left_out.append(what)
        say(f"  left out: {what}")

    def recipe(self, name: str, width: int | None = None, images: int | None = None, **changes: Any) -> Recipe:
        """Return a recipe of the series with ``changes``.

        ``width``  channels of the first convolution, in place of the recipe's
        ``images``  that there are to make whitening filters of; None = all training images
        """
        chosen = recipe.load(name)
        if self.tiny:
            width = TINY["width"]
            changes = {"epochs": TINY["epochs"], **changes, "batch_size": TINY["batch_size"]}
            changes |= {"average.every": 1} if chosen.average else {}
        if width is not None:
            changes["model.width"] = width
        if chosen.model.whitening:
            there = len(self.dataset.train_images) if images is None else images
            changes["model.whitening.images"] = min(chosen.model.whitening.images, there)
        return with_overrides(chosen, changes)

    def split(self, images: int | None = None) -> Split:
        """Bring the first training images to the device; None = all of them."""
        return to_device(self.dataset.train_images[:images], self.dataset.train_labels[:images], self.device)

    def batch(self, chosen: Recipe, train: Split, number: int = 0) -> tuple[Tensor, Tensor]:
        """Return inputs (b, c, h, w) and labels (b,) of a batch of ``train`` in its order, over again after its end."""
        size = chosen.batch_size
        first = number % (len(train) // size) * size
        normalize = Normalizer(chosen.data.mean, chosen.data.std, self.device)
        return normalize(train.pixels[first : first + size]), train.labels[first : first + size]

    def wait(self) -> None:
        """Wait for what the device is doing."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def seconds(self, work: Callable[[], object]) -> float:
        """Return the wall time of ``work()``, the device's included."""
        self.wait()
        began = time.perf_counter()
        work()
        self.wait()
        return time.perf_counter() - began


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def attempt(work: Callable[[], Result]) -> Result:
    """Return what ``work`` does, or its error: whatever that is, the other figures are worth having."""
    try:
        return work()
    except Exception as error:
        say(f"  failed: {type(error).__name__}: {error}")
        return {"error": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}


def good(result: Any) -> bool:
    """Tell whether nothing in ``result`` failed, and whatever it checks is ``ok``."""
    if not isinstance(result, dict):
        return True
    return "error" not in result and result.get("ok", True) and all(map(good, result.values()))


def summary(values: Sequence[float]) -> dict[str, float | None]:
    """Return mean, standard deviation of one value (n - 1 in the denominator; None for one) and median."""
    return {
        "mean": statistics.fmean(values),
        "std": statistics.stdev(values) if len(values) > 1 else None,
        "median": statistics.median(values),
    }
