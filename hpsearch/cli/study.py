"""``hpsearch study``: the experiments of posts 2, 3 and 7 on any recipe; a command for each."""

import typer

from hpsearch.cli.study_batchnorm import batchnorm
from hpsearch.cli.study_forgetting import forgetting
from hpsearch.cli.study_profile import profile

app = typer.Typer(name="study", help="Look into a recipe: what limits it, where its time goes.", no_args_is_help=True)
for command in (forgetting, profile, batchnorm):
    app.command(name=command.__name__)(command)
