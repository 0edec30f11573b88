"""``hpsearch best``: the best setting of a study, as a recipe that ``hpsearch train`` takes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from hpsearch.analysis.summary import Setting, summarise
from hpsearch.cli import console, options
from hpsearch.cli.options import RESULTS
from hpsearch.errors import Problem, StudyError
from hpsearch.store.reader import open_study

Write = Annotated[Path | None, typer.Option("--write", metavar="FILE", help="Write the setting as a recipe.")]

BUILT_IN = "trainer.objective:train"


def best(
    name: options.Name,
    write: Write = None,
    results: options.Results = RESULTS,
    json: options.Json = False,
) -> None:
    """Print the best setting of a study, or write it as a file.

    With the built-in trainer the file is a full recipe for `hpsearch train`; with a function of your own it is the
    mapping of its parameters.
    """
    study = open_study(results, name)
    setting = summarise(study).best
    if setting is None:
        hint = f"see `hpsearch show {name}`"
        raise StudyError(Problem("no trial of the study has run to its end yet", file=study.folder, hint=hint))
    if json:
        console.data({"trial_id": setting.trial_id, "objective": setting.objective, "config": dict(setting.config)})
    else:
        console.say(f"trial {setting.trial_id}  {study.space.objective.metric} {console.number(setting.objective)}")
        console.say(console.settings(setting.config))
    if write is not None:
        _write(write, _text(study.space.train.function, study.space.train.settings, setting))
        console.note(f"written to {write}; train it on all the training data: hpsearch train {write} --save model.pt")


def _text(function: str, settings: Mapping[str, Any], setting: Setting) -> str:
    """Return the file: a recipe for the built-in trainer, else the parameters."""
    if function == BUILT_IN:
        from trainer.objective import recipe_for

        return recipe_for(settings, setting.config).to_yaml()
    import yaml

    return str(yaml.safe_dump(dict(setting.config), sort_keys=False))


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as cause:
        raise StudyError(Problem(f"cannot write the file: {cause.strerror}", key="--write", got=str(file))) from cause
