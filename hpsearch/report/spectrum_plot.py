"""The picture of the leading Hessian eigenvalues: of each network, and what of them is left outside of spans."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from hpsearch.analysis.batch_norm_study import BatchNormStudy
from hpsearch.analysis.hessian_spectra import WHOLE, Eigenvalues, Spectrum
from hpsearch.report.batch_norm_look import colour, legend, nothing_to_draw, seeds_drawn, words
from hpsearch.report.style import GREY, look


@dataclass(frozen=True)
class Spectra:
    """The spectra of whole Hessians, and all largest eigenvalues: by network, then ``spans``."""

    whole: tuple[Spectrum, ...]
    all: tuple[Spectrum, ...]
    spans: tuple[str, ...]

    @property
    def any_positive(self) -> bool:
        """Whether there is a value that a logarithmic axis can show."""
        return any(bool((eigenvalues.values > 0).any()) for one in self.all for eigenvalues in one.seeds.values())

    @property
    def any_unsure(self) -> bool:
        """Whether one of the values that are drawn has not converged, or is as small as its residual."""
        whole = [values for one in self.whole for values in one.seeds.values()]
        largest = [values for one in self.all for values in one.seeds.values()]
        return not (all(one.sure.all() for one in whole) and all(one.sure[0] for one in largest))

    @property
    def networks(self) -> tuple[str, ...]:
        """The networks in their order."""
        return tuple(dict.fromkeys(one.network for one in self.all))


def spectra(found: BatchNormStudy) -> Spectra:
    """Return the data of the picture. Raises StudyError where no eigenvalues are stored."""
    if not found.spectra:
        raise nothing_to_draw("eigenvalues of the Hessian")
    whole = tuple(one for one in found.spectra if one.outside == WHOLE)
    return Spectra(whole, found.spectra, tuple(dict.fromkeys(one.outside for one in found.spectra)))


def draw(data: Spectra) -> Figure:
    """Draw the eigenvalues by index, hollow where they are not sure, and the largest one outside of each span."""
    with look():
        figure = Figure(figsize=(9.6, 4.2))
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1.25, 1))
        for one in data.whole:
            for eigenvalues in one.seeds.values():
                _line(left, one.network, eigenvalues)
        _left_over(right, data)
        left.set(
            yscale="log" if data.any_positive else "linear",
            xlabel="index of the eigenvalue",
            ylabel="eigenvalue of the Hessian (loss)",
        )
        left.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
        seeds = seeds_drawn(seed for one in data.all for seed in one.seeds)
        left.set_title(f"leading eigenvalues of the Hessian; {seeds}")
        right.set_title("largest eigenvalue orthogonal to a span")
        hollow = Line2D([], [], color=GREY, linestyle="", marker="o", markersize=4, mfc="white", label="not sure")
        legend(figure, data.networks, [hollow] if data.any_unsure else [])
    return figure


def _line(axes: Axes, network: str, eigenvalues: Eigenvalues) -> None:
    """Draw one seed; what is not above zero has no place on the axis."""
    values = np.where(eigenvalues.values > 0, eigenvalues.values, np.nan)
    index, tint = np.arange(1, len(values) + 1), colour(network)
    axes.plot(index, values, color=tint, linewidth=1.1, alpha=0.8)
    for chosen, inside in ((eigenvalues.sure, tint), (~eigenvalues.sure, "white")):
        axes.plot(index[chosen], values[chosen], "o", color=tint, markersize=3.5, markerfacecolor=inside)


def _left_over(axes: Axes, data: Spectra) -> None:
    for network in data.networks:
        own = {one.outside: one for one in data.all if one.network == network}
        seeds = sorted({seed for one in own.values() for seed in one.seeds})
        for seed in seeds:
            here = {span: one.seeds[seed] for span, one in own.items() if seed in one.seeds}
            _largest(axes, network, [data.spans.index(span) for span in here], list(here.values()))
    labels = ["none" if span == WHOLE else f"of output\n{_broken(span)}" for span in data.spans]
    axes.set_xticks(range(len(labels)), labels)
    axes.set_xlim(-0.4, len(labels) - 0.6)
    axes.set_xlabel("gradients whose span is left out")


def _largest(axes: Axes, network: str, places: Sequence[int], found: Sequence[Eigenvalues]) -> None:
    largest = np.array([one.values[0] for one in found])
    sure = np.array([one.sure[0] for one in found])
    place, tint = np.array(places), colour(network)
    largest = np.where(largest > 0, largest, np.nan)
    axes.plot(place, largest, color=tint, linewidth=1.1, alpha=0.8, label=words(network))
    for chosen, inside in ((sure, tint), (~sure, "white")):
        axes.plot(place[chosen], largest[chosen], "o", color=tint, markersize=4.5, markerfacecolor=inside)


def _broken(span: str) -> str:
    """Break the name of a span into lines that fit below an axis."""
    return span.replace(" and ", "\nand ").replace(", ", ",\n")
