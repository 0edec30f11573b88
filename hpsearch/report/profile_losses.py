"""Which parts of a step lose most time against their ideal, and why, as far as the numbers say it."""

from hpsearch.analysis.step_profile import HOST, Part, StepProfile
from hpsearch.report.units import flop, milliseconds, of_bytes, time

NEAR = 0.6
"""Share of a ceiling from which on a part is said to be limited by it."""
SHORT = 30e-6
"""Seconds of an operator below which it is said to be short: starting one takes a good part of that."""


def losses(found: StepProfile) -> str:
    """Return the largest losses as a numbered list."""
    lines = [
        f"{number}. **{part.name}** loses {milliseconds(part.lost)} ms, {part.lost / found.seconds.median:.0%} of the "
        f"step: {why(part, found)}."
        for number, part in enumerate(found.losses(), start=1)
    ]
    return "\n".join(lines) if lines else "No part takes longer than its ideal."


def why(part: Part, found: StepProfile) -> str:
    """Return why a part takes longer than its ideal."""
    if part.name == HOST:
        return _of_host(part, sum(one.calls for one in found.parts))
    each = f"{part.calls:.0f} operators of {time(part.seconds / max(part.calls, 1))} on average"
    if part.seconds < SHORT * part.calls:
        return f"{each}: so short that starting them is a good part of it; larger batches or fused operators would help"
    if part.flop and part.by_memory < part.ideal / 2:
        return _of_products(part, found, each)
    return _of_memory(part, found, each)


def _of_host(host: Part, calls: float) -> str:
    return (
        f"no operator runs, but Python and autograd between {calls:.0f} of them, {time(host.seconds / max(calls, 1))} "
        "for each; fewer operators would help, or longer ones"
    )


def _of_products(part: Part, found: StepProfile, each: str) -> str:
    speed = part.flop / part.seconds
    share = speed / found.ceilings.flops
    intensity = f"{part.flop / part.bytes:.0f} FLOP a byte (from {found.ceilings.ridge:.0f} on memory sets no limit)"
    limit = "arithmetic is most of it" if share >= NEAR else "products of these shapes do not keep the arithmetic busy"
    return f"{flop(speed)}/s, {share:.0%} of the highest speed of a product, by {each}, with {intensity}: {limit}"


def _of_memory(part: Part, found: StepProfile, each: str) -> str:
    if not part.bytes:
        return "no operator of this kind moves or computes anything"
    reached = part.ideal / part.seconds
    moved = f"{_few(part, found)}{of_bytes(part.bytes / part.seconds)}/s by {each}"
    if reached >= NEAR:
        return f"{moved}, {reached:.0%} of its ideal: memory is the limit, and only fewer passes over it would help"
    return (
        f"{moved}, {reached:.0%} of its ideal: neither memory nor arithmetic is the limit, but how these operators are "
        "carried out"
    )


def _few(part: Part, found: StepProfile) -> str:
    if not part.flop:
        return ""
    return f"{part.flop / part.bytes:.0f} FLOP a byte, where {found.ceilings.ridge:.0f} keep the arithmetic busy; "
