"""The ``hpsearch`` command, put together; what any command may end with becomes a message and an exit code here."""

import sys

import typer

from hpsearch.cli import (
    ablate,
    advise,
    analyze,
    best,
    console,
    prior,
    recipes,
    reproduce,
    resume,
    run,
    studies,
    study,
    train,
    transfer,
    validate,
)
from hpsearch.errors import InputError

app = typer.Typer(
    name="hpsearch",
    help="Hyperparameter search that needs few trainings and keeps every trial as Parquet.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for command in (
    run.run,
    resume.resume,
    resume.extend,
    studies.list_,
    studies.show,
    best.best,
    train.train,
    validate.validate,
    advise.advise,
    transfer.transfer,
    prior.prior,
    recipes.recipes,
    reproduce.reproduce,
    ablate.ablate,
):
    app.command(name=command.__name__.rstrip("_"))(command)
app.add_typer(analyze.app)
app.add_typer(study.app)

INPUT_ERROR = 2
"""Exit code for what the user can mend; 1 is a search whose training function is broken, 130 an interruption."""


def main() -> None:
    """Run the command line of this process."""
    try:
        app()
    except InputError as error:
        console.problems(error)
        sys.exit(INPUT_ERROR)
    except BrokenPipeError:  # the reader of our output has gone: `hpsearch list | head`
        sys.stderr.close()
        sys.exit(0)
