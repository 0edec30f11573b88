"""The pictures of ``hpsearch study batchnorm``, by name: those of what is stored."""

from matplotlib.figure import Figure

from hpsearch.analysis.batch_norm_study import BatchNormStudy
from hpsearch.report import (
    constant_function_plot,
    descent_plot,
    gradient_share_plot,
    overlap_plot,
    perturbation_plot,
    spectrum_plot,
)


def pictures(found: BatchNormStudy) -> dict[str, Figure]:
    """Draw each of which there is data."""
    drawn: dict[str, Figure] = {}
    if found.growth:
        drawn["constant_function"] = constant_function_plot.draw(constant_function_plot.layers(found))
    if found.moves:
        drawn["moves"] = perturbation_plot.draw(perturbation_plot.moved(found))
    if found.gradients:
        drawn["gradients"] = gradient_share_plot.draw(gradient_share_plot.shares(found))
    if found.spectra:
        drawn["eigenvalues"] = spectrum_plot.draw(spectrum_plot.spectra(found))
    if found.overlaps:
        drawn["overlaps"] = overlap_plot.draw(overlap_plot.panels(found))
    if found.descents:
        drawn["descents"] = descent_plot.draw(descent_plot.descents(found))
    return drawn
