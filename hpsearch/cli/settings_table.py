"""The table of a study's settings where some were run more than once."""

from hpsearch.analysis.repeats import Repeated, any_repeated, by_setting, varying
from hpsearch.cli import console
from hpsearch.store.reader import Study

ROWS = 30
"""Settings in the table: all of them for a grid that is meant to be read."""


def print_settings(study: Study, top: int = ROWS) -> None:
    """Print the ``top`` settings by the mean of the objective, if any has more than one completed trial."""
    settings = by_setting(study)
    if not any_repeated(settings):
        return
    metric = study.space.objective.metric
    names = varying(settings)
    tested = all("test_accuracy" in setting.metrics for setting in settings)
    table = console.table(*names, "n", metric, *(["test_accuracy"] if tested else []), "seconds", title="by setting")
    for setting in settings[:top]:
        values = [console.value(setting.config[name]) if name in setting.config else "-" for name in names]
        test = [console.number(setting.metrics["test_accuracy"])] if tested else []
        table.add_row(*values, str(setting.n), _mean(setting), *test, f"{setting.train_seconds:.1f}")
    console.out.print()
    console.out.print(table)
    console.note(f"means over n trials; +- is the standard error of the mean {metric}, from the spread of its trials")


def _mean(setting: Repeated) -> str:
    mean, error = console.number(setting.mean), setting.standard_error
    return mean if error is None else f"{mean} +- {float(f'{error:.2g}'):g}"  # two digits, and no exponent for 190
