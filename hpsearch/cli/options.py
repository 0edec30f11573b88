"""The options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Results = Annotated[Path, typer.Option("--results", metavar="PATH", help="Folder of the studies.")]
RESULTS = Path("results")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the study.", show_default=False)]

Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="PATH", help="Training data; else HPSEARCH_DATA, the cache, a download."),
]
Recipe = Annotated[
    str | None,
    typer.Option("--recipe", metavar="NAME", help="Training recipe, by name or file."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Fix a parameter or a recipe value by key path; repeatable."),
]
Repeats = Annotated[
    str | None,
    typer.Option("--repeats", metavar="N|auto", help="How many of the trials run the best settings again."),
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Seed of the study, instead of the space's.")]

Address = Annotated[
    str | None,
    typer.Option("--address", metavar="ADDRESS", help="Ray cluster to join ('auto', host:port); else a local Ray."),
]
MaxConcurrent = Annotated[
    int | None, typer.Option("--max-concurrent", min=1, help="At most so many trials side by side.")
]
Inline = Annotated[bool, typer.Option("--inline", help="One process, one trial after the other, without Ray.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Width = Annotated[
    int | None, typer.Option("--width", min=1, max=64, help="Channels that stand for the 64 of the series.")
]
Epochs = Annotated[int | None, typer.Option("--epochs", min=1, help="Bring the schedule to this length.")]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads; else torch's choice.")]
StudyName = Annotated[
    str | None, typer.Option("--name", help="Name of the folder in RESULTS/studies; else KIND-RECIPE.")
]
