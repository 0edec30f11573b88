"""The text on what a batch-norm study does not show: claims of post 7 that fail, and figures that are not sure."""

import math
from collections.abc import Iterator, Sequence

from hpsearch.analysis.batch_norm_claims import Claim
from hpsearch.analysis.batch_norm_study import BatchNormStudy
from hpsearch.report.batch_norm_look import words
from hpsearch.report.markdown import counted, spread

GUESSING = 0.9
"""Share of the loss of a network that takes all classes for equally likely, from which on it has hardly learnt."""


def verdicts(held: Sequence[Claim], part: int) -> Iterator[str]:
    """Say what of a part is as post 7 leads one to expect, a line for each claim that was measured."""
    lines = [f"- {_verdict(claim)}" for claim in held if claim.part == part and claim.shows is not None]
    if lines:
        yield "Expected, and how it came out:"
        yield "\n".join(lines)


def _verdict(claim: Claim) -> str:
    came_out = "yes" if claim.shows else "**no**"
    seeds = f"{came_out}, in {claim.holds} of {counted(claim.of, 'seed')}"
    return f"{claim.what}: {seeds} ({claim.quantity}: {spread(claim.value)}, expected {_bounds(claim)})"


def doubts(found: BatchNormStudy, held: Sequence[Claim]) -> Iterator[str]:
    """Say which claims do not hold in all seeds, what has not converged, and what was not measured."""
    failed = [_failed(claim) for claim in held if claim.shows is False]
    measured = sum(claim.shows is not None for claim in held)
    if measured:
        held_in_all = measured - len(failed)
        yield f"Of {counted(measured, 'claim')} of post 7 that could be tried, {held_in_all} hold in every seed."
    open_ = [*failed, *_untrained(found), *_contradictions(found), *_unsure(found)]
    if open_:
        yield "\n".join(f"- {line}" for line in open_)
    missing = [claim.what for claim in held if claim.shows is None]
    if missing:
        yield "Not measured, because a part is not finished or too few eigenvalues converged:"
        yield "\n".join(f"- {what}" for what in missing)


def _failed(claim: Claim) -> str:
    seeds = f"in {claim.of - claim.holds} of {counted(claim.of, 'seed')}"
    figure = f"{claim.quantity}: {spread(claim.value)}, expected {_bounds(claim)}"
    return f"Not so {seeds}: {claim.what} ({figure})."


def _bounds(claim: Claim) -> str:
    """The bounds of a claim in words; those that only exclude a value itself are "above" it."""
    if math.isinf(claim.high):
        above = claim.above
        return f"above {above:g}" if above is not None else f"at least {claim.low:.3g}"
    return f"below {claim.high:.3g}" if math.isinf(claim.low) else f"from {claim.low:g} to below {claim.high:g}"


def _untrained(found: BatchNormStudy) -> Iterator[str]:
    """Networks that know little more than nothing: what is said of trained ones need not be true of them."""
    guessing = math.inf if found.classes is None else math.log(found.classes)
    for one in found.networks:
        few = [seed for seed, loss in one.loss.values.items() if not loss < GUESSING * guessing]
        if few:
            network = f"The network {_of(one.network)}, seed {', '.join(map(str, few))},"
            yield f"{network} has hardly learnt: its loss is near ln {found.classes}."


def _contradictions(found: BatchNormStudy) -> Iterator[str]:
    """Descents whose verdict is not that of the eigenvalue."""
    for one in found.descents:
        if one.contradicts:
            what = "grows, though this should be stable" if one.grows else "is stable, though this should grow"
            yield f"Descent {_of(one.network)}, seed {one.seed}, at {one.factor:g} times the limit: it {what}."


def _unsure(found: BatchNormStudy) -> Iterator[str]:
    """Eigenvalues that have not converged."""
    for one in found.spectra:
        if one.converged < one.computed:
            outside = f" orthogonal to gradients of {one.outside}" if one.outside else ""
            yield (
                f"{one.computed - one.converged} of {one.computed} eigenvalues {_of(one.network)}{outside} have not "
                f"converged: residuals up to {one.worst_residual:.2g} of the largest; {_largest(one.unsure_leading)}."
            )


def _largest(unsure: Sequence[int]) -> str:
    if not unsure:
        return "the largest one has converged in every seed"
    return f"in seed {', '.join(map(str, unsure))} the largest one is among them"


def _of(network: str) -> str:
    return "without norm" if network == "no_norm" else f"with {words(network)}"
