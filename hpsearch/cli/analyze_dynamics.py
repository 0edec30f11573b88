"""``hpsearch analyze dynamics``: what the weights did in traced trials, beside what the theory of weight decay says."""

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hpsearch.analysis.comparisons import Comparisons
from hpsearch.analysis.layer_dynamics import TrialDynamics, trial_dynamics
from hpsearch.cli import console, options
from hpsearch.cli.options import RESULTS
from hpsearch.cli.pictures import Plot, check_plot, keep_plot
from hpsearch.errors import Problem, StudyError, listed
from hpsearch.store.dynamics import read_dynamics, traced
from hpsearch.store.reader import Study, open_study

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Picture(StrEnum):
    """What ``--plot`` draws."""

    NORMS = "norms"
    ROTATION = "rotation"
    COLLAPSE = "collapse"
    PLANE = "plane"
    LARS = "lars"
    MERGING = "merging"


OF_ONE = (Picture.NORMS, Picture.ROTATION)
"""Pictures of one trial; the others are of all."""

Trial = Annotated[str | None, typer.Option("--trial", metavar="ID", help="Only this trial; else the best, and all.")]
Which = Annotated[
    Picture | None, typer.Option("--picture", help="Of one trial: norms (the default), rotation; of all: the others.")
]


def dynamics(
    name: options.Name,
    trial: Trial = None,
    picture: Which = None,
    plot: Plot = None,
    results: options.Results = RESULTS,
    json: options.Json = False,
) -> None:
    """Compare norms and rotations of weights with theory: tensor by tensor in one trial, and between trials.

    One trial: do norms come to the balance of decay and gradients, when, how far behind the schedule; do all tensors
    turn at the predicted rate? All trials: is the decay all that matters, or the ratio of learning rate and decay too;
    is LARS without decay the same as SGD with it; when is the length of the initial weights forgotten?
    """
    check_plot(plot)
    _check_picture(picture, trial, plot)
    study = open_study(results, name)
    trial_id = trial or _best(study)
    one = trial_dynamics(read_dynamics(study, [trial_id]))
    comparisons = Comparisons(study)
    figure = _drawn(picture or Picture.NORMS, comparisons, one) if plot is not None else None
    if json:
        console.data(_data(comparisons, one, alone=trial is not None))
    else:
        _print(comparisons, one, alone=trial is not None)
    if plot is not None and figure is not None:
        keep_plot(figure, plot)


def _check_picture(picture: Picture | None, trial: str | None, plot: Path | None) -> None:
    """Raise StudyError for a picture that has no file, or is not of the one trial that was asked for."""
    if picture is not None and plot is None:
        what = "the picture has no file to be written to"
        raise StudyError(Problem(what, key="--picture", got=picture, hint="add --plot FILE"))
    if trial is not None and picture is not None and picture not in OF_ONE:
        what, hint = "this picture is of all trials", "leave out --trial"
        raise StudyError(Problem(what, key="--picture", got=picture, allowed=listed(OF_ONE), hint=hint))


def _best(study: Study) -> str:
    """Return the traced trial with the best result, of a full run if there is one, or the first where none has any."""
    known = traced(study)
    ranks = {
        trial.trial_id: (trial.schedule is not None, study.space.objective.loss(trial.final))
        for trial in study.history
        if trial.final is not None and trial.trial_id in known
    }
    return min(ranks, key=lambda trial_id: ranks[trial_id], default=known[0])


def _data(comparisons: Comparisons, one: TrialDynamics, alone: bool) -> dict[str, Any]:
    from hpsearch.cli.trials_dynamics import compared

    data = {"study": comparisons.study.name, "trial": one.to_json()}
    return data if alone else data | {name: found.to_json() for name, found in compared(comparisons).items()}


def _print(comparisons: Comparisons, one: TrialDynamics, alone: bool) -> None:
    from hpsearch.cli.trial_dynamics import print_trial
    from hpsearch.cli.trials_dynamics import print_compared

    study = comparisons.study
    trial = next(trial for trial in study.history if trial.trial_id == one.trial_id)
    which = "the first one" if trial.final is None else "the best of them"
    shown = one.trial_id if alone else f"{one.trial_id}, {which}; --trial ID shows another"
    console.facts({"study": study.name, "traced": _counts(study), "trial": shown})
    print_trial(one, trial, study.space.objective.metric)
    if not alone:
        print_compared(comparisons)


def _counts(study: Study) -> str:
    counts = f"{console.counted(len(traced(study)), 'trial')} of {len(study.history)}"
    return f"{counts} that ended; {len(study.pending)} under way" if study.running and study.pending else counts


def _drawn(picture: Picture, comparisons: Comparisons, one: TrialDynamics) -> "Figure":
    """Return a picture of the study and the one trial. Raises StudyError where there is nothing to draw."""
    from hpsearch.cli import dynamics_pictures

    draw: Callable[[Comparisons, TrialDynamics], Figure] = getattr(dynamics_pictures, picture)
    try:
        return draw(comparisons, one)
    except StudyError as error:
        if any(problem.file for problem in error.problems):  # not the picture, a table is wrong
            raise
        raise StudyError(*(replace(problem, key="--picture") for problem in error.problems)) from error
