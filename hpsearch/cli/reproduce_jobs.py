"""What ``hpsearch reproduce`` is to run: recipes at their scale, each checked before anything trains."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hpsearch.analysis.means import Published
from hpsearch.errors import InputError, Problem
from hpsearch.store import recipe_runs
from trainer import recipe as trainer_recipes
from trainer.data import Source, find
from trainer.recipe import Recipe
from trainer.reproduce import check, scaled, training_values


@dataclass(frozen=True)
class Job:
    """A recipe to be run: ``full`` as its file has it, ``recipe`` as it is run; ``folder`` is where its rows go."""

    name: str
    full: Recipe
    recipe: Recipe
    source: Source
    folder: Path

    @property
    def scale(self) -> str:
        """How it was made smaller, or "full"."""
        full, here = self.full, self.recipe
        return recipe_runs.scale(here.model.width, full.model.width, here.epochs, full.epochs)

    @property
    def title(self) -> str:
        """The recipe and, where it is not the full one, its scale."""
        return self.name if self.scale == "full" else f"{self.name} ({self.scale})"

    @property
    def values(self) -> str:
        """The recipe's values as they are stored."""
        return training_values(self.recipe)

    @property
    def data(self) -> str:
        """The data set and the name of the folder or archive that it lies in, wherever that is."""
        path = self.source.path
        return self.source.name if path is None else f"{self.source.name}, {path.name}"

    @property
    def target(self) -> float | None:
        """The accuracy that a run is to reach, if there is one for runs like these."""
        expect = self.full.expect
        return expect.target if expect.metric == "test_accuracy" and not self._lacks else None

    @property
    def published(self) -> Published | None:
        """What the source says of runs like these, if it says anything."""
        expect = self.full.expect
        if self.alone is not None or expect.accuracy is None:
            return None
        return Published(expect.accuracy, expect.std, expect.runs)

    @property
    def alone(self) -> str | None:
        """Why the runs are not compared with the source, in words; None where they are."""
        expect = self.full.expect
        if expect.accuracy is None:
            return "nothing to compare with"
        if expect.metric != "test_accuracy":
            return f"not compared: {expect.accuracy:g} is known of held-out images, with fewer to train on"
        if self._lacks:
            return f"not compared with the published {expect.accuracy:g}: {' and '.join(self._lacks)}"
        return None

    @property
    def _lacks(self) -> list[str]:
        """What sets these runs apart from those of the source, in words."""
        scaled_down = [] if self.scale == "full" else [f"these runs are scaled to {self.scale}"]
        return scaled_down + (["these images are lossy copies (JPEG)"] if self.source.lossy else [])


def plan(names: Sequence[str], data: Path | None, width: int | None, epochs: int | None, results: Path) -> list[Job]:
    """Return the jobs of a command, with their folders. Raises InputError with all that is wrong with any of them."""
    jobs: list[Job] = []
    problems: list[Problem] = []
    for name in names:
        try:
            jobs.append(_job(name, data, width, epochs, results))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(*dict.fromkeys(problems))
    for job in jobs:
        recipe_runs.prepare(job.folder)
    return jobs


def _job(name: str, data: Path | None, width: int | None, epochs: int | None, results: Path) -> Job:
    full = trainer_recipes.load(name)
    recipe = scaled(full, width, epochs)
    source = find(recipe.data.name, data)
    check(recipe, source)
    marks = [f"w{width}"] if recipe.model.width != full.model.width else []
    marks += [f"e{epochs}"] if recipe.epochs != full.epochs else []
    stem = name if name in trainer_recipes.names() else Path(name).stem
    return Job(stem, full, recipe, source, results / "reproduce" / "-".join([stem, *marks]))
