"""``hpsearch best``: the best setting of a study, as a recipe that ``hpsearch train`` takes."""

from pathlib import Path
from typing import Annotated

import typer
import yaml

from hpsearch.analysis.choice import choose
from hpsearch.analysis.repeats import Repeated, by_setting
from hpsearch.analysis.tied import Tied, tied
from hpsearch.cli import console, options
from hpsearch.cli.options import RESULTS
from hpsearch.cli.settings_table import ROWS, print_settings
from hpsearch.cli.tied_words import tied_facts, unknown_noise
from hpsearch.contract import Config
from hpsearch.errors import Problem, StudyError
from hpsearch.space.translation import Translation
from hpsearch.store.reader import Study, open_study

Write = Annotated[Path | None, typer.Option("--write", metavar="FILE", help="Write the setting as a recipe.")]

Cheapest = Annotated[bool, typer.Option("--cheapest", help="Of the tied settings, the one that trains fastest.")]

BUILT_IN = "trainer.objective:train"


def best(
    name: options.Name,
    write: Write = None,
    cheapest: Cheapest = False,
    results: options.Results = RESULTS,
    json: options.Json = False,
) -> None:
    """Print the best setting of a study, or write it as a file, and say which others are tied with it.

    With the built-in trainer the file is a full recipe for `hpsearch train`; with a function of your own it is the
    mapping of its parameters.
    """
    study = open_study(results, name)
    found = tied(study)
    setting = choose(study, found, cheapest)
    config = Translation.of(study.space).for_function(setting.config, study.space.full_epochs)
    if json:
        known = {"trial_id": setting.trials[0], "objective": setting.mean, "runs": setting.n, "config": dict(config)}
        console.data({**known, "tied": found and found.to_json()})
    else:
        _print(study, setting, config, found)
    if write is not None:
        built_in = study.space.train.function == BUILT_IN
        settings = study.space.train.settings
        text = _recipe(study, setting, config) if built_in else yaml.safe_dump(dict(config), sort_keys=False)
        write_file(write, text)
        data = f" --data {settings['data_path']}" if settings.get("data_path") else ""
        then = (
            f"; train it on all the training images: hpsearch train {write}{data} --save model.pt" if built_in else ""
        )
        console.note(f"written to {write}{then}")


def _print(study: Study, setting: Repeated, config: Config, found: Tied | None) -> None:
    runs = "" if setting.n == 1 else f", mean of {setting.n} runs"
    is_best = found is None or setting == found.best.setting
    why = "" if is_best else ", not the best but the cheapest of those that are tied"
    console.say(f"trial {setting.trials[0]}  {study.space.objective.metric} {console.number(setting.mean)}{runs}{why}")
    console.say(console.settings(config))
    if found is not None:
        print_settings(study, found, min(len(found.members), ROWS))
        console.out.print()
        console.facts(tied_facts(found))
    alone = unknown_noise(study)
    if alone is not None:
        console.note(alone)


def _recipe(study: Study, setting: Repeated, config: Config) -> str:
    """Return the recipe file of a setting of the built-in trainer with its ``config``.

    The file says where it comes from and what it reached.
    """
    from trainer.blocks import Expect
    from trainer.objective import recipe_for

    recipe = recipe_for(study.space.train.settings, config)
    recipe = recipe if study.space.full_epochs is None else recipe.at_length(study.space.full_epochs)
    source = f"trial {setting.trials[0]} of the study {study.name}"
    expect = Expect(
        metric="val_accuracy",
        accuracy=setting.metrics["val_accuracy"],
        std=None,
        target=None,
        seconds=None,
        runs=setting.n,
        device="as in the study",
        source=f"{source}, the best of {len(by_setting(study))}, so it flatters",
    )
    about = f"{recipe.about}; the best setting of the study {study.name}"
    return recipe.model_copy(update={"about": about, "post": None, "expect": expect, "evidence": ()}).to_yaml()


def write_file(file: Path, text: str) -> None:
    """Write what --write asks for. Raises StudyError where the file cannot be written."""
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as cause:
        raise StudyError(Problem(f"cannot write the file: {cause.strerror}", key="--write", got=str(file))) from cause
