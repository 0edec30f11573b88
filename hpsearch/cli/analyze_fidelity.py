"""``hpsearch analyze fidelity``: what the shorter runs of a study foretold, and what they saved."""

from collections.abc import Sequence

from hpsearch.analysis.rungs import Rung, check_shorter, full_runs, rungs
from hpsearch.analysis.tied import check_enough
from hpsearch.cli import console, options
from hpsearch.cli.options import RESULTS
from hpsearch.cli.pictures import Plot, check_plot, keep_plot
from hpsearch.samplers.rungs import MISLEADS
from hpsearch.statistics.rank_correlation import LEAST
from hpsearch.store.reader import Study, open_study


def fidelity(
    name: options.Name, plot: Plot = None, results: options.Results = RESULTS, json: options.Json = False
) -> None:
    """Say how well shorter runs rank settings as longer ones do, how many went on, and what all of them cost."""
    check_plot(plot)
    study = open_study(results, name)
    check_shorter(study)
    check_enough(study, shorter=True)
    found = rungs(study)
    if json:
        console.data({"study": study.name, "rungs": [rung.to_json() for rung in found], "full_runs": full_runs(study)})
    else:
        _print(study, found)
    if plot is not None:
        from hpsearch.report.rungs_plot import draw, steps

        keep_plot(draw(steps(study), study.space.objective.metric), plot)


def _print(study: Study, found: Sequence[Rung]) -> None:
    begin = next(rung.epochs for rung in found if rung.used)
    settings = len({trial.key for trial in study.history})
    console.facts(
        {
            "study": study.name,
            "settings": f"{settings}, for the epochs of {full_runs(study):.3g} full runs",
            "new ones": f"begin with {console.counted(begin, 'epoch')}{_dropped(found)}",
        }
    )
    _print_rungs(found, study.space.objective.metric)
    console.note("ranks: the rank correlation with the next length, of all settings; the better ones, which went on,")
    console.note("spread less than all do, and their own correlation, being smaller for that, is made up for it")


def _print_rungs(found: Sequence[Rung], metric: str) -> None:
    counts = ("epochs", "completed", "settings", "diverged", "went on")
    table = console.table(*counts, f"best {metric}", "time", "ranks", "90% interval", "by")
    for rung in found:
        best = "-" if rung.best is None else console.number(rung.best)
        figures = (rung.epochs, rung.trained, rung.settings, rung.diverged, rung.went_on)
        table.add_row(*map(str, figures), best, console.duration(rung.train_seconds), *_ranks(rung, rung is found[-1]))
    console.out.print()
    console.out.print(table)


def _dropped(found: Sequence[Rung]) -> str:
    dropped = [str(rung.epochs) for rung in found if not rung.used]
    if not dropped:
        return ""
    return f"; what {' and '.join(dropped)} epochs say misleads: the interval lies below {MISLEADS:g}"


def _ranks(rung: Rung, top: bool) -> list[str]:
    """Return how well a rung ranks, its interval, and by how many settings."""
    if top:
        return ["", "", ""]
    agreement = rung.agreement
    if agreement is None:
        return ["-", "", f"not known before {LEAST} settings have gone on"]
    interval = f"{agreement.low:.2f} to {agreement.high:.2f}"
    return [f"{agreement.value:.2f}", interval, console.counted(agreement.n, "setting")]
