"""Runs in the plane of decay and ratio: which of the two explains how they differ, and what is missing to tell."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpsearch.analysis.means import moments
from hpsearch.space.axes import Floats
from hpsearch.statistics.explained import LEAST_FREEDOM, Design, Explained, design, explained, levels, shares


@dataclass(frozen=True)
class Run:
    """A trial: its peak ``lr`` among the traced steps, what else holds there, and its ``result``."""

    trial_id: str
    lr: float
    decay: float
    ratio: float
    result: float


@dataclass(frozen=True)
class Shares:
    """The shares of a variance that are explained; None where the runs cannot tell.

    ``decay``, ``ratio``  what each adds to the other;  ``both``  together
    ``decay_alone``, ``ratio_alone``  without the other: where the two go together a little, as in a grid of learning
    rates and weight decays, this holds what may be due to either
    """

    decay: Explained | None = None
    ratio: Explained | None = None
    both: Explained | None = None
    decay_alone: Explained | None = None
    ratio_alone: Explained | None = None


@dataclass(frozen=True)
class Spread:
    """How far apart runs of equal decay are: the std of the log of their effective rate, at start and end.

    ``curve`` (m,) is the same over the whole grid; ``decades`` is the widest range of ratios at one decay; ``runs`` and
    ``decays`` count those it is made of.
    """

    start: float
    end: float
    decades: float
    runs: int
    decays: int
    curve: Floats


@dataclass(frozen=True)
class Cell:
    """The runs of one decay and ratio: mean and std of their result, the latter None for a single one."""

    decay: float
    ratio: float
    mean: float
    std: float | None
    n: int


def variance(runs: Sequence[Run], values: Floats) -> Shares:
    """Return what explains ``values`` (n, m) of the runs."""
    if len(runs) < 2:
        return Shares()
    return Shares(**{name: explained(of, values) for name, of in _designs(runs).items()})


def variance_over_run(runs: Sequence[Run], curves: Floats) -> dict[str, Floats]:
    """Return the shares (m,) of each column of ``curves`` (n, m), under the names that ``Shares`` has for them."""
    if len(runs) < 2:
        return {}
    return {name: shares(of, curves) for name, of in _designs(runs).items()}


def spread(runs: Sequence[Run], curves: Floats) -> Spread | None:
    """Return the spread of ``curves`` (n, m) within decays that have more than one ratio, None where none has."""
    decay, ratio = _factors(runs)
    level = levels(decay)
    equal = [np.flatnonzero(level == one) for one in np.unique(level)]
    groups = [group for group in equal if levels(ratio[group]).max() > 0]
    if not groups or not curves.size:
        return None
    squares = sum(np.sum((curves[group] - curves[group].mean(axis=0)) ** 2, axis=0) for group in groups)
    count = sum(map(len, groups))
    curve: Floats = np.sqrt(squares / (count - len(groups)))
    decades = max(float(np.ptp(np.log10(ratio[group]))) for group in groups)
    return Spread(float(curve[0]), float(curve[-1]), decades, count, len(groups), curve)


def plane(runs: Sequence[Run]) -> tuple[Cell, ...]:
    """Return the cells that have runs, by decay and then by ratio."""
    cells: dict[tuple[int, ...], list[Run]] = {}
    for place, run in zip(zip(*map(levels, _factors(runs)), strict=True), runs, strict=True):
        cells.setdefault(tuple(map(int, place)), []).append(run)
    found = ((some[0], moments([run.result for run in some])) for _, some in sorted(cells.items()))
    return tuple(Cell(run.decay, run.ratio, of.mean, of.std, of.n) for run, of in found)


def missing(runs: Sequence[Run]) -> str | None:
    """Say why the runs do not tell what decay and ratio explain, None where they do."""
    if len(runs) < 2:
        return "there are not two full runs with weight decay"
    for name, factor in zip(("decay", "ratio"), _factors(runs), strict=True):
        if levels(factor).max() == 0:
            return f"all runs have one {name}"
    designs = _designs(runs)
    if not (designs["decay"].rank and designs["ratio"].rank):
        return "decay and ratio change only together"
    if designs["both"].freedom < LEAST_FREEDOM:
        return f"{len(runs)} runs are too few for so many decays and ratios"
    return None


def _factors(runs: Sequence[Run]) -> tuple[Floats, Floats]:
    """Return decay and ratio of the runs, (n,) each."""
    return np.array([run.decay for run in runs]), np.array([run.ratio for run in runs])


def _designs(runs: Sequence[Run]) -> dict[str, Design]:
    """Return how decay and ratio enter each of the ``Shares``."""
    decay, ratio = _factors(runs)
    return {
        "decay": design([decay], beside=[ratio]),
        "ratio": design([ratio], beside=[decay]),
        "both": design([decay, ratio]),
        "decay_alone": design([decay]),
        "ratio_alone": design([ratio]),
    }
