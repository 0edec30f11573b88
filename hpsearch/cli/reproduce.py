"""``hpsearch reproduce``: recipes as their sources ran them, several times over, against what these say."""

import signal
from typing import Annotated

import typer

from hpsearch.cli import console, options
from hpsearch.cli.options import RESULTS
from hpsearch.cli.train import Device

DEFAULT = ["post4_resnet9"]


def reproduce(
    recipes: Annotated[
        list[str] | None, typer.Argument(metavar="RECIPE", help="Recipes, by name or file; else post4_resnet9.")
    ] = None,
    runs: Annotated[int, typer.Option("--runs", min=1, help="Runs of each in all, with those that are stored.")] = 1,
    data: options.Data = None,
    width: options.Width = None,
    epochs: options.Epochs = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the first run; the next ones follow.")] = 0,
    device: Annotated[Device, typer.Option("--device", help="Where to train.")] = "auto",
    threads: options.Threads = None,
    results: options.Results = RESULTS,
    again: Annotated[bool, typer.Option("--again", help="Repeat the runs that are stored already.")] = False,
    json: options.Json = False,
) -> None:
    """Run recipes on all the training images, test each run once at its end, compare with the published results.

    The clock runs as in DAWNBench: over preparation and training, not over reading the files and the test.
    """
    from hpsearch.cli.reproduce_jobs import plan
    from hpsearch.cli.reproduce_report import show
    from hpsearch.cli.reproduce_runs import Bench

    jobs = plan(list(dict.fromkeys(recipes or DEFAULT)), data, width, epochs, results.absolute())
    bench = Bench.of(device, threads, console.note if json else console.say)
    seeds = range(seed, seed + runs)
    try:
        for job in jobs:
            bench.run(job, seeds, again)
    except KeyboardInterrupt:
        console.err.print("\ninterrupted; finished runs are kept: give the same command once more to go on")
        raise typer.Exit(128 + signal.SIGINT) from None
    show([bench.report(job, seeds) for job in jobs], json)
