"""The pictures of ``hpsearch analyze dynamics``, by name; all take the comparisons of a study and the one trial."""

from matplotlib.figure import Figure

from hpsearch.analysis.comparisons import Comparisons
from hpsearch.analysis.layer_dynamics import TrialDynamics
from hpsearch.report import collapse_plot, lars_plot, merging_plot, norms_plot, plane_plot, rotation_plot


def norms(_: Comparisons, one: TrialDynamics) -> Figure:
    """Draw |w| of each tensor, its path by theory, and its balance."""
    return norms_plot.draw(norms_plot.norming(one))


def rotation(_: Comparisons, one: TrialDynamics) -> Figure:
    """Draw measured over predicted rotation of each tensor."""
    return rotation_plot.draw(rotation_plot.turning(one))


def collapse(found: Comparisons, _: TrialDynamics) -> Figure:
    """Draw the effective learning rates of all trials, by decay and by ratio."""
    return collapse_plot.draw(collapse_plot.curves(found.collapse))


def plane(found: Comparisons, _: TrialDynamics) -> Figure:
    """Draw the results over decay and ratio."""
    objective = found.study.space.objective
    mode = objective.mode if found.collapse.metric == objective.metric else "max"
    return plane_plot.draw(plane_plot.plane(found.collapse, mode))


def lars(found: Comparisons, _: TrialDynamics) -> Figure:
    """Draw SGD with decay against LARS without."""
    return lars_plot.draw(lars_plot.pairs(found.lars))


def merging(found: Comparisons, _: TrialDynamics) -> Figure:
    """Draw |w| from several lengths of the initial weights."""
    return merging_plot.draw(merging_plot.panels(found.merging))
