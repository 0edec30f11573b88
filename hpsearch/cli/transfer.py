"""``hpsearch transfer``: a tuned setting for another batch size, momentum or length of the run, by the rules."""

from typing import Annotated

import typer
import yaml
from rich.table import Table

from hpsearch.analysis.choice import choose
from hpsearch.analysis.summary import Setting, summarise
from hpsearch.analysis.tied import tied
from hpsearch.analysis.transfer import Target, Transfer
from hpsearch.analysis.transfer import transfer as transferred
from hpsearch.analysis.transfer_costs import SOURCE
from hpsearch.cli import console, options
from hpsearch.cli.advise import check_option, sentence
from hpsearch.cli.best import BUILT_IN, Write, write_file
from hpsearch.cli.options import RESULTS
from hpsearch.contract import EPOCHS, Config, Value
from hpsearch.errors import Problem, StudyError, listed, nearest
from hpsearch.space.spec import Space
from hpsearch.space.translation import Translation
from hpsearch.store.reader import Study, open_study

Trial = Annotated[str | None, typer.Option("--trial", metavar="ID", help="This trial instead of the best.")]


def transfer(
    name: options.Name,
    trial: Trial = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", help="Batch size of the new run.")] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", help="Length of the new run.")] = None,
    momentum: Annotated[float | None, typer.Option("--momentum", help="Momentum of the new run.")] = None,
    images: Annotated[int | None, typer.Option("--images", help="Training images of the new run.")] = None,
    write: Write = None,
    results: options.Results = RESULTS,
    json: options.Json = False,
) -> None:
    """Move the best setting of a study to another run by the rules, and say what they were measured to cost.

    The learning rate goes as (1 - momentum) x batch size (AdamW: as the root of the batch size), the weight decay so
    that it forgets in the same share of the run. --write keeps the result as a file, as `best` does.
    """
    from hpsearch.cli.plan import with_coordinates

    _check(batch_size, epochs, momentum, images)
    study = with_coordinates(open_study(results, name))
    setting = _setting(study, trial)
    moved = transferred(study.space, setting.config, Target(batch_size, momentum, epochs, images))
    config = moved_config(study.space, setting.config, moved)
    if json:
        console.data({"trial_id": setting.trial_id, **moved.to_json(), "config": dict(config)})
    else:
        _print(study, setting, moved)
    if write is not None:
        built_in = study.space.train.function == BUILT_IN
        write_file(write, _recipe(study, setting, moved, config) if built_in else _mapping(config))
        console.note(f"written to {write}")


def moved_config(space: Space, config: Config, moved: Transfer) -> Config:
    """Return what the training function is given in the new run.

    Beside learning rate and weight decay it has what changed, and what the study had set.
    """
    spec, changed = space.coordinates, {change.name for change in moved.changes}
    old = Translation.of(space).for_function(config)
    new: dict[str, Value] = {spec.lr: moved.after.lr, spec.weight_decay: moved.after.weight_decay}
    if "batch_size" in changed:
        new[spec.batch_size] = int(moved.after.batch_size)
    if "momentum" in changed:
        new[spec.momentum] = moved.after.momentum
    if EPOCHS in changed and moved.new_run.epochs is not None:
        new[EPOCHS] = int(moved.new_run.epochs)
    return {**old, **new}


def _check(batch_size: int | None, epochs: int | None, momentum: float | None, images: int | None) -> None:
    whole = {"--batch-size": batch_size, "--epochs": epochs, "--images": images}
    for option, value in whole.items():
        if value is not None:
            check_option(option, value, value >= 1, "1 or above")
    if momentum is not None:
        check_option("--momentum", momentum, 0 <= momentum < 1, "0 or above, below 1")
    if all(value is None for value in (*whole.values(), momentum)):
        allowed = f"{listed([*whole])}, --momentum: at least one"
        raise StudyError(Problem("there is nothing to move to", allowed=allowed))


def _setting(study: Study, trial: str | None) -> Setting:
    by_id = {setting.trial_id: setting for setting in summarise(study, top=len(study.history)).top}
    trial = trial or choose(study, tied(study)).trials[0]
    if trial not in by_id:
        what, known = "the study has no such trial that ran to its end", listed(sorted(by_id))
        raise StudyError(Problem(what, key="--trial", got=trial, allowed=known, hint=nearest(trial, by_id)))
    return by_id[trial]


def _print(study: Study, setting: Setting, moved: Transfer) -> None:
    console.say(f"trial {setting.trial_id}  {study.space.objective.metric} {console.number(setting.objective)}")
    console.out.print(_table(moved))
    console.out.print()
    for change in moved.changes:
        cost = change.cost
        measured = "" if cost is None else f"; {cost.change} cost {cost.by_rule:g}, and {cost.kept:g} with lr kept"
        console.say(f"{change.name}: {change.rule}{measured}")
    if any(change.cost for change in moved.changes):
        console.note(f"costs: {SOURCE}")
    for warning in [*moved.warnings, *map(sentence, moved.findings)]:
        console.say(f"beware: {warning}")


def _table(moved: Transfer) -> Table:
    """Return the setting and its run before and after."""
    table = console.table("", "tuned", "moved")
    for name in ("lr", "weight_decay", "batch_size", "momentum"):
        table.add_row(name, _shown(getattr(moved.before, name)), _shown(getattr(moved.after, name)))
    for name in ("epochs", "examples"):
        table.add_row(name, _shown(getattr(moved.run, name)), _shown(getattr(moved.new_run, name)))
    return table


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value == int(value) else console.number(value)


def _mapping(config: Config) -> str:
    return yaml.safe_dump(dict(config), sort_keys=False)


def _recipe(study: Study, setting: Setting, moved: Transfer, config: Config) -> str:
    """Return the recipe file of the new run of the built-in trainer, of which nothing is known yet."""
    from trainer.blocks import Expect
    from trainer.objective import recipe_for

    recipe = recipe_for(study.space.train.settings, config)
    source = f"trial {setting.trial_id} of the study {study.name}, moved by the rules; not run yet"
    expect = Expect(
        metric="val_accuracy", accuracy=None, std=None, target=None, seconds=None, runs=None, device=None, source=source
    )
    data = recipe.data
    if any(change.name == "examples" for change in moved.changes):
        data = data.model_copy(update={"train_images": moved.new_run.examples})
    about = f"{recipe.about}; a setting of the study {study.name}, moved"
    update = {"about": about, "post": None, "data": data, "expect": expect, "evidence": ()}
    return recipe.model_copy(update=update).to_yaml()
