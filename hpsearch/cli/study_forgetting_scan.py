"""The scan of ``hpsearch study forgetting``: a search over rate and batch size, run as any other, in its folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import typer

from hpsearch.cli import console, session
from hpsearch.cli import plan as planning
from hpsearch.cli.best import BUILT_IN
from hpsearch.cli.plan import Plan
from hpsearch.cli.resume import go_on
from hpsearch.cli.study_subject import Subject
from hpsearch.runners.search import Search
from hpsearch.space.coordinates import Run, rate_of
from hpsearch.space.spec import Space
from hpsearch.store.diagnostics import Diagnostics
from hpsearch.store.names import option_for
from hpsearch.store.reader import open_study
from hpsearch.trial import Status

SCAN = "lr_scan"
"""Name of the search, and of its folder."""


def plan_scan(subject: Subject, batch_sizes: Sequence[int], multiples: Sequence[float], device: str) -> Plan:
    """Return the plan of the search: every batch size at every one of these multiples of the recipe's own rate.

    At one rate and weight decay the decay per image is the same at every batch size. Raises InputError where a setting
    cannot be trained.
    """
    own = own_rate(subject)
    choices = {"batch_size": [*batch_sizes], "rate": [own * multiple for multiple in multiples]}
    place = {} if subject.source.path is None else {"data_path": str(subject.source.path)}
    values = subject.recipe.model_dump(mode="json") | {"trace": None}
    trials = len(batch_sizes) * len(multiples) * len(subject.seeds)
    space: dict[str, Any] = {
        "goal": f"The loss of {subject.name} against learning rate and batch size",
        "train": {"function": BUILT_IN, "recipe": values, **place},
        "parameters": {name: {"type": "choice", "values": choice} for name, choice in choices.items()},
        "objective": {"metric": "val_loss", "mode": "min"},
        "sampler": {"name": "grid"},
        "budget": {"trials": trials},
        "resources": {"gpus": 0 if device == "cpu" else "auto"},
        "seed": subject.seeds[0],
    }
    return planning.plan_space(Space.restore(space))


def own_rate(subject: Subject) -> float:
    """Return the recipe's own rate, at the peak of its learning rate."""
    recipe = subject.recipe
    run = Run("adamw" if recipe.optimizer.name == "adamw" else "sgd")
    return rate_of(recipe.schedule.lr.peak, recipe.batch_size, recipe.schedule.momentum.peak, run)


def carry_out_scan(
    study: Diagnostics, plan: Plan, inline: bool, address: str | None, max_concurrent: int | None
) -> None:
    """Run the search, or what is left of it; failed trials run again.

    Ends the process as a search does where it is interrupted or its training function is broken.
    """
    threads = torch.get_num_threads()
    try:
        _search(study, plan, inline, address, max_concurrent)
    except typer.Exit:
        console.err.print("or give the same command once more, which goes on with the whole study")
        raise
    torch.set_num_threads(threads)  # trials in this process have a number of their own


def _search(study: Diagnostics, plan: Plan, inline: bool, address: str | None, max_concurrent: int | None) -> None:
    if not (study.folder / SCAN).exists():
        session.new_study(plan, None, study.folder, SCAN, inline, address, max_concurrent, _close)
    elif is_finished(study):
        console.note(f"the search over learning rate and batch size is stored already ({SCAN})")
    else:
        go_on(SCAN, 0, None, True, address, study.folder, max_concurrent, inline, close=_close)


def is_finished(study: Diagnostics) -> bool:
    """Whether every trial of the search has come to a result."""
    scan = open_study(study.folder, SCAN)
    ended = sum(trial.status is not Status.FAILED for trial in scan.history)
    return ended >= scan.space.budget.trials


def _close(folder: Path, search: Search) -> None:
    """Say where the search is; what it came to is said at the end of the study."""
    trials = console.counted(search.space.budget.trials, "trial")
    console.note(f"{trials} in {console.shown(folder)}: hpsearch show {folder.name}{option_for(folder)}")
