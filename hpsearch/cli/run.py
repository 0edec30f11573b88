"""``hpsearch run``: a new study."""

from typing import Annotated

import typer

from hpsearch.cli import options
from hpsearch.cli.options import RESULTS


def run(
    space: Annotated[str, typer.Option("--space", metavar="FILE", help="Space file, by path or shipped name.")],
    name: Annotated[str | None, typer.Option("--name", help="Name of the study; else that of the space file.")] = None,
    trials: Annotated[int | None, typer.Option("--trials", min=1, help="Trials, instead of the file's.")] = None,
    hours: Annotated[float | None, typer.Option("--hours", min=0.0001, help="Hours until no new trial starts.")] = None,
    repeats: options.Repeats = None,
    data: options.Data = None,
    recipe: options.Recipe = None,
    set_: options.Set = None,
    seed: options.Seed = None,
    address: options.Address = None,
    results: options.Results = RESULTS,
    max_concurrent: options.MaxConcurrent = None,
    inline: options.Inline = False,
) -> None:
    """Search a space: run its trials, keep everything in results/NAME."""
    from hpsearch.cli import plan as planning
    from hpsearch.cli import session
    from hpsearch.store.names import default_name

    changes = planning.overrides(trials, hours, data, recipe, set_, seed, repeats)
    plan, file = planning.plan_file(space, changes, results)
    study = name or default_name(results, file.stem)
    session.new_study(plan, file, results, study, inline, address, max_concurrent)
