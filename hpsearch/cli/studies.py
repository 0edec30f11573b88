"""``hpsearch list`` and ``hpsearch show``: the studies there are, and what one of them has found."""

from itertools import zip_longest

from rich.table import Table

from hpsearch.analysis.repeats import any_repeated, by_setting
from hpsearch.analysis.rungs import full_runs, rungs
from hpsearch.analysis.summary import Setting, Summary, edges, summarise
from hpsearch.analysis.tied import Tied, tied
from hpsearch.cli import console, options
from hpsearch.cli.effects import effects_json, is_factorial, print_effects
from hpsearch.cli.health_words import edge_words, health_notes
from hpsearch.cli.options import RESULTS
from hpsearch.cli.prior_words import latest_grade, verdict
from hpsearch.cli.settings_table import ROWS, print_settings
from hpsearch.cli.tied_words import rung_line, tied_facts, unknown_noise
from hpsearch.store.reader import Study, StudyEntry, list_studies, open_study
from hpsearch.trial import Status


def list_(results: options.Results = RESULTS, json: options.Json = False) -> None:
    """List the studies in a results folder."""
    entries = list_studies(results)
    if json:
        console.data([_plain(entry) for entry in entries])
        return
    if not entries:
        console.say(f"no studies in {console.shown(results)}; `hpsearch run --space quickstart.yaml` makes one")
        return
    table = console.table("study", "trials", *Status, "created", "goal")
    for entry in entries:
        if entry.problem is not None:
            table.add_row(entry.name, "", *[""] * len(Status), "", f"cannot be read: {entry.problem.splitlines()[0]}")
            continue
        counts = [str(entry.counts.get(status, 0)) for status in Status]
        state = " (running)" if entry.running else ""
        created = (entry.created_at or "")[:16].replace("T", " ")
        table.add_row(entry.name, f"{sum(entry.counts.values())}{state}", *counts, created, entry.goal)
    console.out.print(table)


def show(name: options.Name, results: options.Results = RESULTS, json: options.Json = False) -> None:
    """Show what a study has found: best settings, trials by status, time spent."""
    study = open_study(results, name)
    summary = summarise(study)
    if json:
        console.data({**summary.to_json(), **_more_json(study)})
        return
    goal = {"goal": summary.goal} if summary.goal else {}
    console.facts({"study": summary.name, "state": str(summary.state), **goal})
    print_found(study, summary)


def print_found(study: Study, summary: Summary, top: int | None = None) -> None:
    """Print counts and times, and the ``top`` settings or, of a factorial design, its effects."""
    _print_counts(summary, {**_rungs(study), **_prior(study)})
    if is_factorial(study):
        print_effects(study)
        return
    found = tied(study)
    if not any_repeated(by_setting(study)):
        _print_top(summary, top)
    print_settings(study, found, _rows(found, top))
    at_edges = edges(study.space.parameters, found.best.setting.config) if found else summary.edges
    for edge in at_edges:
        console.note(edge_words(edge))
    if found is not None:
        console.out.print()
        console.facts(tied_facts(found))
    alone = unknown_noise(study)
    for line in [*([alone] if alone else []), *health_notes(study)]:
        console.note(line)


def _rows(found: Tied | None, top: int | None) -> int:
    """Return how many settings the table shows: all, or ``top`` and those that are tied, if they are not many."""
    if top is None:
        return ROWS
    return max(top, min(len(found.members), MANY)) if found else top


def _more_json(study: Study) -> dict[str, object]:
    settings, found = by_setting(study), tied(study)
    return {
        "prior_grade": latest_grade(study.history),
        "settings": [setting.to_json() for setting in settings] if any_repeated(settings) else [],
        "tied": found and found.to_json(),
        "rungs": [rung.to_json() for rung in rungs(study)],
        "effects": effects_json(study),
    }


def _rungs(study: Study) -> dict[str, str]:
    found = rungs(study)
    pairs = zip_longest(found, found[1:])
    lines = {console.counted(rung.epochs, "epoch"): rung_line(rung, longer) for rung, longer in pairs}
    return lines | ({"cost": f"of {full_runs(study):.3g} full runs"} if found else {})


def _prior(study: Study) -> dict[str, str]:
    grade = latest_grade(study.history)
    return {} if grade is None else {"prior": verdict(grade, study.space)}


def _print_counts(summary: Summary, more: dict[str, str]) -> None:
    counts = "  ".join(f"{status} {count}" for status, count in summary.counts.items() if count) or "none yet"
    pace = "" if summary.trials_per_hour is None else f", {summary.trials_per_hour:.0f} trials an hour"
    saved = f"; early stopping saved {summary.epochs_saved} epochs" if summary.epochs_saved else ""
    console.facts(
        {
            "trials": counts,
            "time": f"{console.duration(summary.wall_seconds)} in all{pace}; "
            f"{console.duration(summary.train_seconds)} of training{saved}",
            **more,
        }
    )
    for error, count in summary.failures.items():
        console.note(f"{console.counted(count, 'trial')} failed with {error}")


def _print_top(summary: Summary, top: int | None) -> None:
    if not summary.top:
        console.say("no trial of full length has run to its end with a value of the objective")
        return
    console.out.print()
    console.out.print(_settings(summary, summary.top[:top]))


MANY = 10
"""Tied settings at the end of a run; `show` has them all."""

LEAVE_OUT = ("seconds", "epochs", "test_accuracy", "val_accuracy")
"""Columns that go, in this order, where the terminal is too narrow for all."""


def _settings(summary: Summary, settings: tuple[Setting, ...]) -> Table:
    rows = [_row(summary, setting) for setting in settings]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    for name in LEAVE_OUT:
        if _width(columns, rows) > console.out.width and name in columns and name != summary.metric:
            columns.remove(name)
    direction = "lowest" if summary.mode == "min" else "highest"
    table = console.table(*columns, title=f"{direction} {summary.metric}")
    for row in rows:
        table.add_row(*(row.get(name, "-") for name in columns))
    return table


def _row(summary: Summary, setting: Setting) -> dict[str, str]:
    """Return the cells of a setting by the name of their column."""
    metrics = [name for name in ("val_loss", "val_accuracy", "test_accuracy") if name in setting.metrics]
    return {
        "trial": setting.trial_id,
        summary.metric: console.number(setting.objective),
        **{name: console.number(setting.metrics[name]) for name in metrics if name != summary.metric},
        **{name: console.value(value) for name, value in setting.config.items()},
        "epochs": str(setting.epochs),
        "seconds": f"{setting.train_seconds:.1f}",
    }


def _width(columns: list[str], rows: list[dict[str, str]]) -> int:
    return sum(2 + max(len(name), *(len(row.get(name, "-")) for row in rows)) for name in columns) - 2


def _plain(entry: StudyEntry) -> dict[str, object]:
    return {
        "name": entry.name,
        "created_at": entry.created_at,
        "goal": entry.goal,
        "counts": dict(entry.counts),
        "running": entry.running,
        "problem": entry.problem,
    }
