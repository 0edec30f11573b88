"""Means of repeated runs, the share of successes among them, and how a mean lies to another, a published one say.

A standard deviation (``std``) is that of one run, with n - 1 below; the standard error of a mean is std / sqrt(n).
Intervals are at 95%.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from scipy.special import stdtrit

CONFIDENCE = 0.95
FEW = 5
"""Fewer runs than this say little about their own spread."""

_Z = 1.959963984540054


@dataclass(frozen=True)
class Moments:
    """Mean of ``n`` values and their standard deviation, None for a single one."""

    n: int
    mean: float
    std: float | None


@dataclass(frozen=True)
class Interval:
    """A confidence interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Published:
    """What the source of a recipe says: mean accuracy, the std of one run and the number of runs where it says them."""

    accuracy: float
    std: float | None
    runs: int | None


@dataclass(frozen=True)
class Difference:
    """One mean accuracy minus another; ``interval`` is None where no spread is known at all."""

    value: float
    interval: Interval | None
    note: str | None

    @property
    def is_noise(self) -> bool:
        """Whether both means may be the same: the interval holds zero."""
        return self.interval is not None and self.interval.low <= 0 <= self.interval.high

    @property
    def way(self) -> str:
        """One word."""
        return "higher" if self.value > 0 else "lower"

    @property
    def verdict(self) -> str:
        """The comparison in words."""
        if self.interval is None:
            words = f"{self.way} by {abs(self.value):.4f}, by how much noise is not known"
        else:
            bounds = f"difference {self.value:+.4f}, 95% interval {self.interval.low:+.4f} to {self.interval.high:+.4f}"
            found = "agrees within the noise" if self.is_noise else f"{self.way} by {abs(self.value):.4f}"
            words = f"{found} ({bounds})"
        return f"{words}; {self.note}" if self.note else words


def moments(values: Sequence[float]) -> Moments:
    """Return mean and standard deviation of one or more values."""
    return Moments(len(values), fmean(values), stdev(values) if len(values) > 1 else None)


def standard_error(of: Moments) -> float | None:
    """Return the standard error of the mean, None for a single value."""
    return None if of.std is None else of.std / math.sqrt(of.n)


def wilson(successes: int, n: int) -> Interval:
    """Return the interval for the share of successes among ``n`` > 0 (Wilson, JASA 22, 1927)."""
    share, z2 = successes / n, _Z * _Z
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


def compare(ours: Moments, published: Published) -> Difference:
    """Compare mean accuracies that have unequal variances (Welch, Biometrika 34, 1947).

    A single run of ours is taken to have the published spread. A published mean without spread or number of runs is
    taken as exact, and the note says so.
    """
    value, note = ours.mean - published.accuracy, _note(ours, published)
    error = _error(ours, published)
    if error is None:
        return Difference(value, None, note)
    square, freedom = error
    half = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * math.sqrt(square)
    return Difference(value, Interval(value - half, value + half), note)


def _error(ours: Moments, published: Published) -> tuple[float, float] | None:
    """Return the squared standard error of the difference and its degrees of freedom, infinite for a known spread."""
    std, runs = published.std, published.runs
    theirs = 0.0 if std is None or runs is None else std * std / runs
    freedom = runs - 1 if runs is not None and runs > 1 else math.inf
    if ours.std is not None:
        own = ours.std * ours.std / ours.n
        return own + theirs, _satterthwaite((own, ours.n - 1), (theirs, freedom))
    return None if std is None else (std * std / ours.n + theirs, freedom)


def _satterthwaite(*parts: tuple[float, float]) -> float:
    """Return the degrees of freedom of a sum of squared standard errors, each given with its own."""
    total, spread = sum(error for error, _ in parts), sum(error * error / freedom for error, freedom in parts)
    return total * total / spread if spread else math.inf


def _note(ours: Moments, published: Published) -> str | None:
    notes = [f"only {ours.n} run{'' if ours.n == 1 else 's'}"] if ours.n < FEW else []
    if ours.std is None and published.std is not None:
        notes.append("taken to have the published spread")
    if published.std is None or published.runs is None:
        notes.append("the published mean is taken as exact")
    return ", ".join(notes) or None
