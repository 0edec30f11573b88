"""``hpsearch recipes``: the training recipes that come with the built-in trainer."""

from hpsearch.cli import console, options


def recipes(json: options.Json = False) -> None:
    """List the training recipes."""
    from trainer import recipe as trainer_recipes

    found = {name: trainer_recipes.load(name) for name in trainer_recipes.names()}
    if json:
        console.data({name: recipe.model_dump(mode="json") for name, recipe in found.items()})
        return
    table = console.table("recipe", "data", "epochs", "batch", "precision", "expect", "about")
    for name, recipe in found.items():
        expect = f"{recipe.expect.metric} {recipe.expect.low:g}-{recipe.expect.high:g}"
        row = [recipe.data.name, str(recipe.epochs), str(recipe.batch_size), recipe.precision, expect, recipe.about]
        table.add_row(name, *row)
    console.out.print(table)
