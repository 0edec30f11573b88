"""``hpsearch train``: one training on all the training data, its model kept."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from hpsearch.cli import console, options
from hpsearch.errors import Problem, RecipeError

Device = Literal["auto", "cpu", "cuda"]

DIVERGED = 1


def train(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="Recipe, by file or name.", show_default=False)],
    save: Annotated[Path | None, typer.Option("--save", metavar="FILE", help="Where the trained model goes.")] = None,
    data: options.Data = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the training.")] = 0,
    device: Annotated[Device, typer.Option("--device", help="Where to train.")] = "auto",
    threads: options.Threads = None,
) -> None:
    """Train a recipe on all the training images, test it once at the end, and save the model."""
    from trainer import recipe as trainer_recipes
    from trainer.data import find
    from trainer.final import train_final

    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    chosen = trainer_recipes.load(recipe)
    source = find(chosen.data.name, data)
    console.facts({"recipe": chosen.about, "data": source.where, "images": "all training images, none held out"})
    last: dict[str, object] = {}
    try:
        for report in train_final(chosen, source, seed, device, save):
            last = dict(report)
            console.say(epoch_line(last, chosen.epochs))
    except OSError as cause:
        raise RecipeError(Problem(f"cannot write the model: {cause.strerror}", key="--save", got=str(save))) from cause
    if last.get("diverged"):
        console.err.print("the training diverged; no model is saved")
        raise typer.Exit(DIVERGED)
    if save is not None:
        console.say(f"model: {save}")


def epoch_line(report: dict[str, object], epochs: int) -> str:
    """Return one line for an epoch."""
    names = ("train_loss", "train_accuracy", "learning_rate", "images_per_second", "test_accuracy")
    metrics = [(name, value) for name in names if isinstance(value := report.get(name), float)]
    return f"epoch {report['epoch']}/{epochs}  " + "  ".join(
        f"{name} {console.number(value)}" for name, value in metrics
    )
