"""``hpsearch validate``: what a search would do, and with ``--probe`` how long it would take."""

from typing import Annotated

import typer

from hpsearch.cli import advise, console, options
from hpsearch.cli.options import RESULTS


def validate(
    space: Annotated[str, typer.Argument(metavar="SPACE", help="Space file, by path or name.", show_default=False)],
    data: options.Data = None,
    recipe: options.Recipe = None,
    set_: options.Set = None,
    seed: options.Seed = None,
    results: options.Results = RESULTS,
    probe: Annotated[bool, typer.Option("--probe", help="Time a short trial, estimate the search.")] = False,
) -> None:
    """Check a space without running it: what it will do, its parameters, its first suggestions, the data found."""
    from hpsearch.cli import plan as planning
    from hpsearch.cli import preview

    plan, file = planning.plan_file(space, planning.overrides(None, None, data, recipe, set_, seed), results)
    console.facts({"space": console.shown(file.absolute()), **console.plan_facts(plan), **preview.grid(plan)})
    console.out.print()
    console.out.print(preview.parameters(plan))
    console.out.print()
    console.out.print(preview.suggestions(plan))
    advise.print_space_advice(plan.space)
    if probe:
        console.out.print()
        console.facts(preview.timing(preview.probe(plan), plan))
