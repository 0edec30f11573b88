"""The text on how a batch-norm study compares with post 7, and on figures in it that are not sure."""

import math
from collections.abc import Iterator, Sequence

from hpsearch.analysis.batch_norm_claims import Claim
from hpsearch.analysis.batch_norm_study import BatchNormStudy
from hpsearch.report.batch_norm_look import with_norm
from hpsearch.report.markdown import counted, spread, table

GUESSING = 0.9
"""Share of the loss of a network that takes all classes for equally likely, from which on it has hardly learnt."""

EXPECTED = ("part", "expected", "figure", "measured", "bound", "holds in")


def held(claims: Sequence[Claim]) -> Iterator[str]:
    """Say how many of the claims that were measured hold in all their seeds."""
    measured = [claim for claim in claims if claim.shows is not None]
    if measured:
        hold = sum(claim.shows is True for claim in measured)
        yield f"Of {counted(len(measured), 'claim')} of post 7 that could be tried, {hold} hold in {_seeds(measured)}."


def _seeds(claims: Sequence[Claim]) -> str:
    counts = {claim.of for claim in claims}
    if len(counts) > 1:
        return "every seed in which they were"
    return "the one seed" if counts == {1} else f"all {counts.pop()} seeds"


def expected(claims: Sequence[Claim]) -> Iterator[str]:
    """Hold the claims that were measured against their bounds, a row for each."""
    rows = [_row(claim) for claim in claims if claim.shows is not None]
    if rows:
        yield from held(claims)
        yield table(EXPECTED, rows)
        yield "The post gives words; the bounds are ours."


def _row(claim: Claim) -> list[str]:
    came_out = f"{claim.holds} of {counted(claim.of, 'seed')}"
    holds = came_out if claim.shows else f"**{came_out}**"
    return [str(claim.part), claim.what, claim.quantity, spread(claim.value), _bounds(claim), holds]


def _bounds(claim: Claim) -> str:
    """The bounds of a claim in words; those that only exclude a value itself are "above" it."""
    if math.isinf(claim.high):
        above = claim.above
        return f"above {above:g}" if above is not None else f"at least {claim.low:.3g}"
    return f"below {claim.high:.3g}" if math.isinf(claim.low) else f"from {claim.low:g} to below {claim.high:g}"


def doubts(found: BatchNormStudy, claims: Sequence[Claim]) -> Iterator[str]:
    """Say what has hardly learnt, contradicts its eigenvalue, has not converged or was not measured."""
    open_ = [*untrained(found), *_contradictions(found), *_unsure(found)]
    if open_:
        yield "\n".join(f"- {line}" for line in open_)
    elif found.spectra:
        yield (
            "Of what is stored: no network is near guessing, every eigenvalue has converged, and every descent does "
            "what its eigenvalue says."
        )
    missing = [claim.what for claim in claims if claim.shows is None]
    if missing:
        yield "Not measured, because a part is not finished or too few eigenvalues were found or converged:"
        yield "\n".join(f"- {what}" for what in missing)


def untrained(found: BatchNormStudy) -> Iterator[str]:
    """Networks that know little more than nothing: what is said of trained ones need not be true of them."""
    guessing = math.inf if found.classes is None else math.log(found.classes)
    for one in found.networks:
        few = [seed for seed, loss in one.loss.values.items() if not loss < GUESSING * guessing]
        if few:
            network = f"The network {with_norm(one.network)}, seed {', '.join(map(str, few))},"
            yield f"{network} has hardly learnt: its loss is near ln {found.classes}."


def _contradictions(found: BatchNormStudy) -> Iterator[str]:
    """Descents whose verdict is not that of the eigenvalue."""
    for one in found.descents:
        if one.contradicts:
            what = "grows, though this should be stable" if one.grows else "is stable, though this should grow"
            yield f"Descent {with_norm(one.network)}, seed {one.seed}, at {one.factor:g} times the limit: it {what}."


def _unsure(found: BatchNormStudy) -> Iterator[str]:
    """Eigenvalues that have not converged."""
    for one in found.spectra:
        if one.converged < one.computed:
            outside = f" orthogonal to gradients of {one.outside}" if one.outside else ""
            yield (
                f"{one.computed - one.converged} of {one.computed} eigenvalues {with_norm(one.network)}{outside} have "
                f"not converged: residuals up to {one.worst_residual:.2g} of the largest; "
                f"{_largest(one.unsure_leading)}."
            )


def _largest(unsure: Sequence[int]) -> str:
    if not unsure:
        return "the largest one has converged in every seed"
    return f"in seed {', '.join(map(str, unsure))} the largest one is among them"
