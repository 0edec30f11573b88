"""What ``hpsearch study`` looks at: a recipe at its scale, its images, the device, and the seeds of its runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from hpsearch.cli import console
from hpsearch.space.load import parse_set
from trainer import recipe as trainer_recipes
from trainer import splits
from trainer.batches import Shape, Split
from trainer.data import Source, find, training_images
from trainer.loop import check_fit, check_images
from trainer.overrides import with_overrides
from trainer.precision import describe_device, find_device
from trainer.recipe import Recipe
from trainer.reproduce import scaled

_SAID_OF_IT = {"about", "post", "expect", "evidence"}


@dataclass(frozen=True)
class Subject:
    """A recipe to study: ``name`` as it is called, ``recipe`` as it is run."""

    name: str
    recipe: Recipe
    source: Source
    device: torch.device
    seeds: Sequence[int]

    @classmethod
    def of(
        cls,
        recipe: str,
        data: Path | None,
        width: int | None,
        epochs: int | None,
        set_: list[str] | None,
        seed: int,
        runs: int,
        device: str,
        threads: int | None,
    ) -> "Subject":
        """Return the subject of these options. Raises InputError where the recipe cannot be trained on the images."""
        if threads is not None:
            torch.set_num_threads(threads)
        chosen = with_overrides(scaled(trainer_recipes.load(recipe), width, epochs), parse_set(set_ or []))
        source = find(chosen.data.name, data)
        check_fit(chosen, Shape(*source.shape))
        check_images(chosen, training_images(source.train_images, chosen.data.held_out, chosen.data.train_images))
        stem = recipe if recipe in trainer_recipes.names() else Path(recipe).stem
        return cls(stem, chosen, source, find_device(device), range(seed, seed + runs))

    @property
    def images_to_train_on(self) -> int:
        """How many images there are in the training split."""
        data = self.recipe.data
        return training_images(self.source.train_images, data.held_out, data.train_images)

    @cached_property
    def images(self) -> Mapping[str, Split]:
        """The splits ``train``, ``val`` and ``test`` on the device; they are read when this is first asked for."""
        console.waiting(f"reading {self.source.where}")
        return splits.on_device(splits.divided(self.source.load(), self.recipe), self.device)

    @cached_property
    def classes(self) -> int:
        """The number of classes."""
        return 1 + max(int(split.labels.max()) for split in self.images.values())

    @property
    def about(self) -> dict[str, Any]:
        """What makes two studies the same: the values that the recipe is run by, the data and the device."""
        path = self.source.path
        return {
            "recipe": self.name,
            "values": self.recipe.model_dump(mode="json", exclude=_SAID_OF_IT),
            "data": self.source.name if path is None else f"{self.source.name}, {path.name}",
            "lossy": self.source.lossy,
            "device": describe_device(self.device),
        }
