"""A training recipe: every value of a training run, typed, read from a YAML file in which none is left out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field

from hpsearch import typed_yaml
from hpsearch.errors import Problem, RecipeError, listed, nearest
from hpsearch.typed_yaml import Document, Typed, wrong
from trainer.schedules import Schedules

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
BatchSize = Annotated[int, Field(ge=2)]  # batch norm has no variance of one image to divide by
Size = Annotated[int, Field(ge=0)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
_PER_CHANNEL = Field(strict=False, min_length=1, max_length=4)
Precision = Literal["fp32", "bf16", "fp16"]

FOLDER = Path(__file__).parent / "recipes"


class Data(Typed):
    """Which images, and how they are normalised."""

    name: str
    """Name of a data set (``trainer.data.NAMES``)."""
    held_out: Count
    """Training images held out to judge a setting by."""
    train_images: Count | None
    """How many of the others to train on; null = all."""
    mean: Annotated[tuple[Finite, ...], _PER_CHANNEL]
    """Mean pixel of each channel, on 0 to 255."""
    std: Annotated[tuple[Positive, ...], _PER_CHANNEL]
    """Standard deviation of each channel, on 0 to 255."""

    def model_post_init(self, _: Any) -> None:
        """Refuse a mean and a deviation for different numbers of channels."""
        if len(self.mean) != len(self.std):
            raise wrong("mean and std need one value for each channel", "std", got=list(self.std))


class Model(Typed):
    """The network."""

    name: Literal["resnet9"]
    width: Count
    """Channels after the first convolution; the later layers are multiples of it."""
    logit_scale: Positive
    """Factor on the last layer's output."""


class Optimizer(Typed):
    """The update rule; its learning rate, weight decay and momentum are schedules."""

    name: Literal["sgd_nesterov"]
    velocity: Literal["torch", "scaled"]
    """Whether the velocity sums gradients (torch) or steps, which hold the learning rate of their time (scaled)."""


class Augment(Typed):
    """Random changes to the training images; 0 and false turn one off."""

    crop_padding: Size
    """Pixels of reflected border from which a crop of the original size is taken."""
    flip: bool
    """Mirror half of the images."""
    cutout: Size
    """Side in pixels of a square inside the image that is set to the mean colour."""


class Stop(Typed):
    """When a run ends before its schedule does; null turns a rule off."""

    loss_bound: Positive
    """Training loss in nats per image above which the run has diverged."""
    target_accuracy: Annotated[float, Field(gt=0, le=1)] | None
    """Held-out accuracy at which the run has what it wanted."""
    patience: Count | None
    """Epochs without a lower held-out loss after which the run makes no progress."""
    max_seconds: Positive | None
    """Seconds of training, counted at the end of each epoch."""


class Expect(Typed):
    """What the recipe is known to reach."""

    metric: Literal["val_accuracy", "test_accuracy"]
    low: Annotated[float, Field(ge=0, le=1)]
    high: Annotated[float, Field(ge=0, le=1)]
    runs: Count
    """How many runs the range comes from."""
    device: str
    source: str


class Recipe(Typed):
    """Every value of a training run."""

    about: str
    data: Data
    model: Model
    epochs: Count
    batch_size: BatchSize
    drop_last: bool
    """Whether the last batch of an epoch is left out when it is not full."""
    schedule: Schedules
    optimizer: Optimizer
    augment: Augment
    precision: Precision
    """What the network computes in where the device can; parameters and batch norm stay fp32."""
    stop: Stop
    expect: Expect

    def model_post_init(self, _: Any) -> None:
        """Refuse a schedule that goes on after the last epoch."""
        end = self.schedule.lr.epochs[-1]
        if end > self.epochs * (1 + 1e-9):
            raise wrong("the learning rate's last knot lies after the last epoch", "epochs", got=self.epochs)

    def at_length(self, epochs: int) -> Self:
        """Return the same recipe with its whole schedule stretched or shrunk to ``epochs``."""
        schedule = self.schedule.stretched(epochs / self.epochs)
        return self.model_copy(update={"epochs": epochs, "schedule": schedule})

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
