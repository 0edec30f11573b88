"""What the stored full runs show, on the same images: the claims that docs/recipes.md makes of them."""

from pathlib import Path
from statistics import fmean

from hpsearch.store.recipe_runs import RecipeRun, read
from trainer import recipe
from trainer.reproduce import training_values

FOLDER = Path(__file__).parent.parent / "results" / "reference" / "reproduce"


def full_runs(name: str) -> list[RecipeRun]:
    """The runs of the recipe as it is now."""
    now = training_values(recipe.load(name))
    return [run for run in read(FOLDER / name) if run.recipe == now]


SEED_STD = 0.0015
"""Of the accuracy of one run, by the series."""


def test_speed_reaches_post_8_with_a_third_of_its_arithmetic() -> None:
    speed, post8 = full_runs("speed"), full_runs("post8_09_flip_test")
    assert speed
    assert {run.data for run in speed} == {run.data for run in post8}
    assert fmean(run.accuracy or 0 for run in speed) >= fmean(run.accuracy or 0 for run in post8) - SEED_STD
    assert max(run.petaflop for run in speed) < min(0.29, min(run.petaflop for run in post8) / 3)
