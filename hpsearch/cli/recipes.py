"""``hpsearch recipes``: the series in its order, row by row, and the other recipes that come with the trainer."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from hpsearch.cli import console, options

if TYPE_CHECKING:
    from trainer.recipe import Recipe
    from trainer.series import Chapter

COLUMNS = ("post", "recipe", "epochs", "batch", "network", "published", "measured", "about")
WITH_ABOUT = 150
"""Columns that the table needs so that the last one is of use."""

FULL = "full"
NONE = "-"


def recipes(json: options.Json = False) -> None:
    """List the recipes of the series, post by post, and the others, with what they are known to reach."""
    from trainer import recipe as trainer_recipes
    from trainer.series import Chapter, in_order

    found = {name: trainer_recipes.load(name) for name in trainer_recipes.names()}
    order = in_order(found)
    if json:
        rows = [asdict(row) if isinstance(row, Chapter) else {"recipe": row, "post": found[row].post} for row in order]
        console.data({"order": rows, "recipes": {name: one.model_dump(mode="json") for name, one in found.items()}})
        return
    shown = len(COLUMNS) - (console.out.width < WITH_ABOUT)
    table = console.table(*COLUMNS[:shown])
    for row in order:
        table.add_row(*(_chapter(row) if isinstance(row, Chapter) else _recipe(row, found[row]))[:shown])
    console.out.print(table)
    console.say("\npublished: mean test accuracy and seconds on a V100; measured: by our own runs, see docs/recipes.md")


def _chapter(chapter: "Chapter") -> list[str]:
    """Return the cells of a row without a recipe."""
    name = f"{chapter.space}.yaml" if chapter.space else NONE
    return [chapter.post, name, NONE, NONE, NONE, _published(chapter.accuracy, chapter.seconds), NONE, chapter.about]


def _recipe(name: str, recipe: "Recipe") -> list[str]:
    """Return the cells of a recipe."""
    network = f"{recipe.model.name} {recipe.model.width}"
    published = _published(recipe.expect.accuracy, recipe.expect.seconds) if recipe.post else NONE
    sizes = [str(recipe.epochs), str(recipe.batch_size)]
    return [recipe.post or NONE, name, *sizes, network, published, _measured(recipe), recipe.about]


def _published(accuracy: float | None, seconds: float | None) -> str:
    shown = [] if accuracy is None else [console.number(accuracy)]
    shown += [] if seconds is None else [f"{seconds:g} s"]
    return ", ".join(shown) or NONE


def _measured(recipe: "Recipe") -> str:
    """Return the first full-scale evidence, else the first there is; what it is expected to reach if that is ours."""
    best = min(recipe.evidence, key=lambda evidence: evidence.scale != FULL, default=None)
    if best is not None:
        name, _, folder = best.data.partition(", ")
        unlike = [] if best.scale == FULL else [best.scale]
        unlike += [folder] if folder not in ("", name) else []
        return _spread(best.accuracy, best.std, best.runs, *unlike)
    expect = recipe.expect
    if recipe.post or expect.accuracy is None:
        return NONE
    unlike = ["held out"] if expect.metric == "val_accuracy" else []
    return _spread(expect.accuracy, expect.std, expect.runs or 1, *unlike)


def _spread(accuracy: float, std: float | None, runs: int, *unlike: str) -> str:
    """Return a mean with its spread and how its runs are unlike published ones: ``0.9 +- 0.001 (2 runs, jpeg75)``."""
    spread = "" if std is None else f" +- {std:.2g}"
    return f"{console.number(accuracy)}{spread} ({', '.join([console.counted(runs, 'run'), *unlike])})"
