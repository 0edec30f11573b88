"""The leading eigenvalues of the Hessian: how sure they are, what stands out, and which learning rate they allow."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from hpsearch.analysis.by_seed import BySeed, seeds
from hpsearch.analysis.constant_function import Floats
from hpsearch.analysis.output_moves import pairs

WHOLE = ""
"""What ``outside`` says of the eigenvalues of the whole Hessian."""
SPANS = ("means", "means and variances", "means, variances and skews")
BEYOND = 2
"""Eigenvalues beyond the number of classes among which outliers are looked for."""


@dataclass(frozen=True)
class Gap:
    """The widest gap in the spectrum: the last of ``outliers`` values is at least ``ratio`` times the next."""

    outliers: int
    ratio: float


@dataclass(frozen=True)
class Eigenvalues:
    """The leading eigenvalues of one seed by falling value, their residuals and whether these are small enough."""

    values: Floats
    residuals: Floats
    converged: npt.NDArray[np.bool_]

    @property
    def sure(self) -> npt.NDArray[np.bool_]:
        """Which have converged, and are not as small as their residual."""
        return self.converged & (np.abs(self.values) > self.residuals)

    def above(self, value: float) -> float:
        """Return how many are above ``value``, infinity where all are: the next ones were not computed."""
        return math.inf if (self.values > value).all() else float((self.values > value).sum())

    def gap(self, classes: int) -> Gap | None:
        """Return the largest ratio between neighbours among the first ``classes`` + 2.

        A ratio is the least that the residuals leave possible: a value near zero is not known well enough to be far
        below another. None where the first ``classes`` + 1 were not all computed, converged and positive.
        """
        found = self.values[: classes + BEYOND]
        known = self.converged[: len(found)] & (found > 0)
        count = len(found) if known.all() else int(np.argmin(known))
        if count <= classes:
            return None
        values, residuals = self.values[:count], self.residuals[:count]
        ratios = (values - residuals)[:-1] / (values + residuals)[1:]
        place = int(np.argmax(ratios))
        return Gap(place + 1, float(ratios[place]))


@dataclass(frozen=True)
class Spectrum:
    """The leading eigenvalues of a network outside of a span of ``outside_size`` directions; ``outside`` names it."""

    network: str
    outside: str
    outside_size: int
    seeds: Mapping[int, Eigenvalues]

    @property
    def leading(self) -> BySeed:
        """The largest eigenvalue that was found, converged or not."""
        return BySeed({seed: float(one.values[0]) for seed, one in self.seeds.items()})

    @property
    def highest_lr(self) -> BySeed:
        """The learning rate up to which gradient descent without momentum is stable: 2 / largest eigenvalue."""
        return BySeed({seed: 2 / value for seed, value in self.leading.finite.items() if value > 0})

    @property
    def converged(self) -> int:
        """How many eigenvalues of all seeds have converged."""
        return sum(int(one.converged.sum()) for one in self.seeds.values())

    @property
    def computed(self) -> int:
        """How many eigenvalues of all seeds there are."""
        return sum(len(one.values) for one in self.seeds.values())

    @property
    def unsure_leading(self) -> tuple[int, ...]:
        """The seeds whose largest eigenvalue has not converged."""
        return tuple(seed for seed, one in self.seeds.items() if not one.converged[0])

    @property
    def worst_residual(self) -> float:
        """The largest residual over the largest eigenvalue of its seed, in size."""
        return max(
            float(one.residuals.max()) / (float(np.abs(one.values).max()) or np.nan) for one in self.seeds.values()
        )

    def gaps(self, classes: int) -> dict[int, Gap]:
        """Return the widest gap of each seed where it is known."""
        found = {seed: one.gap(classes) for seed, one in self.seeds.items()}
        return {seed: gap for seed, gap in found.items() if gap is not None}


def spectra(table: pd.DataFrame) -> tuple[Spectrum, ...]:
    """Return the spectra of the table ``eigenvalues``: of each network the whole Hessian's, then outside of spans."""
    return tuple(
        Spectrum(
            network,
            outside,
            int(rows["outside_size"].iloc[0]),
            {seed: _eigenvalues(own) for seed, own in seeds(rows).items()},
        )
        for network, outside, rows in pairs(table, "outside", (WHOLE, *SPANS))
    )


def _eigenvalues(rows: pd.DataFrame) -> Eigenvalues:
    rows = rows.sort_values("index")
    values, residuals = (rows[name].to_numpy(dtype=float) for name in ("value", "residual"))
    return Eigenvalues(values, residuals, rows["converged"].to_numpy(dtype=bool))
