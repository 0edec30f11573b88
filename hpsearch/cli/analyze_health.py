"""``hpsearch analyze health``: how well a search went, and which of its parameters mattered."""

from hpsearch.analysis.importance import Importances, importances
from hpsearch.analysis.search_health import health as health_of
from hpsearch.cli import console, options
from hpsearch.cli.health_words import health_facts, print_importances
from hpsearch.cli.options import RESULTS
from hpsearch.cli.pictures import Plot, check_plot, keep_plot
from hpsearch.errors import StudyError
from hpsearch.store.reader import Study, open_study


def health(
    name: options.Name, plot: Plot = None, results: options.Results = RESULTS, json: options.Json = False
) -> None:
    """Say how well a search went: time without a result, noise, progress, bounds, and which parameters mattered."""
    check_plot(plot)
    study = open_study(results, name)
    found = health_of(study)
    importance, missing = _importances(study)
    if json:
        named = importance.to_json() if importance else None
        console.data({**found.to_json(), "importance": named, "no_importance": missing})
    else:
        console.facts({"study": found.name, **health_facts(study, found)})
        console.out.print()
        if importance is not None:
            print_importances(importance)
        else:
            console.note(f"no importance of parameters: {missing}")
    if plot is not None:
        from hpsearch.report.health_plot import draw, history

        keep_plot(draw(history(study, found), importance), plot)


def _importances(study: Study) -> tuple[Importances | None, str | None]:
    """Return the importance of the parameters, or why there is none."""
    try:
        return importances(study), None
    except StudyError as error:
        problem = error.problems[0]
        return None, f"{problem.what} (there are {problem.got})"
