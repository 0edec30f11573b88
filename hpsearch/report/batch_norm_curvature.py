"""The text on the last two parts of the batch-norm study: eigenvalues of the Hessian, and their eigenvectors."""

from collections.abc import Iterator

from hpsearch.analysis.batch_norm_study import BatchNormStudy
from hpsearch.analysis.by_seed import BySeed
from hpsearch.analysis.descent_verdicts import Descent
from hpsearch.analysis.eigenvector_overlaps import Overlaps
from hpsearch.analysis.hessian_spectra import BEYOND, WHOLE, Spectrum
from hpsearch.report.batch_norm_look import words
from hpsearch.report.markdown import percent, spread, table

NORM = "batch_norm"

EIGENVALUES = ("network", "largest", "over batch norm's", "highest stable lr", "converged", "worst residual", "n")
DESCENTS = ("network", "rate", "should grow", "grows in", "largest rise of the loss")
OVERLAPS = ("network", "span of gradients of", "directions", "share", "by chance", "n")
OUTSIDE = (
    "network",
    "orthogonal to gradients of",
    "largest",
    "over that of all",
    "over batch norm's",
    "eigenvalues above it",
    "converged",
    "n",
)


def curvature(found: BatchNormStudy) -> Iterator[str]:
    """The leading eigenvalues, what stands out of them, and the descents at either side of the limit."""
    whole = [one for one in found.spectra if one.outside == WHOLE]
    if whole:
        yield "Leading eigenvalues of the Hessian of the loss; gradient descent is stable below lr = 2 / the largest."
        yield table(EIGENVALUES, [_eigenvalues(found, one) for one in whole])
        yield "The worst residual is a share of the largest eigenvalue."
        yield from _gaps(found, whole)
    if found.descents:
        yield "Gradient descent without momentum on the fixed batches, the rate in units of the highest stable one:"
        yield table(DESCENTS, list(_descents(found.descents)))
        yield (
            "The rise is that above the lowest loss so far, as a share of the loss at the start, of the seed where it "
            "is largest. The loss of a stable descent does not rise."
        )


def _eigenvalues(found: BatchNormStudy, one: Spectrum) -> list[str]:
    ratio = "1" if one.network == NORM else spread(one.leading.over(found.leading(NORM)))
    figures = [spread(one.leading), ratio, spread(one.highest_lr), _converged(one), f"{one.worst_residual:.2g}"]
    return [words(one.network), *figures, str(len(one.seeds))]


def _converged(one: Spectrum) -> str:
    return f"{one.converged} of {one.computed}"


def _gaps(found: BatchNormStudy, whole: list[Spectrum]) -> Iterator[str]:
    """Say of each network how many eigenvalues are above the widest gap."""
    classes = found.classes
    if classes is None:
        return
    gaps = "; ".join(f"{words(one.network)}, {_gap(one, classes)}" for one in whole)
    yield f"The widest gap among the first {classes + BEYOND} eigenvalues, with {classes} classes: {gaps}."


def _gap(one: Spectrum, classes: int) -> str:
    gaps = one.gaps(classes)
    if not gaps:
        return f"not known, as fewer than {classes + 1} have converged and are positive"
    after = ", ".join(str(gap.outliers) for gap in gaps.values())
    factors = ", ".join(f"{gap.ratio:.2g}" for gap in gaps.values())
    return f"after {after} by a factor of at least {factors} (seed {', '.join(map(str, gaps))})"


def _descents(found: tuple[Descent, ...]) -> Iterator[list[str]]:
    for network, factor in dict.fromkeys((one.network, one.factor) for one in found):
        own = [one for one in found if (one.network, one.factor) == (network, factor)]
        should = {True: "yes", False: "no", None: "at the limit"}[own[0].should_grow]
        grown = f"{sum(one.grows for one in own)} of {len(own)}"
        rise = f"{max(one.rise for one in own):.3g}"
        given_up = ", given up" if any(one.diverged for one in own) else ""
        yield [words(network), f"{factor:g}", should, grown, rise + given_up]


def eigenvectors(found: BatchNormStudy) -> Iterator[str]:
    """Overlaps with the spans of gradients, and what is left of the eigenvalues outside of these."""
    if found.overlaps:
        first = "leading eigenvectors" if found.classes is None else f"first {found.classes - 1} eigenvectors"
        yield (
            f"Mean share of the {first} (squared length of their projection) that lies in the span of the gradients of "
            "the outputs' means, variances and skews over the images. Cross-entropy does not see what is added to all "
            "outputs alike: that is one direction less than there are classes."
        )
        yield table(OVERLAPS, [_overlap(one, found.classes) for one in found.overlaps])
    outside = [one for one in found.spectra if one.outside != WHOLE]
    if outside:
        yield "The largest eigenvalue among directions orthogonal to such a span:"
        yield table(OUTSIDE, [_outside(found, one) for one in outside])


def _overlap(one: Overlaps, count: int | None) -> list[str]:
    figures = [str(one.span_size), percent(one.mean(count)), f"{one.chance:.2%}", str(len(one.seeds))]
    return [words(one.network), one.span, *figures]


def _outside(found: BatchNormStudy, one: Spectrum) -> list[str]:
    ratios = [one.leading.over(found.leading(of)) for of in (one.network, NORM)]
    above = found.outliers(one.network, one.outside)
    figures = [spread(one.leading), *map(spread, ratios), _above(above), _converged(one)]
    return [words(one.network), one.outside, *figures, str(len(one.seeds))]


def _above(count: BySeed) -> str:
    """Say how many eigenvalues there are, where not all that were computed are among them."""
    if len(count.finite) == len(count.values):
        return spread(count)
    return f"{spread(count)} or all computed" if count.finite else "all computed"
