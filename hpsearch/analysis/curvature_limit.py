"""Forgetting or curvature: the final loss against the learning rate at several batch sizes (post 2).

While the learning rate lr is small, k steps on small batches add up to one on a batch k times as large at k lr, so
the loss is a function of rate = lr / (N (1 - momentum)) alone: the curves of all batch sizes N lie on each other. Two
things end this. *Curvature* bounds the step itself: a batch size leaves the others where its lr comes to a limit that
is the same for all of them, so the larger it is, the sooner in rate. *Forgetting* bounds the rate: an example moves the
weights so far that older ones are lost, the loss rises at one rate for all batch sizes, and none leaves the others.

Each batch size is compared with the smallest at the same rate. The noise of a run is estimated from all repeats
together (``statistics/seed_variance``); a loss counts as above that of the smallest where it is so at 5% for all
comparisons together (Dunnett's at each rate, Bonferroni's over the rates). A setting of which a run diverged has left.
What is not shown to be above need not be level: the limit of a batch size lies anywhere between the last loss that is
at most two standard errors above and the first that is shown to be above.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hpsearch.analysis.means import CONFIDENCE, Moments, moments
from hpsearch.analysis.repeats import losses_by_setting
from hpsearch.space.spec import Space
from hpsearch.space.translation import Translation
from hpsearch.statistics.many_to_one import critical
from hpsearch.statistics.seed_variance import SeedVariance, seed_variance
from hpsearch.store.reader import Study
from hpsearch.trial import FinishedTrial, Status

RATE, BATCH_SIZE = "rate", "batch_size"
BESIDE = "val_accuracy"
"""Shown beside the objective."""
MEMORIES = 4
"""A run of fewer steps than so many times the momentum's memory has hardly begun: where it leaves says nothing."""
LEVEL = 2.0
"""Standard errors up to which a loss is level with that of the smallest batch."""
SAME = 1e-9
"""Room for rounding where steps, or brackets of learning rates or rates, are compared."""


@dataclass(frozen=True)
class Point:
    """The runs of one setting; ``loss`` and ``beside`` are None where none came to its end.

    ``excess``, ``error``  loss over that of the smallest batch at this rate, and its standard error; None where a side
                           has no loss or there is no noise to go by
    ``follows``  whether it is not shown to be above the smallest batch
    """

    batch_size: int
    rate: float
    lr: float
    diverged: int
    loss: Moments | None
    beside: Moments | None
    excess: float | None = None
    error: float | None = None
    follows: bool = True

    @property
    def is_level(self) -> bool:
        """Whether it is at most two standard errors above the smallest batch, as far as there is noise to go by."""
        return self.follows and (self.excess is None or self.error is None or self.excess <= LEVEL * self.error)


@dataclass(frozen=True)
class End:
    """Where the flat region of a batch size ends: between its last level point and the next that does not follow.

    Beyond a setting that diverged none is level. ``last`` is None where no point is, ``first_off`` where none is off.
    ``steps`` are those of a run, None where it is not known; ``memory`` is in how many of them the momentum passes a
    gradient on.
    """

    batch_size: int
    last: Point | None
    first_off: Point | None
    steps: float | None = None
    memory: float = 1.0

    @property
    def has_begun(self) -> bool:
        """Whether its runs have enough steps to be compared with those of smaller batches."""
        return self.steps is None or self.steps >= MEMORIES * self.memory * (1 - SAME)

    def bracket(self, of: str) -> tuple[float, float]:
        """Return the ends between which the limit lies, of "lr" or "rate"; 0 and infinity where the grid ends first."""
        low = getattr(self.last, of) if self.last else 0.0
        high = getattr(self.first_off, of) if self.first_off else math.inf
        return float(low), float(high)


@dataclass(frozen=True)
class CurvatureLimit:
    """A scan: ``points`` by batch size and rate, ``ends`` of all batch sizes but the smallest.

    ``noise``  of one run, None where no setting has two that came to their end
    ``turn``  rates of the smallest batch above its best at which its loss is shown to be above its least
    """

    metric: str
    points: tuple[Point, ...]
    ends: tuple[End, ...]
    noise: SeedVariance | None
    turn: tuple[Point, ...]

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """All batch sizes, smallest first."""
        return tuple(dict.fromkeys(point.batch_size for point in self.points))

    def of(self, batch_size: int) -> tuple[Point, ...]:
        """Return the points of a batch size by rising rate."""
        return tuple(point for point in self.points if point.batch_size == batch_size)

    def best(self, batch_size: int) -> Point | None:
        """Return the point of least mean loss of a batch size, None where all diverged."""
        return best(self.of(batch_size))

    @property
    def found(self) -> tuple[End, ...]:
        """The comparable ends that lie inside the grid, at least on their upper side."""
        return tuple(end for end in self.comparable if end.first_off)

    @property
    def comparable(self) -> tuple[End, ...]:
        """The ends of the batch sizes whose runs have enough steps."""
        return tuple(end for end in self.ends if end.has_begun)

    def common(self, of: str) -> tuple[float, float] | None:
        """Return what one limit of "lr" or "rate" for the comparable batch sizes would lie between.

        None where no one fits all of them.
        """
        lows, highs = zip(*(end.bracket(of) for end in self.comparable), strict=True)
        low, high = max(lows), min(highs)
        return (low, high) if low < high * (1 - SAME) else None


def curvature_limit(study: Study) -> CurvatureLimit:
    """Compare the batch sizes of a finished scan over ``rate`` and ``batch_size`` by the study's objective."""
    points = _points(study)
    noise = seed_variance([*losses_by_setting(study).values()])
    judged = tuple(_judged(point, points, noise) for point in points)
    smallest = min(point.batch_size for point in points)
    sizes = dict.fromkeys(point.batch_size for point in points if point.batch_size != smallest)
    ends = tuple(_end([point for point in judged if point.batch_size == size], study.space) for size in sizes)
    own = [point for point in judged if point.batch_size == smallest]
    return CurvatureLimit(study.space.objective.metric, judged, ends, noise, _turn(own, noise))


def best(points: Sequence[Point]) -> Point | None:
    """Return the point of least mean loss, None where all diverged."""
    ended = [point for point in points if point.loss]
    return min(ended, key=_mean, default=None)


def _points(study: Study) -> tuple[Point, ...]:
    groups: dict[tuple[int, float], list[FinishedTrial]] = {}
    for trial in study.history:
        if trial.status is Status.FAILED:
            continue  # says nothing of its setting
        groups.setdefault((int(trial.config[BATCH_SIZE]), float(trial.config[RATE])), []).append(trial)
    return tuple(_point(*setting, groups[setting], study) for setting in sorted(groups))


def _point(batch_size: int, rate: float, trials: Sequence[FinishedTrial], study: Study) -> Point:
    lr = Translation.of(study.space).quantities(trials[0].config).lr
    losses = [study.space.objective.loss(trial.final) for trial in trials if trial.final is not None]
    beside = [trial.metrics[BESIDE] for trial in trials if trial.final is not None and BESIDE in trial.metrics]
    return Point(
        batch_size,
        rate,
        math.nan if lr is None else lr,
        sum(trial.status is Status.DIVERGED for trial in trials),
        moments(losses) if losses else None,
        moments(beside) if beside else None,
    )


def _judged(point: Point, points: Sequence[Point], noise: SeedVariance | None) -> Point:
    """Return the point with what it is beside the smallest batch at its rate."""
    at_rate = [one for one in points if one.rate == point.rate]
    reference = min(at_rate, key=lambda one: one.batch_size)
    if point is reference:
        return point
    if not (point.loss and reference.loss and noise):
        return replace(point, follows=not point.diverged)
    excess, error = _mean(point) - _mean(reference), _error(point, reference, points, noise)
    others = [one for one in at_rate if one is not reference and one.loss]
    above = excess > error * _critical(reference, others, noise, len({one.rate for one in points}))
    return replace(point, excess=excess, error=error, follows=not (above or point.diverged))


def _error(point: Point, reference: Point, points: Sequence[Point], noise: SeedVariance) -> float:
    """Return the standard error of the difference of two means, if ``point`` is as good, and so as noisy, as the other.

    The noise of worse settings is that of bad training: by it none of them would be shown to be worse.
    """
    least = min(_mean(one) for one in points if one.loss)
    (std,) = noise.std_at([_mean(reference) - least])
    return float(std) * math.sqrt(1 / _runs(point) + 1 / _runs(reference))


def _critical(reference: Point, others: Sequence[Point], noise: SeedVariance, times: int) -> float:
    """Return how many standard errors a difference must have, of one reference to ``others``, ``times`` over."""
    counts = Counter(_runs(point) for point in others)
    return critical((1 - CONFIDENCE) / times, _runs(reference), counts, noise.freedom)


def _end(points: Sequence[Point], space: Space) -> End:
    lost = next((place for place, point in enumerate(points) if point.diverged), len(points))
    level = max((place for place, point in enumerate(points[:lost]) if point.is_level), default=-1)
    off = next((point for point in points[level + 1 :] if not point.follows), None)
    size = points[0].batch_size
    known = space.coordinates
    steps = known.epochs * math.ceil(known.examples / size) if known.epochs and known.examples else None
    memory = 1 / (1 - known.reference.get("momentum", 0.0))
    return End(size, points[level] if level >= 0 else None, off, steps, memory)


def _turn(points: Sequence[Point], noise: SeedVariance | None) -> tuple[Point, ...]:
    """Return the points at higher rates than the best that are shown to be above it, or where a run diverged."""
    least = best(points)
    if least is None:
        return tuple(points)
    above = [point for point in points if point.rate > least.rate]
    others = [point for point in points if point is not least and point.loss]
    if noise is None or not others:
        return tuple(point for point in above if point.diverged)
    limit = _critical(least, others, noise, 1)
    return tuple(
        point
        for point in above
        if point.diverged or _mean(point) - _mean(least) > limit * _error(point, least, points, noise)
    )


def _mean(point: Point) -> float:
    assert point.loss is not None
    return point.loss.mean


def _runs(point: Point) -> int:
    assert point.loss is not None
    return point.loss.n
