"""``hpsearch analyze``: what the trials of a study show beside its best setting; a command for each question."""

import typer

from hpsearch.cli.analyze_dynamics import dynamics
from hpsearch.cli.analyze_fidelity import fidelity
from hpsearch.cli.analyze_flatness import flatness
from hpsearch.cli.analyze_health import health
from hpsearch.cli.analyze_tied import tied

app = typer.Typer(name="analyze", help="Say what the trials of a study show.", no_args_is_help=True)
for command in (tied, fidelity, flatness, health, dynamics):
    app.command(name=command.__name__)(command)
