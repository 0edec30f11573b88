"""``hpsearch study forgetting``: what bounds the learning rate of a recipe, forgetting or curvature (post 2)."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hpsearch.cli import console, options
from hpsearch.cli.options import RESULTS
from hpsearch.cli.train import Device
from hpsearch.errors import Problem, RecipeError, listed

if TYPE_CHECKING:
    from hpsearch.cli.study_subject import Subject
    from hpsearch.store.diagnostics import Diagnostics

BATCH_SIZES = [128, 256, 512, 1024, 2048]
RATES = [1 / 64, 1 / 16, 1 / 4, 1.0]
"""Far apart, so that they reach from rates that the largest of these batches can follow to those that no batch can."""
LOW, HIGH = 0.25, 1.0
"""Four times apart, as in post 2, with a rate at the upper end at which the recipe still learns."""


def forgetting(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="Recipe, by name or file.", show_default=False)],
    data: options.Data = None,
    width: options.Width = None,
    epochs: options.Epochs = None,
    set_: options.Set = None,
    runs: Annotated[
        int, typer.Option("--runs", min=1, help="Trainings of every setting, with other seeds; fixed once it is begun.")
    ] = 2,
    batch_sizes: Annotated[
        list[int] | None,
        typer.Option("--batch-size", min=2, help="A batch size of the scan; repeatable. Else 128, 256, ... 2048."),
    ] = None,
    rates: Annotated[
        list[float] | None,
        typer.Option("--rate", help="A rate of the scan, in the recipe's own; repeatable. Else 1/64, 1/16, 1/4, 1."),
    ] = None,
    low: Annotated[float, typer.Option("--low", help="Low learning rate of the replays, in the recipe's peak.")] = LOW,
    high: Annotated[float, typer.Option("--high", help="High learning rate of the replays, likewise.")] = HIGH,
    until: Annotated[
        int | None, typer.Option("--until", metavar="EPOCH", min=1, help="Replay this epoch; else the recipe's last.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the scan, and of the first replayed run.")] = 0,
    device: Annotated[Device, typer.Option("--device", help="Where to train.")] = "auto",
    threads: options.Threads = None,
    name: options.StudyName = None,
    results: options.Results = RESULTS,
    address: options.Address = None,
    max_concurrent: options.MaxConcurrent = None,
    inline: options.Inline = False,
) -> None:
    """Find what bounds a recipe's learning rate: what the network forgets, or how far one step may go.

    First a search over learning rate and batch size, run as any other: where does the final loss depend on
    lr / batch size alone, and where does that end? Then, at a low and a high learning rate, on all and on half of the
    images: what does the frozen network still know of each batch of its last epoch, by how long ago that was?
    """
    from hpsearch.cli.study_forgetting_replays import parts
    from hpsearch.cli.study_forgetting_scan import carry_out_scan, plan_scan
    from hpsearch.cli.study_session import carry_out
    from hpsearch.cli.study_subject import Subject
    from hpsearch.store.diagnostics import opened
    from hpsearch.store.forgetting_tables import KIND, TABLES

    subject = Subject.of(recipe, data, width, epochs, set_, seed, runs, device, threads)
    last = until or subject.recipe.epochs
    sizes = sorted({*batch_sizes}) if batch_sizes else _that_fit(subject.images_to_train_on)
    multiples = sorted({*(rates or RATES)})
    _check_rates(multiples, low, high)
    _check_replays(subject, high, last)
    plan = plan_scan(subject, sizes, multiples, device)
    about = _about(subject, sizes, multiples, (low, high), last)
    with opened(results, name or f"{KIND}-{subject.name}", KIND, TABLES, about) as study:
        carry_out_scan(study, plan, inline, address, max_concurrent)
        carry_out(study, parts(subject, (low, high), last))
        _conclude(study, subject)


def _that_fit(images: int) -> list[int]:
    """Return the usual batch sizes, and say which of them are larger than the training set."""
    too_large = [size for size in BATCH_SIZES if size > images]
    if too_large:
        console.note(f"batches of {listed(too_large)} are left out: there are {images:,} training images")
    return [size for size in BATCH_SIZES if size <= images]


def _about(subject: "Subject", sizes: list[int], rates: list[float], factors: tuple[float, ...], until: int) -> Any:
    scan = {"batch_sizes": sizes, "rates": rates}
    return {**subject.about, **scan, "factors": [*factors], "until": until, "seeds": [*subject.seeds]}


def _check_rates(multiples: list[float], low: float, high: float) -> None:
    """Raise RecipeError for multiples of the recipe's own rates that are none."""
    for rate in multiples:
        if not 0 < rate < math.inf:
            raise RecipeError(Problem("not a multiple of a rate", key="--rate", got=f"{rate:g}", allowed="above 0"))
    if not 0 < low < high < math.inf:
        what, allowed = "not a low and a high learning rate", "0 < low < high"
        raise RecipeError(Problem(what, key="--low, --high", got=f"{low:g}, {high:g}", allowed=allowed))


def _check_replays(subject: "Subject", high: float, until: int) -> None:
    """Raise RecipeError where the replays cannot be made."""
    from trainer.diagnostics.replay import held
    from trainer.loop import check_images

    if until > subject.recipe.epochs:
        what, allowed = "the schedule ends before", f"1 to {subject.recipe.epochs} epochs"
        raise RecipeError(Problem(what, key="--until", got=str(until), allowed=allowed))
    try:
        chosen = held(subject.recipe, high, until)
    except ValueError as cause:
        hint = "a later --until, more --epochs, or an earlier schedule.peak_epochs"
        raise RecipeError(Problem(str(cause), key="--until", got=str(until), hint=hint)) from cause
    if subject.recipe.data.held_out < 2:
        what, key = "one image that is held out makes no batch", "data.held_out"
        raise RecipeError(Problem(what, key=key, got="1", allowed="2 or more"))
    try:
        check_images(chosen, subject.images_to_train_on // 2)
    except RecipeError as error:
        hint = "the replays train on half of the images too"
        raise RecipeError(*(replace(problem, hint=hint) for problem in error.problems)) from error


def _conclude(study: "Diagnostics", subject: "Subject") -> None:
    from hpsearch.analysis.curvature_limit import curvature_limit
    from hpsearch.analysis.forgetting_curve import forgetting as curves
    from hpsearch.cli.study_forgetting_scan import SCAN
    from hpsearch.cli.study_session import conclude
    from hpsearch.report import forgetting_plot, lr_scan_plot
    from hpsearch.report.forgetting_text import finding, summary
    from hpsearch.store.reader import open_study

    scan = open_study(study.folder, SCAN)
    limit, found = curvature_limit(scan), curves(study)
    pictures = {
        "lr_scan": lr_scan_plot.draw(lr_scan_plot.panels(limit)),
        "forgetting": forgetting_plot.draw(forgetting_plot.panels(found)),
    }
    conclude(study, summary(limit, found), finding(study, limit, found), pictures)
