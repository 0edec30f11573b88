"""The tied settings: those that are not shown to be worse than the best.

m_i, n_i    mean loss of setting i and its number of runs        theta_i   what the mean would be without noise
s, f        std of one run at the optimum and its degrees of freedom (``seed_variance``)
T_i         max over j != i of (m_i - m_j) / (s sqrt(1/n_i + 1/n_j))

Setting i is left out where the hypothesis "theta_i <= theta_j for all j" is rejected: where T_i is larger than luck
would have it with a chance of at most 1 - confidence, were all its competitors as good as i (``many_to_one``). So the
set holds the best setting, whichever that is, with the stated confidence (J. C. Hsu, Annals of Statistics 9, 1981;
Multiple Comparisons, 1996, chapter 4). Under the hypothesis i is at the optimum, and so are competitors that tie with
it: the noise that counts is that at the optimum, though it may be larger elsewhere. A setting that looks worse than i
by more than ``FAR`` standard errors does not compete (D. W. K. Andrews, G. Soares, Econometrica 78, 2010; for ranks:
M. Mogstad, J. P. Romano, A. M. Shaikh, D. Wilhelm, Review of Economic Studies 91, 2024).

The confidence is reached where all settings are equal and repeats were spread without a look at the results. Where the
best stands apart, and where repeats went to the settings that looked best (``racing``), the set holds it more often.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from hpsearch.statistics.adjusted import adjusted
from hpsearch.statistics.many_to_one import critical, luck
from hpsearch.statistics.seed_variance import Floats, Groups, SeedVariance, means_and_runs, seed_variance

CONFIDENCE = 0.95
POWER = 0.8
FAR = 2.0
"""At 2 the confidence is what it is without selection, to 0.4 points, for 5 to 200 equal settings (simulated)."""


@dataclass(frozen=True)
class Member:
    """A tied setting: its ``index`` among all, its number of ``runs`` and their ``mean`` loss.

    ``adjusted`` is the loss to expect of it, and ``standard_error`` that of this estimate: of the setting that is best
    because it was the luckiest, ``mean`` says too little.
    """

    index: int
    runs: int
    mean: float
    adjusted: float
    standard_error: float


@dataclass(frozen=True)
class ConfidenceSet:
    """The settings not shown to be worse than the best, the least mean first; never empty."""

    members: tuple[Member, ...]
    noise: SeedVariance
    confidence: float

    @property
    def best(self) -> Member:
        """The member with the least adjusted loss: the one to recommend."""
        return min(self.members, key=lambda member: member.adjusted)

    def shows(self, runs: int) -> float:
        """Return the excess over the best that leaves a setting with so many runs out, with a chance of 80% or more."""
        others, freedom = Counter(member.runs for member in self.members), self.noise.freedom
        tails = critical(1 - self.confidence, runs, others, freedom) + stdtrit(freedom, POWER)
        return float(tails * self.noise.std * np.sqrt(1 / runs + 1 / self.best.runs))


def confidence_set(groups: Groups, confidence: float = CONFIDENCE) -> ConfidenceSet | None:
    """Return the tied settings, None where no setting was run twice: the noise is then unknown.

    ``confidence`` lies between 0.5 and 1.
    """
    noise = seed_variance(groups)
    if noise is None:
        return None
    means, runs = means_and_runs(groups)
    inside = list(tied(means, runs, noise, confidence))
    return ConfidenceSet(_members(means, runs, noise, inside), noise, confidence)


def tied(means: Floats, runs: Floats, noise: SeedVariance, confidence: float) -> Iterator[int]:
    """Yield the settings not shown to be worse than the best, the least mean first; ``means`` and ``runs`` are (K,)."""
    for i in np.argsort(means, kind="stable").tolist():
        if means[i] == means.min() or not _shown_worse(i, means, runs, noise, 1 - confidence):
            yield i


def _shown_worse(i: int, means: Floats, runs: Floats, noise: SeedVariance, chance: float) -> bool:
    """Tell whether setting ``i``, which is not the one with the least mean, looks worse than luck would have it."""
    if noise.std == 0:
        return True
    ahead = (means[i] - means) / (noise.std * np.sqrt(1 / runs[i] + 1 / runs))
    competes = ahead >= -FAR
    competes[i] = False
    t = float(ahead.max())
    single = float(stdtr(noise.freedom, -t))  # the chance that one competitor looks better by as much
    if single > chance or single * competes.sum() <= chance:  # it is not less for many, nor more than their sum
        return single <= chance
    return luck(t, int(runs[i]), Counter(runs[competes].tolist()), noise.freedom) <= chance


def _members(means: Floats, runs: Floats, noise: SeedVariance, inside: list[int]) -> tuple[Member, ...]:
    errors = noise.std_at(means[inside] - means[runs > 1].min()) / np.sqrt(runs[inside])
    estimates = adjusted(means[inside], errors, noise.std) if noise.std > 0 else (means[inside], errors)
    columns = zip(inside, *estimates, strict=True)
    return tuple(Member(i, int(runs[i]), float(means[i]), float(one), float(error)) for i, one, error in columns)
