"""The words on the scan of ``hpsearch study forgetting``: what ends the flat region, the step or the rate."""

import math

from hpsearch.analysis.curvature_limit import BESIDE, LEVEL, MEMORIES, CurvatureLimit, End, Point
from hpsearch.errors import listed
from hpsearch.report.markdown import table

LEVEL_IS = (
    f"Level: at most {LEVEL:g} standard errors above the smallest batch; above: shown to be, or a run diverged. The "
    "flat region of a batch size ends somewhere between."
)


def scan_blocks(limit: CurvatureLimit) -> list[str]:
    """Return the text on the search over learning rate and batch size."""
    return [
        "## The final loss at a fixed lr / batch size",
        _noise(limit),
        _scan_table(limit),
        "+ shown to be above the smallest batch at the same rate (5% for all comparisons together).",
        _flat(limit),
        LEVEL_IS,
        *(_too_few_steps(end) for end in limit.ends if not end.has_begun),
        verdict(limit),
        _turn(limit),
    ]


def verdict(limit: CurvatureLimit) -> str:
    """Return which of one learning rate and one rate can be the end of the flat region of all batch sizes."""
    if not limit.comparable:
        return "No batch size beside the smallest has steps enough to be compared with it."
    sizes = f"batches of {listed([end.batch_size for end in limit.comparable])}"
    if not limit.found:
        why = "curvature is not seen" if limit.noise else "without repeats only a diverged run would show it"
        return f"Inside the grid {sizes} are not shown to leave the smallest: {why}."
    if len(limit.comparable) == 1:
        return f"Only {sizes} can be compared: one size cannot tell a common learning rate from a common rate."
    lr, rate = limit.common("lr"), limit.common("rate")
    ends = f"the ends of the flat region of {sizes}"
    if lr and rate:
        return (
            f"One learning rate ({_between(lr)}) fits {ends}, and so does one rate ({_between(rate)}): the grid is too "
            "coarse, or the runs are too few, to tell curvature from forgetting."
        )
    if lr:
        return (
            f"One learning rate ({_between(lr)}) fits {ends}, and no one rate does: the step itself is what is "
            "limited, as curvature predicts."
        )
    if rate:
        return (
            f"One rate ({_between(rate)}) fits {ends}, and no one learning rate does: that is not what curvature "
            "predicts."
        )
    return f"Neither one learning rate nor one rate fits {ends}."


def _noise(limit: CurvatureLimit) -> str:
    if limit.noise is None:
        return "Every setting ran once: without repeats nothing is shown to lie above anything."
    runs = sorted({point.loss.n for point in limit.points if point.loss})
    each = f"{runs[0]}" if len(runs) == 1 else f"{runs[0]} to {runs[-1]}"
    noise = f"{limit.noise.std:.3g} at the best settings ({limit.noise.freedom:.0f} degrees of freedom)"
    return f"{limit.metric} at the end, means of {each} runs; standard deviation of a run {noise}."


def _scan_table(limit: CurvatureLimit) -> str:
    rates = sorted({point.rate for point in limit.points})
    rows = [
        [str(size), *(_cell(next((p for p in limit.of(size) if p.rate == rate), None)) for rate in rates)]
        for size in limit.batch_sizes
    ]
    return table(["batch size", *(f"rate {rate:.3g}" for rate in rates)], rows)


def _cell(point: Point | None) -> str:
    if point is None:
        return ""
    lost = f", {point.diverged} diverged" if point.diverged else ""
    if point.loss is None:
        return "diverged"
    accuracy = f", {100 * point.beside.mean:.1f}%" if point.beside and BESIDE.endswith("accuracy") else ""
    return f"{point.loss.mean:.3f}{'' if point.follows else '+'} (lr {point.lr:.3g}{accuracy}{lost})"


def _flat(limit: CurvatureLimit) -> str:
    rows = [[str(end.batch_size), *_ends(end)] for end in limit.ends]
    return table(["batch size", "level up to lr", "rate", "above from lr", "rate", "excess loss there"], rows)


def _ends(end: End) -> list[str]:
    last = ["nowhere", ""] if end.last is None else [f"{end.last.lr:.3g}", f"{end.last.rate:.3g}"]
    if end.first_off is None:
        return [*last, "not in the grid", "", ""]
    off = end.first_off
    excess = "diverged" if off.excess is None or off.error is None else f"{off.excess:+.3f} +- {off.error:.3f}"
    return [*last, f"{off.lr:.3g}", f"{off.rate:.3g}", excess]


def _too_few_steps(end: End) -> str:
    return (
        f"With batches of {end.batch_size} a run has {end.steps:.0f} steps, less than {MEMORIES} times the "
        f"{end.memory:.0f} in which the momentum passes a gradient on: where they leave is no limit of the learning "
        "rate, and they do not count in what follows."
    )


def _turn(limit: CurvatureLimit) -> str:
    size = limit.batch_sizes[0]
    best = limit.best(size)
    if best is None or best.loss is None:
        return f"Batches of {size}: every run diverged."
    least = (
        f"Batches of {size} are best at rate {best.rate:.3g} (lr {best.lr:.3g}, {limit.metric} {best.loss.mean:.3f})"
    )
    if best.rate == max(point.rate for point in limit.points):
        return f"{least}, the highest rate of the grid."
    if not limit.turn:
        return f"{least}; no higher rate of the grid is shown to be worse."
    first = limit.turn[0]
    others = [f"{one.rate:.3g} for {one.batch_size}" for one in map(limit.best, limit.batch_sizes[1:]) if one]
    beside = f" The best rate of the other batch sizes: {listed(others)}." if others else ""
    return f"{least}, and shown to be worse from rate {first.rate:.3g} (lr {first.lr:.3g}) on.{beside}"


def _between(bounds: tuple[float, float]) -> str:
    low, high = bounds
    if math.isinf(high):
        return f"above {low:.3g}"
    return f"{low:.3g} to {high:.3g}" if low else f"below {high:.3g}"
