"""``hpsearch prior``: what finished studies teach, as a file that a space can name."""

from pathlib import Path
from typing import Annotated

import typer

from hpsearch.cli import console, options
from hpsearch.cli.options import RESULTS
from hpsearch.errors import Problem, StudyError
from hpsearch.space.learnt import written
from hpsearch.space.prior_spec import Learnt

Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="Finished studies.", show_default=False)]
Write = Annotated[Path | None, typer.Option("--write", metavar="FILE", help="Write the prior as a file.")]


def prior(names: Names, write: Write = None, results: options.Results = RESULTS, json: options.Json = False) -> None:
    """Learn a prior from finished studies: where their good settings lie, and which to try first.

    A space uses it by `prior: {learnt: FILE}`; `prior: {study: NAME}` does the same in one go.
    """
    from hpsearch.analysis.learnt_prior import learn
    from hpsearch.cli.priors import made_by, open_studies

    learnt = learn(open_studies(names, results, Path.cwd()), made_by(names, results))
    if json:
        console.data(learnt.model_dump(mode="json"))
    else:
        _print(learnt)
    if write is not None:
        _write(write, learnt)
        console.note(f"written to {write}; a space uses it by `prior: {{learnt: {write}}}`")


def _print(learnt: Learnt) -> None:
    table = console.table("study", "", "centre", "spread", title="where good settings lie")
    for problem, beliefs in learnt.problems.items():
        for name, belief in beliefs.items():
            table.add_row(problem, name, console.number(belief.centre), console.number(belief.spread))
    console.out.print(table)
    console.note(
        "spread: a factor, for what is searched on a log scale and for the momentum (of 1 - momentum); else in units"
    )
    console.say("\nto try first")
    for setting in learnt.settings:
        console.say(f"  {console.settings(setting)}")


def _write(file: Path, learnt: Learnt) -> None:
    try:
        file.write_text(written(learnt), encoding="utf-8")
    except OSError as cause:
        raise StudyError(Problem(f"cannot write the file: {cause.strerror}", key="--write", got=str(file))) from cause
