"""What trials measured where two settings lie apart along a direction: no model, only differences.

A quadratic is the same on both sides of its optimum; the differences are taken each way, so that a claim that holds
one way only can be seen. They start from the settings where the fitted surface, not the measured loss, is lowest: to
start from lucky losses would make every move look worse than it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from hpsearch.analysis.flat_axes import Places
from hpsearch.analysis.means import CONFIDENCE
from hpsearch.analysis.quadratic import Estimate
from hpsearch.space.axes import Floats

LEAST_PAIRS = 3
CLOSE = 1e-6
"""Octaves: places nearer than this are one."""


@dataclass(frozen=True)
class Pairs:
    """Mean change of the loss over ``n`` pairs of trials whose second is ``factor`` further along a direction."""

    factor: float
    n: int
    change: Estimate


def pairs(places: Places, starts: npt.NDArray[np.intp], directions: Sequence[Floats]) -> list[dict[int, Pairs]]:
    """Return for each direction, (4,) in octaves, the changes by way: 1 forward, -1 back.

    ``starts`` are positions of trials. All directions have the same factor, the smallest for which the first has pairs.
    """
    found = [_changes(places, starts, direction) for direction in directions]
    sizes = [abs(length) for length, changes in found[0].items() if len(changes) >= LEAST_PAIRS]
    return [_ways(changes, min(sizes)) for changes in found] if sizes else [{} for _ in directions]


def _changes(places: Places, starts: npt.NDArray[np.intp], direction: Floats) -> dict[float, list[float]]:
    """Return the changes of the loss by the length of the move, in octaves, negative for one back."""
    found: dict[float, list[float]] = {}
    for one in starts:
        apart = places.z - places.z[one]
        lengths = apart @ direction / (direction @ direction)
        aligned = np.abs(apart - np.outer(lengths, direction)).max(axis=1) < CLOSE
        there = aligned & (np.abs(lengths) > CLOSE) & (places.kind == places.kind[one])
        for other in np.flatnonzero(there):
            length = round(float(lengths[other]), 5)
            found.setdefault(length, []).append(float(places.losses[other] - places.losses[one]))
    return found


def _ways(changes: dict[float, list[float]], size: float) -> dict[int, Pairs]:
    ways = {way: changes.get(way * size, []) for way in (1, -1)}
    return {way: Pairs(2**size, len(some), _mean(some)) for way, some in ways.items() if len(some) >= LEAST_PAIRS}


def _mean(values: Sequence[float]) -> Estimate:
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1)) / len(values) ** 0.5
    half = float(stdtrit(len(values) - 1, (1 + CONFIDENCE) / 2)) * error
    return Estimate(mean, mean - half, mean + half)
