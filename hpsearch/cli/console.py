"""All that is printed: results to the standard output, problems to the standard error."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from hpsearch.contract import Value
from hpsearch.errors import InputError
from hpsearch.space.factorial import described
from hpsearch.store.names import option_for
from hpsearch.trial import Origin, PendingTrial

if TYPE_CHECKING:
    from hpsearch.cli.plan import Plan
    from hpsearch.runners.engine import Engine
    from hpsearch.runners.search import Search
    from hpsearch.space.spec import Fidelity, Space

WIDE = 200
"""Columns where the output is no terminal: a table in a file must not be cut to 80."""

out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else WIDE)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """Print a line."""
    out.print(escape(text))


def note(text: str) -> None:
    """Print a line beside the results: progress, hints."""
    err.print(f"[dim]{escape(text)}[/dim]")


def data(value: Any) -> None:
    """Print JSON."""
    out.print(json.dumps(value, indent=2, allow_nan=False), markup=False)


def problems(error: InputError) -> None:
    """Print what is wrong with an input."""
    for problem in error.problems:
        headline, *details = str(problem).splitlines()
        err.print(f"[bold red]error:[/bold red] {escape(headline)}")
        for line in details:
            err.print(escape(line))


def waiting(what: str) -> None:
    """Say what takes a moment."""
    note(f"{what} ...")


def number(value: float) -> str:
    """Four significant digits."""
    return f"{value:.4g}"


def value(value: Value) -> str:
    """The value of a parameter."""
    return number(value) if isinstance(value, float) else str(value)


def settings(config: Mapping[str, Value]) -> str:
    """A configuration on one line."""
    return "  ".join(f"{name}={value(setting)}" for name, setting in config.items())


def kind(trial: PendingTrial) -> list[str]:
    """What is special about a trial: a setting that ran before."""
    again = [f"(repeat {trial.repeat})"] if trial.repeat else []
    return again + (["(promoted)"] if trial.origin is Origin.PROMOTION else [])


def counted(count: int, noun: str) -> str:
    """A count with its noun."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """A time span as people say it."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, hours = seconds / 60, seconds / 3600
    return f"{int(minutes)} min {int(seconds % 60)} s" if hours < 1 else f"{int(hours)} h {int(minutes % 60)} min"


def table(*columns: str, title: str | None = None) -> Table:
    """Make a plain table; a terminal that is too narrow folds its cells."""
    headers = [Column(name, overflow="fold") for name in columns]
    return Table(*headers, title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)


def facts(rows: Mapping[str, str]) -> None:
    """Print labels and values."""
    width = max(map(len, rows), default=0)
    for label, text in rows.items():
        out.print(f"[bold]{escape(label):<{width}}[/bold]  {escape(text)}")


def plan_facts(plan: "Plan") -> dict[str, str]:
    """What a search is about, what it trains, and how it looks for what."""
    from hpsearch.cli.prior_words import believed

    space = plan.space
    hours = f" or {space.budget.hours:g} h" if space.budget.hours else ""
    rule, grace = space.stopping.rule, space.stopping.grace
    stopping = "" if rule == "none" else f", {rule} stopping from {grace:.0%} of the schedule on"
    budget = f"{counted(space.budget.trials, 'trial')}{hours}{_repeats(space)}"
    searched = ", ".join(space.searched) or "nothing"
    objective = f"{space.objective.metric} ({space.objective.mode})"
    design = {"design": described(space)} if space.sampler.name == "factorial" else {}
    prior = believed(space)
    return {
        **({"goal": space.goal} if space.goal else {}),
        "function": plan.space.train.function,
        **plan.description.get("facts", {}),
        "search": f"{space.sampler.name} over {searched} for {objective}; {budget}{stopping}",
        **({"fidelity": _fidelity(space.fidelity, plan.description.get("epochs"))} if space.fidelity else {}),
        **({"prior": prior} if prior else {}),
        **design,
    }


def _repeats(space: "Space") -> str:
    repeats = space.budget.repeats_of(space.budget.trials)
    return f", {repeats} of them to run the best settings again" if repeats else ""


def _fidelity(fidelity: "Fidelity", longest: int | None) -> str:
    less = f"; the training function's own length is {longest}" if longest and fidelity.full < longest else ""
    kept = "tau held" if fidelity.keep == "tau" else "weight decay held"
    *shorter, full = map(str, fidelity.epochs)
    first = f"complete runs of {', '.join(shorter)} epochs, the better settings then of" if shorter else "runs of"
    return f"{first} {full} epochs, {kept}{less}"


def opening(folder: Path, plan: "Plan", engine: "Engine", unfinished: Sequence[PendingTrial]) -> None:
    """Say what a session is going to do, and where to watch it."""
    trials = "trial" if engine.concurrent == 1 else "trials side by side"
    rows = {"study": folder.name, **plan_facts(plan), "workers": f"{engine.concurrent} {trials} on {engine.device}"}
    rows["results"] = shown(folder)
    if engine.dashboard:
        rows["dashboard"] = f"{engine.dashboard}  (it asks for the token that `ray get-auth-token` prints)"
    if unfinished:
        rows["again"] = f"unfinished before: {', '.join(trial.trial_id for trial in unfinished)}"
    facts(rows)
    out.print()


def closing(folder: Path, search: "Search") -> None:
    """Say what came out and what can be done next."""
    from hpsearch.analysis.repeats import any_repeated, by_setting
    from hpsearch.analysis.summary import summarise
    from hpsearch.cli.studies import print_found
    from hpsearch.store.dynamics import TABLE
    from hpsearch.store.reader import open_study

    name, results = folder.name, folder.parent
    out.print()
    study = replace(open_study(results, name), running=False)  # by this driver, which has come to its end
    summary = summarise(study)
    print_found(study, summary, top=3)
    if search.target_reached:
        say(f"\nthe target of {search.space.objective.metric} is reached")
    elif search.budget.out_of_time:
        say("\nthe hours are over")
    where = option_for(folder)
    steps = [f"hpsearch show {name}{where}"]
    steps += [f"hpsearch analyze tied {name} --plot tied.png{where}"] if any_repeated(by_setting(study)) else []
    steps += [f"hpsearch analyze dynamics {name}{where}"] if (folder / TABLE).is_dir() else []
    steps += [] if search.target_reached else [f"hpsearch extend {name} --trials N{where}"]
    steps += [f"hpsearch best {name} --write best.yaml{where}"] if summary.best else []
    out.print()
    facts({"results": f'{shown(folder)}  (pandas.read_parquet("{shown(folder / "trials")}"))', "next": steps[0]})
    for step in steps[1:]:
        out.print(f"         {escape(step)}")


def interrupted(folder: Path) -> None:
    """Say that nothing is lost and how to go on."""
    err.print(f"\ninterrupted; finished trials are kept in {escape(shown(folder))}")
    err.print(f"go on with: hpsearch resume {folder.name}{option_for(folder)}")


def aborted(folder: Path, error: str) -> None:
    """Show the error that all the first trials ended with."""
    err.print("\n[bold red]error:[/bold red] the first three trials failed in the same way; the search is stopped")
    err.print(escape(error))
    err.print(f"after mending the function: hpsearch resume {folder.name} --retry-failed{option_for(folder)}")
    err.print("after changing the space file: hpsearch run, which makes a new study")


def shown(path: Path) -> str:
    """A path relative to the current folder where it lies below it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
