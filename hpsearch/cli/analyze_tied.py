"""``hpsearch analyze tied``: which settings of a study share the first place."""

from typing import Annotated

import typer

from hpsearch.analysis.tied import check_enough, not_known
from hpsearch.analysis.tied import tied as tied_of
from hpsearch.cli import console, options
from hpsearch.cli.advise import check_option
from hpsearch.cli.options import RESULTS
from hpsearch.cli.pictures import Plot, check_plot, keep_plot
from hpsearch.cli.settings_table import print_settings
from hpsearch.cli.tied_words import tied_facts, unstable
from hpsearch.statistics.confidence_set import CONFIDENCE
from hpsearch.store.reader import open_study

Confidence = Annotated[float, typer.Option("--confidence", help="How surely the best setting is to be among the tied.")]


def tied(
    name: options.Name,
    confidence: Confidence = CONFIDENCE,
    plot: Plot = None,
    results: options.Results = RESULTS,
    json: options.Json = False,
) -> None:
    """Say which settings are tied: those that the noise of single runs does not let tell from the best."""
    check_option("--confidence", confidence, 0.5 < confidence < 1, "above 0.5, below 1", "not a confidence")
    check_plot(plot)
    study = open_study(results, name)
    check_enough(study)
    found = tied_of(study, confidence)
    if found is None:
        raise not_known(study)
    if json:
        console.data(found.to_json())
    else:
        console.facts({"study": study.name, **tied_facts(found)})
        for line in unstable(found):
            console.say(line)
        print_settings(study, found)
    if plot is not None:
        from hpsearch.report.tied_plot import draw, ranking

        keep_plot(draw(ranking(study, found)), plot)
