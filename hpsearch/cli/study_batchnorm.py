"""``hpsearch study batchnorm``: what batch norm does to a recipe's network (post 7)."""

from typing import Annotated

import typer

from hpsearch.cli import options
from hpsearch.cli.options import RESULTS
from hpsearch.cli.train import Device


def batchnorm(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="Recipe, by name or file.", show_default=False)],
    data: options.Data = None,
    width: options.Width = None,
    epochs: options.Epochs = None,
    set_: options.Set = None,
    until: Annotated[
        int | None, typer.Option("--until", min=1, help="Stop training after this epoch; else after half of them.")
    ] = None,
    lr_without: Annotated[
        float | None,
        typer.Option("--lr-without", min=1e-9, help="Peak learning rate without norm; else 0.04 of the recipe's."),
    ] = None,
    batches: Annotated[int, typer.Option("--batches", min=1, help="Fixed batches that all is measured on.")] = 2,
    batch_size: Annotated[int, typer.Option("--batch-size", min=2, help="Images in each of them.")] = 256,
    depth: Annotated[int, typer.Option("--depth", min=2, help="Layers of the deep plain networks.")] = 50,
    eigenvalues: Annotated[int, typer.Option("--eigenvalues", min=1, help="How many of the Hessian to find.")] = 12,
    products: Annotated[
        int,
        typer.Option(
            "--products", min=2, help="Most products with a Hessian; each keeps two vectors as long as all weights."
        ),
    ] = 80,
    runs: Annotated[int, typer.Option("--runs", min=1, help="Seeds in all, with those that are stored.")] = 1,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The first seed; the next ones follow.")] = 0,
    device: Annotated[Device, typer.Option("--device", help="Where to train.")] = "auto",
    threads: options.Threads = None,
    name: options.StudyName = None,
    results: options.Results = RESULTS,
) -> None:
    """Look into what batch norm does: to the signal at the start, to small steps of the weights, to the curvature.

    Three half-trained networks are compared: the recipe's, the same with its norm frozen, and one without norm that
    was trained at a lower rate. Every part is stored when it is done; the same command goes on after an interruption.
    """
    from hpsearch.analysis.batch_norm_study import batch_norm_study
    from hpsearch.cli.study_batchnorm_networks import Networks
    from hpsearch.cli.study_batchnorm_parts import Measurements
    from hpsearch.cli.study_batchnorm_pictures import pictures
    from hpsearch.cli.study_batchnorm_scope import Scope
    from hpsearch.cli.study_session import carry_out, conclude
    from hpsearch.cli.study_subject import Subject
    from hpsearch.report.batch_norm_text import finding, summary
    from hpsearch.store.batch_norm_tables import KIND, TABLES
    from hpsearch.store.diagnostics import opened

    subject = Subject.of(recipe, data, width, epochs, set_, seed, runs, device, threads)
    sizes = {"batches": batches, "batch_size": batch_size, "depth": depth}
    scope = Scope.of(subject, until, lr_without, **sizes, eigenvalues=eigenvalues, products=products)
    about = {**subject.about, **scope.about}
    with opened(results, name or f"{KIND}-{subject.name}", KIND, TABLES, about) as study:
        carry_out(study, Measurements(Networks(subject, scope, study)).parts())
        found = batch_norm_study(study)
        conclude(study, summary(found), finding(found), pictures(found))
