"""A training recipe: every value of a training run, typed, read from a YAML file.

A file leaves none out but those that its update rule does not read, those that change nothing in what is trained, and
those that take away what the networks of the series all have (``model.norm.kind``).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import Field

from hpsearch import typed_yaml
from hpsearch.errors import Problem, RecipeError, listed, nearest
from hpsearch.typed_yaml import Document, Typed, wrong
from trainer.blocks import (
    Augment,
    Average,
    Count,
    Data,
    Evidence,
    Expect,
    Model,
    Optimizer,
    Precision,
    Share,
    Stop,
    Trace,
    Views,
)
from trainer.schedules import Schedules

BatchSize = Annotated[int, Field(ge=2)]  # batch norm has no variance of one image to divide by

FOLDER = Path(__file__).parent / "recipes"


class Recipe(Typed):
    """Every value of a training run."""

    about: str
    post: str | None
    """Its row in the series ("4 backbone", "8.3"), if it has one."""
    data: Data
    model: Model
    epochs: Count
    batch_size: BatchSize
    drop_last: bool
    """Whether the last batch of an epoch is left out when it is not full."""
    schedule: Schedules
    optimizer: Optimizer
    label_smoothing: Share
    """Share of the loss that is the mean of -log p over all classes."""
    augment: Augment
    average: Average | None
    test_time: Views
    """Whether a test image is judged as it is, or by the mean logits of it and its mirror image (flip), or of these
    and their copies shifted by a pixel (crops)."""
    precision: Precision
    """What the network computes in where the device can; parameters and batch norm stay fp32, except for fp16_whole."""
    stop: Stop
    trace: Trace | None = None
    """What is recorded of the weights; a file that says nothing records nothing."""
    expect: Expect
    evidence: Annotated[tuple[Evidence, ...], Field(strict=False)]

    def model_post_init(self, _: Any) -> None:
        """Refuse a schedule that goes on after the last epoch, and parts of a batch that are not equal."""
        end = self.schedule.lr.epochs[-1]
        if end > self.epochs * (1 + 1e-9):
            raise wrong("the learning rate's last knot lies after the last epoch", "epochs", got=self.epochs)
        self._check_splits()
        self._check_muon()
        self._check_rule()

    def _check_muon(self) -> None:
        """Refuse Muon where a length of the filters would matter."""
        without = "no norm" if self.model.norm.kind == "none" else f"a {self.model.name}"
        if self.optimizer.muon and (self.model.name != "resnet9" or self.model.norm.kind == "none"):
            what, allowed = "muon rescales filters, which is free only where a norm follows each", "null, or a resnet9"
            raise wrong(what, "optimizer", "muon", got=without, allowed=f"{allowed} with norm")

    def _check_rule(self) -> None:
        """Refuse Adam where fp16 cannot hold its squared gradients, and LARS as the equivalent of no decay."""
        rule, decay = self.optimizer, self.schedule.weight_decay.peak
        if rule.name in ("adam", "adamw") and self.precision == "fp16_whole":
            what, allowed = f"fp16 cannot hold the squared gradients of {rule.name}", "fp32, bf16 or fp16"
            raise wrong(what, "precision", got=self.precision, allowed=allowed)
        if rule.name == "lars" and rule.trust is None and decay == 0:
            what = "lars without trust is the equivalent of a weight decay, and the schedule has none"
            raise wrong(what, "optimizer", "trust", allowed="a positive number, or a weight decay above 0")

    def _check_splits(self) -> None:
        splits, at = self.model.norm.splits, ("model", "norm", "splits")
        if splits == 1:
            return
        if self.batch_size % splits or self.batch_size == splits:
            allowed = f"a divisor of {self.batch_size} (batch_size) that leaves at least 2 images in each part"
            raise wrong("a batch cannot be split into so many equal parts", *at, got=splits, allowed=allowed)
        if not self.drop_last:
            hint = "set drop_last: true"
            raise wrong("a last batch that is not full cannot be split like the others", *at, got=splits, hint=hint)

    def at_length(self, epochs: int) -> Self:
        """Return the same recipe with its whole schedule, and the memory of its average, brought to ``epochs``."""
        factor = epochs / self.epochs
        average = self.average and self.average.model_copy(update={"momentum": self.average.momentum ** (1 / factor)})
        update = {"epochs": epochs, "schedule": self.schedule.stretched(factor), "average": average}
        return self.model_copy(update=update)

    def to_yaml(self) -> str:
        """Return the text of a recipe file with these values."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, width=120)


def names() -> list[str]:
    """Return the names of the recipes that come with the package."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


def load(source: str | Path | Mapping[str, Any]) -> Recipe:
    """Read a recipe: the name of one that comes with the package, a file, or the values themselves as in a file.

    Raises RecipeError when there is none, or when a value in it is missing, unknown or out of range.
    """
    if isinstance(source, Mapping):
        return typed_yaml.parse(Recipe, Document(dict(source)), RecipeError, at=("recipe",))
    text = str(source)
    file = FOLDER / f"{text}.yaml" if text in names() else Path(text)
    if not file.is_file():
        allowed = f"{listed(names())}, or the path of a file"
        raise RecipeError(
            Problem("there is no such recipe", key="recipe", got=text, allowed=allowed, hint=nearest(text, names()))
        )
    return typed_yaml.parse(Recipe, typed_yaml.load(file, RecipeError), RecipeError)
