"""How the loss of a frozen network rises with the age of what it learnt from: a curve, its test and its timescale.

y_rb   loss of run r on its batch b       a_rb  age of the batch: steps that were taken after the one on it
x_rb   loss on the same batch of networks to which its age means nothing, less its mean over the run's batches
k(a)   what is left of a step after a more: (1 - rho^(a + 1)) exp(-a / T), under Nesterov (1 - rho^(a + 2)) exp(-a / T)

    y_rb = c_r + beta x_rb - A k(a_rb) + noise.

The momentum rho passes a gradient on little by little: that is the first factor of k, which is known. T is forgetting.
A is not below 0, for a step on a batch does not raise the loss on it. For each T the rest is linear, so the squares
that are left are a function of T alone; they are compared on a grid of T and made least by scipy between its points.

The order of the batches was drawn at random, so if age plays no part all orders of a run's batches are as likely as the
real one. The chance of a curve is the share of such orders (999 are drawn) in which some T explains as much. The
interval of T is where the squares left are no more than the least times 1 + F / f, with the F quantile of 1 and f
degrees of freedom.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar
from scipy.special import stdtrit

from hpsearch.analysis.means import CONFIDENCE, Interval
from hpsearch.space.axes import Floats

ORDERS = 999
SHORTEST, LONGEST, GRID = 0.5, 100.0, 120
"""The timescales that are tried: from half a step to so many times the oldest age."""
ROUNDING = 1e-9
"""A kernel of which no larger share is its own is explained by the other columns."""
PART = 1 / 3
"""The oldest and the youngest share of the batches, between which the rise is measured."""


@dataclass(frozen=True)
class Replays:
    """The losses of some runs on the batches of their last epoch, (n,) each; ``run`` numbers the runs from 0.

    ``control``  the loss of other networks on the same batch; zeros where there are none
    ``momentum``, ``nesterov``  of the rule that the runs were trained by
    """

    run: Floats
    age: Floats
    loss: Floats
    control: Floats
    momentum: float
    nesterov: bool

    @property
    def nuisance(self) -> Floats:
        """What a loss is explained by beside its age, (n, columns): its run, and the difficulty of its batch."""
        runs = self.run[:, None] == np.unique(self.run)
        difficulty = self.control - runs @ (self.control @ runs / runs.sum(0))
        return np.column_stack([runs, difficulty] if difficulty.any() else [runs]).astype(float)

    def kernel(self, timescale: Floats | float, age: Floats | None = None) -> Floats:
        """Return k at each age and timescale, (n, timescales)."""
        at = (self.age if age is None else age)[:, None]
        arrived = 1 - self.momentum ** (at + 1 + self.nesterov)
        return np.asarray(arrived * np.exp(-at / np.atleast_1d(timescale)))


@dataclass(frozen=True)
class Fit:
    """What age explains of the losses.

    ``adjusted``  (n,) losses (nat) less what their runs and their batches' difficulty explain, at the mean of all
    ``rise``, ``rise_interval``  mean of the oldest third of the batches less that of the youngest (nat), 95%
    ``chance``  of so good a curve where age plays no part
    ``timescale``  T in steps, and its 95% interval, which ends at infinity where the epoch is too short to say
    ``depth``  A (nat)
    ``squares``  what is left unexplained: the sum of squared residuals (nat^2)
    """

    replays: Replays
    adjusted: Floats
    rise: float
    rise_interval: Interval
    chance: float
    timescale: float
    interval: Interval
    depth: float
    squares: float

    @property
    def is_flat(self) -> bool:
        """Whether chance alone may have made the curve: then its timescale means nothing."""
        return self.chance > 1 - CONFIDENCE

    @property
    def ends(self) -> tuple[float, float]:
        """Mean adjusted loss of the youngest and of the oldest third of the batches."""
        young, old = _ends(self.replays)
        return float(self.adjusted[young].mean()), float(self.adjusted[old].mean())

    def curve(self, age: Floats) -> Floats:
        """Return the fitted loss at each age, the mean over the runs."""
        level = self.adjusted.mean() + self.depth * self.replays.kernel(self.timescale).mean()
        return np.asarray(level - self.depth * self.replays.kernel(self.timescale, age)[:, 0])


@dataclass(frozen=True)
class Profile:
    """What each timescale leaves unexplained of ``left`` (n,), in which the columns of ``basis`` have no part any more.

    ``grid``, ``kernels``, ``squares``  timescales that are tried, (g,); their kernels, (n, g); the squares left, (g,)
    """

    replays: Replays
    basis: Floats
    left: Floats
    grid: Floats
    kernels: Floats
    squares: Floats

    @classmethod
    def of(cls, replays: Replays) -> Self:
        """Return the profile of all the losses."""
        basis = np.linalg.qr(replays.nuisance)[0]
        left = replays.loss - basis @ (basis.T @ replays.loss)
        grid = np.geomspace(SHORTEST, LONGEST * max(1.0, replays.age.max()), GRID)
        kernels = replays.kernel(grid)
        return cls(replays, basis, left, grid, kernels, left @ left - _gains(left, basis, kernels))

    def at(self, log: float) -> float:
        """Return the squares left by the timescale of this logarithm."""
        return float(self.left @ self.left - _gains(self.left, self.basis, self.replays.kernel(float(np.exp(log))))[0])

    @property
    def timescale(self) -> float:
        """The timescale that leaves least: between the neighbours of the best of the grid."""
        place, logs = int(self.squares.argmin()), np.log(self.grid)
        ends = logs[max(0, place - 1)], logs[min(len(logs) - 1, place + 1)]
        return float(np.exp(minimize_scalar(self.at, bounds=ends, method="bounded").x))

    def interval(self, most: float) -> Interval:
        """Return between which timescales no more than ``most`` squares are left; its ends are 0 and infinity."""
        logs, within = np.log(self.grid), np.flatnonzero(self.squares <= most)
        low, high = int(within[0]), int(within[-1])

        def crossing(inside: float, outside: float) -> float:
            return float(np.exp(brentq(lambda log: self.at(log) - most, inside, outside)))

        return Interval(
            crossing(logs[low], logs[low - 1]) if low else 0.0,
            crossing(logs[high], logs[high + 1]) if high + 1 < len(logs) else float("inf"),
        )

    def chance(self, random: np.random.Generator) -> float:
        """Return the share of orders of the batches, of which this is one, in which some timescale leaves as little."""
        gain = float(self.left @ self.left - self.squares.min())
        orders = _orders(self.replays.run, random)
        lucky = sum(float(_gains(self.left[order], self.basis[order], self.kernels).max()) >= gain for order in orders)
        return (1 + lucky) / (1 + ORDERS)


def fit(replays: Replays, seed: int = 0) -> Fit:
    """Fit the curve; ``seed`` draws the orders. Raises ValueError for too few batches to leave any noise."""
    nuisance = replays.nuisance
    freedom = len(replays.loss) - nuisance.shape[1] - 2
    if freedom < 1:
        raise ValueError(f"{len(replays.loss)} batches are too few for a curve")
    profile = Profile.of(replays)
    timescale = profile.timescale
    weights = _least_squares(np.column_stack([nuisance, -replays.kernel(timescale)]), replays.loss)
    explained = nuisance @ weights[:-1]
    more = 1 + _students(freedom) ** 2 / freedom  # F of 1 and f degrees of freedom is t squared
    rise, rise_interval = _rise(replays, nuisance)
    return Fit(
        replays=replays,
        adjusted=replays.loss - explained + explained.mean(),
        rise=rise,
        rise_interval=rise_interval,
        chance=profile.chance(np.random.default_rng(seed)),
        timescale=timescale,
        interval=profile.interval(profile.squares.min() * more),
        depth=float(weights[-1]),
        squares=profile.at(float(np.log(timescale))),
    )


def _gains(left: Floats, basis: Floats, kernels: Floats) -> Floats:
    """Return by how much each kernel, with A >= 0, reduces the squares of ``left``, (timescales,).

    ``left`` has no part in the columns of ``basis``.
    """
    whole = (kernels**2).sum(0)
    own = whole - ((basis.T @ kernels) ** 2).sum(0)
    explained = np.minimum(left @ kernels, 0) ** 2
    return np.asarray(np.divide(explained, own, out=np.zeros_like(own), where=own > ROUNDING * whole))


def _rise(replays: Replays, nuisance: Floats) -> tuple[float, Interval]:
    """Return old less young, with its interval by Student."""
    young, old = _ends(replays)
    outer = young | old
    design = np.column_stack([nuisance, old])[outer]
    weights = _least_squares(design, replays.loss[outer])
    residual = replays.loss[outer] - design @ weights
    freedom = max(1, len(residual) - design.shape[1])
    variance = residual @ residual / freedom * np.linalg.pinv(design.T @ design)[-1, -1]
    rise, half = float(weights[-1]), _students(freedom) * float(np.sqrt(variance))
    return rise, Interval(rise - half, rise + half)


def _ends(replays: Replays) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    low, high = np.quantile(replays.age, [PART, 1 - PART])
    return replays.age <= low, replays.age >= high


def _students(freedom: int) -> float:
    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2))


def _least_squares(design: Floats, values: Floats) -> Floats:
    return np.asarray(np.linalg.lstsq(design, values, rcond=None)[0])


def _orders(run: Floats, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Give orders of the batches that leave each with its run."""
    places = [np.flatnonzero(run == one) for one in np.unique(run)]
    where = np.concatenate(places)
    for _ in range(ORDERS):
        order = np.empty(len(run), dtype=np.int64)
        order[where] = np.concatenate([random.permutation(part) for part in places])
        yield order
