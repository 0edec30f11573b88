"""``hpsearch ablate``: which techniques of a recipe earn their place, by a factorial design over all of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hpsearch.analysis.effects import LEAST_FREEDOM
from hpsearch.cli import options
from hpsearch.cli.best import BUILT_IN
from hpsearch.cli.options import RESULTS
from hpsearch.contract import TECHNIQUE
from hpsearch.errors import Problem, RecipeError, SpaceError, listed
from hpsearch.space.load import parse_set
from hpsearch.space.spec import Space

if TYPE_CHECKING:
    from trainer.recipe import Recipe
    from trainer.techniques import Technique

SIZES = (8, 16, 32, 64, 128)


def ablate(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="Recipe, by name or file.", show_default=False)],
    runs: Annotated[int, typer.Option("--runs", help=f"Trainings: {listed(SIZES)}.")] = 32,
    techniques: Annotated[
        str | None,
        typer.Option("--techniques", metavar="A,B,...", help="Techniques to switch; else all that lie in no other."),
    ] = None,
    data: options.Data = None,
    width: options.Width = None,
    epochs: options.Epochs = None,
    set_: options.Set = None,
    seed: options.Seed = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the study; else ablate-RECIPE.")] = None,
    results: options.Results = RESULTS,
    address: options.Address = None,
    max_concurrent: options.MaxConcurrent = None,
    inline: options.Inline = False,
) -> None:
    """Train a recipe with and without each of its techniques, in all sorts of combinations, and print their effects.

    Every run has each technique on or off by a two-level factorial design, so that all runs count for all effects. What
    lies inside another technique is on or off with it, unless --techniques names it instead.
    """
    from hpsearch.cli import plan as planning
    from hpsearch.cli import session
    from hpsearch.store.names import default_name

    chosen, switched = _techniques(recipe, techniques, width, epochs, set_ or [])
    _check_size(runs, len(switched))
    place = {} if data is None else {"data_path": str(data.expanduser().resolve())}
    train = {"function": BUILT_IN, "recipe": chosen.model_dump(mode="json"), **place}
    stem = Path(recipe).stem
    plan = planning.plan_space(_space(f"What each technique of {stem} is worth", train, switched, runs, seed or 0))
    study = name or default_name(results, f"ablate-{stem}")
    session.new_study(plan, None, results, study, inline, address, max_concurrent)


def _techniques(
    name: str, wanted: str | None, width: int | None, epochs: int | None, set_: list[str]
) -> tuple["Recipe", list[str]]:
    """Return the recipe as it is to be trained, and the names of the techniques to switch. Raises InputError."""
    from trainer import recipe as trainer_recipes
    from trainer.overrides import check_names, with_overrides
    from trainer.reproduce import scaled
    from trainer.techniques import nested, techniques

    chosen = with_overrides(scaled(trainer_recipes.load(name), width, epochs), parse_set(set_))
    used = list(techniques(chosen))
    if not used:
        raise RecipeError(Problem("the recipe uses no technique that could be left out", got=name))
    inner = nested(chosen)
    if wanted is None:
        return chosen, [name for name in used if name not in {one.name for one in inner}]
    names = list(dict.fromkeys(one.strip() for one in wanted.split(",")))
    check_names(names, used, "technique")
    _check_apart(names, inner)
    return chosen, names


def _check_apart(names: list[str], inner: list["Technique"]) -> None:
    """Raise RecipeError for a technique named beside the one that it lies inside: of four networks two are the same."""
    what = "one technique lies inside the other and cannot be switched beside it"
    both = [f"{one.inside}, {one.name}" for one in inner if {one.inside, one.name} <= {*names}]
    if both:
        raise RecipeError(*(Problem(what, key="--techniques", got=pair, allowed="one of them") for pair in both))


def _check_size(runs: int, techniques: int) -> None:
    """Raise SpaceError for a design that could not say how large its noise is."""
    enough = [size for size in SIZES if size > techniques + LEAST_FREEDOM]
    if runs not in enough:
        what = f"not a size of a design for {techniques} techniques"
        raise SpaceError(
            Problem(what, key="--runs", got=str(runs), allowed=listed(enough), hint="or fewer --techniques")
        )


def _space(goal: str, train: dict[str, Any], techniques: list[str], runs: int, seed: int) -> Space:
    return Space.restore(
        {
            "goal": goal,
            "train": train,
            "parameters": {TECHNIQUE + name: {"type": "choice", "values": [True, False]} for name in techniques},
            "objective": {"metric": "val_accuracy", "mode": "max"},
            "sampler": {"name": "factorial", "runs": runs},
            "budget": {"trials": runs},
            "seed": seed,
        }
    )
