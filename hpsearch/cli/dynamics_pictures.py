"""The pictures of ``hpsearch analyze dynamics``, a function for each name; all take the study and the one trial."""

from matplotlib.figure import Figure

from hpsearch.analysis.collapse import collapse as collapse_of
from hpsearch.analysis.lars_equivalence import lars_equivalence
from hpsearch.analysis.layer_dynamics import TrialDynamics
from hpsearch.analysis.merging import merging as merging_of
from hpsearch.report import collapse_plot, lars_plot, merging_plot, norms_plot, plane_plot, rotation_plot
from hpsearch.store.reader import Study


def norms(_: Study, one: TrialDynamics) -> Figure:
    """Draw |w| of each tensor, its path by theory, and its balance."""
    return norms_plot.draw(norms_plot.norming(one))


def rotation(_: Study, one: TrialDynamics) -> Figure:
    """Draw measured over predicted rotation of each tensor."""
    return rotation_plot.draw(rotation_plot.turning(one))


def collapse(study: Study, _: TrialDynamics) -> Figure:
    """Draw the effective learning rates of all trials, by decay and by ratio."""
    return collapse_plot.draw(collapse_plot.curves(collapse_of(study)))


def plane(study: Study, _: TrialDynamics) -> Figure:
    """Draw the results over decay and ratio."""
    found = collapse_of(study)
    mode = study.space.objective.mode if found.metric == study.space.objective.metric else "max"
    return plane_plot.draw(plane_plot.plane(found, mode))


def lars(study: Study, _: TrialDynamics) -> Figure:
    """Draw SGD with decay against LARS without."""
    return lars_plot.draw(lars_plot.pairs(lars_equivalence(study)))


def merging(study: Study, _: TrialDynamics) -> Figure:
    """Draw |w| from several lengths of the initial weights."""
    return merging_plot.draw(merging_plot.panels(merging_of(study)))
