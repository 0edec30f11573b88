"""The table of a study's settings where some were run more than once."""

from hpsearch.analysis.repeats import Repeated, any_repeated, by_stability, varying
from hpsearch.analysis.tied import Tied
from hpsearch.cli import console
from hpsearch.store.reader import Study

ROWS = 30
"""Settings in the table: all of them for a grid that is meant to be read."""


def print_settings(study: Study, found: Tied | None, top: int = ROWS) -> None:
    """Print the ``top`` settings by the mean of the objective, if any has more than one completed trial.

    Those that are tied with the best are marked, with what is to be expected of them.
    """
    stable, unstable = by_stability(study)
    settings = [*stable, *unstable]
    if not any_repeated(settings):
        return
    metric = study.space.objective.metric
    names = varying(settings)
    tested = all("test_accuracy" in setting.metrics for setting in settings)
    columns = [
        *names,
        "n",
        metric,
        *(["", "expected"] if found else []),
        *(["test_accuracy"] if tested else []),
        "seconds",
    ]
    table = console.table(*columns, title="by setting")
    for setting in settings[:top]:
        values = [console.value(setting.config[name]) if name in setting.config else "-" for name in names]
        test = [console.number(setting.metrics["test_accuracy"])] if tested else []
        mark = _mark(setting, found) if found else []
        table.add_row(*values, str(setting.n), _mean(setting), *mark, *test, f"{setting.train_seconds:.1f}")
    console.out.print()
    console.out.print(table)
    console.note(f"means over n trials; +- is the standard error of the mean {metric}, from the spread of its trials")


def with_error(value: float, error: float) -> str:
    """A number with its standard error."""
    return f"{console.number(value)} +- {float(f'{error:.2g}'):g}"  # two digits, and no exponent for 190


def _mean(setting: Repeated) -> str:
    error = setting.standard_error
    return console.number(setting.mean) if error is None else with_error(setting.mean, error)


def _mark(setting: Repeated, found: Tied) -> list[str]:
    """Return whether a setting is the best, tied with it, or no choice, and what is to be expected of it."""
    if any(one.config == setting.config for one in found.unstable):
        return ["diverged", ""]
    for one in found.members:
        if one.setting.config == setting.config:
            return ["best" if one is found.best else "tied", with_error(one.expected, one.standard_error)]
    return ["", ""]
