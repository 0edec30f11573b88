"""The finding of ``hpsearch study profile`` in words and a table, all of it from what was measured."""

from collections.abc import Sequence

from hpsearch.analysis.step_profile import GPU_CLOCK, Part, StepProfile
from hpsearch.errors import listed
from hpsearch.report.markdown import table
from hpsearch.report.profile_losses import losses
from hpsearch.report.study_subject import subject
from hpsearch.report.units import flop, milliseconds, of_bytes, time
from hpsearch.store.diagnostics import Diagnostics

APART = 0.05
"""Share of a step by which two methods must differ to be named."""

_CLOCKS = {
    "processor": "processor time of the one thread",
    "wall": "wall time",
    GPU_CLOCK: "wall time until the GPU is done",
}

EXPLAINED = (
    "ms: by the profiler, brought to the time of a step without it. Saved: what a step without the part takes less, "
    "median and range of the rounds. FLOP: convolutions and matrix products. Bytes: every tensor that an operator "
    "takes or gives, once. Ideal: each operator at the highest FLOP/s of a product or bytes/s of a copy, whichever "
    "takes longer; where a part is faster than that, data came from a cache."
)


def finding(study: Diagnostics, found: StepProfile) -> str:
    """Return the Markdown text."""
    blocks = [
        "# Where the time of a training step goes",
        summary(found),
        subject(study.about, study.parts),
        _whole(found),
        _profiler(found),
    ]
    blocks += [_table(found), EXPLAINED, _apart(found), "## The largest losses", losses(found)]
    return "\n\n".join(blocks) + "\n"


def summary(found: StepProfile) -> str:
    """Return the finding in a few sentences."""
    of = found.seconds.median
    between = (
        f", {milliseconds(found.seconds.low)} to {milliseconds(found.seconds.high)}" if found.seconds.n > 1 else ""
    )
    longest = sorted(found.parts, key=lambda part: -part.seconds)[:3]
    most = listed([f"{part.name} {found.share(part):.0%}" for part in longest])
    lost = listed([f"{part.name} {milliseconds(part.lost)} ms ({part.lost / of:.0%})" for part in found.losses()])
    return (
        f"A training step of {found.batch_size} images takes {milliseconds(of)} ms ({_CLOCKS[found.clock]}{between}) "
        f"and reaches {found.efficiency:.0%} of the highest speed of a product on this device. Most of it "
        f"goes to {most}. Against what the device could do, most is lost in {lost or 'no part'}."
    )


def _whole(found: StepProfile) -> str:
    limits, of = found.ceilings, found.seconds
    note = f" ({found.note})" if found.note else ""
    rounds = f"{of.n} rounds: {milliseconds(of.low)} to {milliseconds(of.high)}" if of.n > 1 else "a single round"
    return (
        f"A step of {found.batch_size} images in {found.precision}{note} takes {milliseconds(of.median)} ms ({rounds}; "
        f"{_CLOCKS[found.clock]}) for {flop(found.flop)}. That is {flop(found.flop / of.median)}/s, "
        f"**{found.efficiency:.1%} of the {flop(limits.flops)}/s** of a large product on this device. An epoch of "
        f"{found.epoch_steps} steps takes {time(found.epoch_seconds)}; at 100% it would take "
        f"{time(found.ideal_epoch_seconds)}. A large copy moves {of_bytes(limits.bandwidth)}/s."
    )


def _profiler(found: StepProfile) -> str:
    more = found.profiled / found.seconds.median - 1
    how = "the host's time alone" if found.clock == GPU_CLOCK else "all parts in proportion"
    taken = milliseconds(found.profiled)
    return f"With the profiler in the way it takes {taken} ms, {more:+.1%}; the difference is taken off {how}."


def _table(found: StepProfile) -> str:
    header = ["part", "ms", "share", "saved (ms)", "FLOP", "bytes", "ideal ms", "ideal / actual"]
    parts = sorted(found.parts, key=lambda part: -part.seconds)
    ideal, moved = sum(part.ideal for part in parts), sum(part.bytes for part in parts)
    whole = Part("whole step", found.seconds.median, None, 0, found.flop, moved, ideal, 0)
    rows = [_row(part, found) for part in [*parts, whole] if part.seconds or part.calls]
    return table(header, rows)


def _row(part: Part, found: StepProfile) -> Sequence[str]:
    saved = part.saved and [*map(milliseconds, (part.saved.median, part.saved.low, part.saved.high))]
    return [
        part.name,
        milliseconds(part.seconds),
        f"{found.share(part):.1%}",
        f"{saved[0]} ({saved[1]} to {saved[2]})" if saved else "",
        flop(part.flop) if part.flop else "",
        of_bytes(part.bytes) if part.bytes else "",
        milliseconds(part.ideal) if part.ideal else "",
        f"{part.ideal / part.seconds:.0%}" if part.ideal and part.seconds else "",
    ]


def _apart(found: StepProfile) -> str:
    """Name the parts of which the two methods say something else."""
    beyond = f"more than the range of the rounds and {APART:.0%} of a step"
    apart = [
        f"{part.name} ({milliseconds(part.seconds)} against {milliseconds(part.saved.median)} ms)"
        for part in found.parts
        if part.saved
        and not part.saved.low <= part.seconds <= part.saved.high
        and abs(part.seconds - part.saved.median) >= APART * found.seconds.median
    ]
    if not apart:
        return f"Of no part do profiler and ablation differ by {beyond}."
    return f"Profiler and ablation differ by {beyond}: {listed(apart)}."
