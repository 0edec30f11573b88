"""What post 7 leads one to expect, each claim held against every seed of a study.

Where the post gives words and no bound, the bound is said here. Eigenvalues that have not converged decide nothing.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from hpsearch.analysis.batch_norm_study import BatchNormStudy
from hpsearch.analysis.by_seed import BySeed
from hpsearch.analysis.hessian_spectra import SPANS
from hpsearch.analysis.output_moves import TRAINED

NORM, FROZEN, NONE = TRAINED
DEEP = {
    "linear": "a deep linear network",
    "batch_norm": "a deep network with batch norm",
    "frozen_batch_norm": "a deep network with frozen batch norm",
    "shift_and_scale": "a deep network with an analytic shift and scale",
}
WITHOUT = {FROZEN: "with frozen batch norm", NONE: "without norm"}
CONSTANT = 1.0
"""Mean over spread from which on more of an output is the same for all images than is not."""
MOST = 0.5
"""A share that is most of the whole."""
LOWER = 5.0
"""By how much batch norm should lower the largest eigenvalue; the post finds 10 to 100."""
NEAR_ONE = 0.9


@dataclass(frozen=True)
class Claim:
    """``quantity``, measured as ``value``, should be above ``above`` or at least ``low``, and below ``high``."""

    part: int
    what: str
    quantity: str
    value: BySeed
    low: float = -math.inf
    high: float = math.inf
    above: float | None = None

    @property
    def of(self) -> int:
        """In how many seeds it could be measured."""
        return len(self.value.finite)

    @property
    def holds(self) -> int:
        """In how many of them it holds."""
        floor = -math.inf if self.above is None else self.above
        return sum(self.low <= value < self.high and value > floor for value in self.value.finite.values())

    @property
    def shows(self) -> bool | None:
        """Whether it holds in all, None where it was not measured."""
        return self.holds == self.of if self.of else None


def claims(found: BatchNormStudy) -> tuple[Claim, ...]:
    """Return all claims, those that were not measured too, in the order of the study's four parts."""
    parts = (_at_initialisation, _moves, _gradients, _eigenvalues, _outliers, _overlaps, _outside)
    return tuple(claim for part in parts for claim in part(found))


def _at_initialisation(found: BatchNormStudy) -> Iterator[Claim]:
    last = {one.network: one.last for one in found.growth}
    none, quantity = BySeed({}), "mean over spread in the last layer"
    yield Claim(1, "in a deep ReLU network the mean outgrows the spread", quantity, last.get("relu", none), CONSTANT)
    for network, words in DEEP.items():
        what = f"in {words} the mean stays below the spread"
        yield Claim(1, what, quantity, last.get(network, none), high=CONSTANT)


def _moves(found: BatchNormStudy) -> Iterator[Claim]:
    shares = {one.network: one.share for one in found.moves}
    lost = {one.network: one.lost for one in found.moves}
    none, quantity = BySeed({}), "share of the chosen class"
    what = "with batch norm a small move does not make the output nearly constant"
    yield Claim(2, what, quantity, shares.get(NORM, none), high=MOST)
    for network, words in WITHOUT.items():
        what = f"{words} a small move makes the output nearly constant"
        yield Claim(2, what, quantity, shares.get(network, none), MOST)
        further = lost.get(network, none).minus(lost.get(NORM, none))
        what = f"{words} the move costs more accuracy than with batch norm"
        yield Claim(2, what, "further accuracy lost", further, above=0)


def _gradients(found: BatchNormStudy) -> Iterator[Claim]:
    last = {one.network: one.last for one in found.gradients}
    none, quantity = BySeed({}), "share of the last layer"
    yield Claim(2, "with batch norm the gradient lies in the last layer", quantity, last.get(NORM, none), MOST)
    for network, words in WITHOUT.items():
        what = f"{words} the gradient is spread over the layers"
        yield Claim(2, what, quantity, last.get(network, none), high=MOST)


def _eigenvalues(found: BatchNormStudy) -> Iterator[Claim]:
    for network, words in WITHOUT.items():
        what = f"with batch norm the largest eigenvalue is at least {LOWER:g} times below that {words}"
        ratio = found.sure(network).over(found.sure(NORM))
        yield Claim(3, what, "ratio", ratio, LOWER)


def _outliers(found: BatchNormStudy) -> Iterator[Claim]:
    frozen, classes = found.spectrum(FROZEN), found.classes
    gaps = frozen.gaps(classes) if frozen is not None and classes is not None else {}
    outliers = BySeed({seed: float(gap.outliers) for seed, gap in gaps.items()})
    low, high = (-math.inf, math.inf) if classes is None else (classes - 1, classes + 1)
    what = "with frozen batch norm about as many eigenvalues as there are classes, or one fewer, stand out"
    yield Claim(3, what, "above the widest gap", outliers, low, high)


def _overlaps(found: BatchNormStudy) -> Iterator[Claim]:
    whole = {one.network: one.mean(found.classes) for one in found.overlaps if one.span == SPANS[-1]}
    for network, words in WITHOUT.items():
        what = f"{words} the leading eigenvectors lie in the span of gradients of output {SPANS[-1]}"
        yield Claim(4, what, "share of these eigenvectors", whole.get(network, BySeed({})), NEAR_ONE)


def _outside(found: BatchNormStudy) -> Iterator[Claim]:
    low, high = (-math.inf, math.inf) if found.classes is None else (found.classes - 1, found.classes + 1)
    what = "with frozen batch norm as many eigenvalues as there are classes, or one fewer, are above all outside of it"
    yield Claim(4, what, "how many are", found.outliers(FROZEN), low, high)
    for network, words in WITHOUT.items():
        outside = found.sure(network, SPANS[-1])
        dropped = outside.over(found.sure(network))
        what = f"{words} at most half of the largest eigenvalue is left outside of that span"
        yield Claim(4, what, "outside over all", dropped, high=MOST)
        above = outside.over(found.sure(NORM))
        what = f"{words} the largest eigenvalue outside of that span is still above the one with batch norm"
        yield Claim(4, what, "outside over batch norm's", above, above=1)
