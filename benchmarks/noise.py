"""What tied sets hold, how large they are, and what is said of the best setting: simulated studies.

    python -m benchmarks.noise [--studies 200] [--n 5 --n 20 ...] [--heavy] [--json FILE]

Each study has one run of each of n settings and then n/2 repeats, 2 to 30. Losses are in units of the std of one run at
the optimum; away from it the std grows threefold, as it does at a gap of 8. The cases are what the gaps are like:
`equal`, all 0; `halves`, half of them 0 and half 8; `near`, a fifth within 0.5 and a long tail; `bowl`, the square of
the distance in three dimensions; `apart`, the best 12 ahead. With --heavy, noise has a t distribution with 5 degrees
of freedom.

`holds` is the share of studies whose set holds the best setting, beside the size of the set for repeats placed by
racing; of racing without the multiplicity (`t-test` of each setting against the best), with Bonferroni's, and of
`uniform` repeats. `tied` settings truly lie within 1 of the best. `raw` and `adjusted` are how far, on average, the
mean and the adjusted loss of the recommended setting are from its truth, `error` is the stated standard error, `within`
the share of truths in the 95% interval, `regret` how much worse the recommended setting is than the best.
"""

import json
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Annotated, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy: processes run side by side

import numpy as np
import numpy.typing as npt
import typer
from scipy.special import stdtrit

from hpsearch.statistics.confidence_set import CONFIDENCE, ConfidenceSet, confidence_set
from hpsearch.statistics.racing import next_repeat
from hpsearch.statistics.seed_variance import means_and_runs

Floats = npt.NDArray[np.floating[Any]]
Groups = list[list[float]]
Place = Callable[[Groups, int], int | None]

SIZES = (5, 20, 80, 200)
FARTHEST, GROWTH = 8.0, 3.0


@dataclass(frozen=True)
class Case:
    """What the settings of a study are like, and their noise."""

    name: str
    n: int
    heavy: bool = False

    @property
    def repeats(self) -> int:
        """How many repeats a study has."""
        return min(30, max(2, self.n // 2))


@dataclass(frozen=True)
class Simulated:
    """A study: the excess of each setting over the best, (n,), and the losses of its runs."""

    gaps: Floats
    groups: Groups

    @property
    def best(self) -> int:
        """The setting that is truly best, the first of several."""
        return int(self.gaps.argmin())


@dataclass(frozen=True)
class Row:
    """Means over the studies of a case; see above."""

    case: str
    n: int
    studies: int
    holds: float
    size: float
    holds_t_test: float
    size_t_test: float
    holds_bonferroni: float
    size_bonferroni: float
    holds_uniform: float
    size_uniform: float
    tied: float
    raw: float
    adjusted: float
    error: float
    within: float
    regret: float


def gaps(case: Case, rng: np.random.Generator) -> Floats:
    """Draw how much worse than the best each setting is, (n,)."""
    match case.name:
        case "equal":
            return np.zeros(case.n)
        case "halves":
            return np.where(np.arange(case.n) < case.n // 2 + 1, 0.0, FARTHEST)
        case "near":
            close = max(2, case.n // 5)
            drawn = np.concatenate([rng.uniform(0, 0.5, close), 0.5 + rng.exponential(6, case.n - close)])
        case "bowl":
            drawn = (rng.normal(size=(case.n, 3)) ** 2).sum(axis=1)
        case _:
            drawn = 6.0 * np.arange(case.n) + 6.0 * (np.arange(case.n) > 0)
    return np.asarray(drawn - drawn.min())


def simulate(case: Case, place: Place, rng: np.random.Generator) -> Simulated:
    """Run a study whose repeats go where ``place`` says, given the losses so far and how many repeats there were."""
    excess = gaps(case, rng)
    std = np.minimum(1 + (GROWTH - 1) * excess / FARTHEST, GROWTH)

    def run(i: int) -> float:
        drawn = rng.standard_t(5) * np.sqrt(3 / 5) if case.heavy else rng.normal()
        return float(excess[i] + std[i] * drawn)

    groups = [[run(i)] for i in range(case.n)]
    for repeat in range(case.repeats):
        i = place(groups, repeat)
        if i is None:
            break
        groups[i].append(run(i))
    return Simulated(excess, groups)


def race(groups: Groups, _: int) -> int | None:
    """Place a repeat where it decides."""
    return next_repeat(groups, [0] * len(groups))


def uniform(groups: Groups, repeat: int) -> int:
    """Place repeats on one setting after the other."""
    return repeat % len(groups)


def measured(study: Simulated) -> ConfidenceSet:
    """Return the tied set of a study, which has repeats."""
    found = confidence_set(study.groups)
    assert found is not None
    return found


def holds(found: ConfidenceSet, study: Simulated) -> bool:
    """Tell whether the best setting is in the set."""
    return any(member.index == study.best for member in found.members)


def pairwise(study: Simulated, found: ConfidenceSet, comparisons: int) -> Floats:
    """Return which settings, (n,), t-tests against the best mean leave, each at 1/comparisons of the level."""
    means, runs = means_and_runs(study.groups)
    limit = stdtrit(found.noise.freedom, 1 - (1 - CONFIDENCE) / comparisons)
    first = int(means.argmin())
    kept: Floats = means - means[first] <= limit * found.noise.std * np.sqrt(1 / runs + 1 / runs[first])
    return kept


def figures(case: Case, seed: int) -> list[float]:
    """Return what ``Row`` averages, of one study."""
    raced = simulate(case, race, np.random.default_rng(seed))
    spread = simulate(case, uniform, np.random.default_rng(seed))
    found, other = measured(raced), measured(spread)
    t_test, bonferroni = (pairwise(raced, found, comparisons) for comparisons in (1, case.n - 1))
    best = found.best
    truth = float(raced.gaps[best.index])
    half = stdtrit(found.noise.freedom, (1 + CONFIDENCE) / 2) * best.standard_error
    return [
        holds(found, raced),
        len(found.members),
        t_test[raced.best],
        t_test.sum(),
        bonferroni[raced.best],
        bonferroni.sum(),
        holds(other, spread),
        len(other.members),
        (raced.gaps <= 1).sum(),
        best.mean - truth,
        best.adjusted - truth,
        best.standard_error,
        abs(best.adjusted - truth) <= half,
        truth,
    ]


def row(case: Case, studies: int) -> Row:
    """Return the means over so many studies."""
    means = np.mean([figures(case, seed) for seed in range(studies)], axis=0)
    return Row(case.name, case.n, studies, *(float(mean) for mean in means))


def table(rows: Iterable[Row]) -> str:
    """Return the rows as text."""
    sets = "case    n | holds  size |    t-test   |  Bonferroni |   uniform   | tied |"
    lines = [f"{sets}   raw  adjusted  error within | regret"]
    for one in rows:
        sets = " | ".join(
            f"{share:.3f} {size:5.1f}"
            for share, size in (
                (one.holds, one.size),
                (one.holds_t_test, one.size_t_test),
                (one.holds_bonferroni, one.size_bonferroni),
                (one.holds_uniform, one.size_uniform),
            )
        )
        said = f"{one.raw:5.2f}     {one.adjusted:5.2f}  {one.error:5.2f}  {one.within:.3f}"
        lines.append(f"{one.case:6s}{one.n:4d} | {sets} | {one.tied:4.1f} | {said} | {one.regret:6.2f}")
    return "\n".join(lines)


def main(
    studies: Annotated[int, typer.Option(help="Simulated studies of each case.")] = 200,
    n: Annotated[list[int], typer.Option(help="Numbers of settings.")] = list(SIZES),  # noqa: B006
    heavy: Annotated[bool, typer.Option(help="Noise with heavier tails.")] = False,
    file: Annotated[Path | None, typer.Option("--json", help="Write the rows here too.")] = None,
) -> None:
    """Print the table."""
    cases = [Case(name, size, heavy) for name, size in product(("equal", "halves", "near", "bowl", "apart"), n)]
    with ProcessPoolExecutor() as pool:
        rows = list(pool.map(partial(row, studies=studies), cases))
    print(table(rows))
    if file:
        file.write_text(json.dumps([asdict(one) for one in rows], indent=1))


if __name__ == "__main__":
    typer.run(main)
