"""What can be said of a search before it runs: its parameters, its first suggestions, its time."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.table import Table

from hpsearch.cli import console
from hpsearch.cli.plan import Plan
from hpsearch.contract import EPOCHS, Config, Value
from hpsearch.devices import usable_gpus
from hpsearch.errors import FunctionError, Problem
from hpsearch.runners.drive import Outcome
from hpsearch.runners.engine import inline
from hpsearch.runners.work import prepare
from hpsearch.samplers.by_name import make_sampler
from hpsearch.seeds import derived_seed
from hpsearch.space.grid import combinations
from hpsearch.space.parameters import ends
from hpsearch.space.spec import Space
from hpsearch.space.translation import Translation
from hpsearch.trial import PendingTrial, Status

SUGGESTIONS = 5


def grid(plan: Plan) -> dict[str, str]:
    """How many combinations a grid has, and how often the trials go through it."""
    space = plan.space
    if space.sampler.name != "grid":
        return {}
    size, trials = len(combinations(space.parameters)), space.budget.trials - len(space.start_with)
    trials = max(
        min(trials, size), trials - space.budget.repeats_of(space.budget.trials)
    )  # repeats come after a whole grid
    return {"grid": f"{console.counted(size, 'combination')}; the budget covers them {max(0, trials) / size:.3g} times"}


def parameters(plan: Plan) -> Table:
    """One row per parameter: what it may be, when it is active, and what the training function does without it."""
    defaults = {**_coordinates(plan.space), **plan.description.get("parameters", {})}
    table = console.table("parameter", "kind", "values", "when", "default")
    for name, parameter in plan.space.parameters.items():
        when = ", ".join(f"{other} is {' or '.join(map(str, values))}" for other, values in parameter.when.items())
        default = defaults.get(name)
        table.add_row(
            name, parameter.type, parameter.describe(), when, "" if default is None else console.value(default)
        )
    return table


def suggestions(plan: Plan) -> Table:
    """The settings of the first trials, as they come while nothing is known, and what is computed from coordinates."""
    translation = Translation.of(plan.space)
    rows = [{**config, **translation.for_function(config)} for config in _first(plan.space)]
    names = list(dict.fromkeys([*plan.space.parameters, *(name for row in rows for name in row)]))
    table = console.table("trial", *names, title="first suggestions, while there are no results")
    for number, row in enumerate(rows):
        table.add_row(f"{number:05d}", *(console.value(row[name]) if name in row else "-" for name in names))
    return table


def _first(space: Space) -> list[Config]:
    """Return the first suggestions, each made while those before it are running."""
    sampler, pending = make_sampler(space), list[PendingTrial]()
    for number in range(min(SUGGESTIONS, space.budget.trials)):
        pending.append(PendingTrial(number, sampler.suggest([], pending, number), seed=0))
    return [trial.config for trial in pending]


def _coordinates(space: Space) -> dict[str, Value]:
    """Return rate and tau of the reference, as far as they are known."""
    reference = Translation.of(space).quantities({})
    found = {space.coordinates.rate: reference.rate, space.coordinates.tau: reference.tau}
    return {name: value for name, value in found.items() if name is not None and value is not None}


@dataclass(frozen=True)
class Probe:
    """Seconds of a trial of one epoch: ``epoch`` inside the training function up to its report, ``rest`` around it.

    ``side_by_side`` trials fit on this machine.
    """

    prepare: float
    epoch: float
    rest: float
    side_by_side: int


def probe(plan: Plan) -> Probe:
    """Run the first suggestion for one epoch in this process. Raises FunctionError where it fails."""
    config = make_sampler(plan.space).suggest([], [], 0)
    trial = PendingTrial(0, config, derived_seed(plan.space.seed, "trial", 0))
    with inline(plan.space.resources) as engine, TemporaryDirectory(prefix="hpsearch-probe-") as folder:
        begun = time.perf_counter()
        shared = prepare(plan.functions, plan.space.train.settings)
        prepared = time.perf_counter()
        work = plan.work("probe", Path(folder), engine.device, engine.gpus)
        drive = work.start(work.load(), trial, shared, epochs=1)
        epoch, outcome = 0.0, None
        while outcome is None:
            step = drive.step()
            epoch, outcome = step.report.seconds if step.report else epoch, step.outcome
        _check(outcome, plan)
        total = time.perf_counter() - prepared
        side_by_side = int(usable_gpus() / engine.gpus) if engine.gpus else (os.cpu_count() or 1) // work.threads
    return Probe(prepared - begun, epoch, total - epoch, max(1, side_by_side))


def timing(probe: Probe, plan: Plan) -> dict[str, str]:
    """What a probe says about the whole search, without the trials that are stopped early."""
    epochs, trials = _epochs(plan), plan.space.budget.trials
    rows = {"probe": f"data {console.duration(probe.prepare)}, one epoch {console.duration(probe.epoch)}"}
    if epochs is None:
        return rows | {"estimate": "none: the training function does not say how many epochs it runs (describe)"}
    trial = probe.rest + probe.epoch * epochs
    search = probe.prepare + trial * -(-trials // probe.side_by_side)
    return rows | {
        "one trial": f"about {console.duration(trial)} for {epochs} epochs",
        "the search": f"at most about {search / 3600:.2f} hours ({console.duration(search)}) for {trials} trials, "
        f"{probe.side_by_side} side by side on this machine",
    }


def _epochs(plan: Plan) -> int | None:
    """Return the length of the longest trial that the space allows, None where nobody says."""
    if plan.space.full_epochs is not None:
        return plan.space.full_epochs
    own = plan.space.parameters.get(EPOCHS)
    lengths = [value for value in ends(own) if isinstance(value, int)] if own is not None else []
    return max(lengths, default=plan.description.get("epochs"))


def _check(outcome: Outcome, plan: Plan) -> None:
    if outcome.status is Status.FAILED:
        raise FunctionError(Problem(f"the probe failed:\n{outcome.error}", key=plan.functions.reference))
