"""Figures that a study measured once for each seed, and what they are together."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hpsearch.analysis.means import Moments, moments


@dataclass(frozen=True)
class BySeed:
    """One figure of each seed; it is not finite where a run diverged."""

    values: Mapping[int, float]

    @property
    def finite(self) -> Mapping[int, float]:
        """The seeds where it is a number."""
        return {seed: value for seed, value in self.values.items() if math.isfinite(value)}

    @property
    def moments(self) -> Moments | None:
        """Mean and standard deviation over the finite values, None where there is none."""
        finite = list(self.finite.values())
        return moments(finite) if finite else None

    def over(self, other: "BySeed") -> "BySeed":
        """Divide by another figure, seed by seed; seeds are left out that lack either or where ``other`` is not > 0."""
        below = {seed: value for seed, value in other.finite.items() if value > 0}
        return BySeed({seed: value / below[seed] for seed, value in self.finite.items() if seed in below})

    def minus(self, other: "BySeed") -> "BySeed":
        """Subtract another figure, seed by seed, where both are finite."""
        theirs = other.finite
        return BySeed({seed: value - theirs[seed] for seed, value in self.finite.items() if seed in theirs})


def means(rows: pd.DataFrame, column: str) -> BySeed:
    """Return the mean of a column over the rows of each seed; missing values do not count."""
    return BySeed({seed: float(own[column].mean()) for seed, own in seeds(rows).items()})


def seeds(rows: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """Return the rows of each seed."""
    return {int(seed): rows[rows["seed"] == seed] for seed in np.unique(rows["seed"])}


def divided(table: pd.DataFrame, column: str, order: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Return the rows of each name in ``column``, those of ``order`` first and in that order."""
    found = [str(name) for name in table[column].unique()]
    names = [*(name for name in order if name in found), *(name for name in found if name not in order)]
    return {name: table[table[column] == name] for name in names}
