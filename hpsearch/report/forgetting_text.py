"""The finding of ``hpsearch study forgetting`` in words and tables, every one of them from what was measured."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hpsearch.analysis.curvature_limit import BESIDE, CurvatureLimit, End, Point
from hpsearch.analysis.forgetting_curve import Condition, Forgetting, Halving
from hpsearch.analysis.forgetting_fit import Fit
from hpsearch.analysis.means import Interval, Moments, standard_error
from hpsearch.errors import listed
from hpsearch.report.forgetting_plot import timescale, words
from hpsearch.store.diagnostics import Diagnostics

EXPLAINED = (
    "The learning rate rises as in the recipe and is then held; half data are every other image, seen twice as often. "
    "Losses are of the frozen network on each full batch of the last epoch, with what the difficulty of the batch "
    "explains taken off (as other seeds' networks find it). Images never seen are the held-out ones, augmented in the "
    "same way. T is fitted to what is left of a step, which the momentum passes on little by little and which is then "
    "forgotten; a plain exponential leaves the first out. p is the chance of so good a fit if age played no part."
)


def finding(study: Diagnostics, limit: CurvatureLimit, found: Forgetting) -> str:
    """Return the Markdown text."""
    about = study.about
    subject = f"Recipe {about['recipe']}, {about['data']}, on {about['device']}; {_where(study)}."
    lossy = ["The images are lossy copies, not the originals."] if about["lossy"] else []
    blocks = ["# Forgetting or curvature?", " ".join([subject, *lossy]), *scan_blocks(limit), *replay_blocks(found)]
    return "\n\n".join(blocks) + "\n"


def scan_blocks(limit: CurvatureLimit) -> list[str]:
    """Return the text on the search over learning rate and batch size."""
    return [
        "## The final loss at a fixed lr / batch size",
        _noise(limit),
        _scan_table(limit),
        "+ shown to be above the smallest batch at the same rate (5% for all comparisons together).",
        _flat(limit),
        verdict(limit),
        _turn(limit),
    ]


def verdict(limit: CurvatureLimit) -> str:
    """Return which of one learning rate and one rate can be the end of the flat region of all batch sizes."""
    if not limit.found:
        return "No batch size leaves the smallest inside the grid: curvature is not seen."
    if len(limit.ends) < 2:
        return "One batch size beside the smallest cannot tell a common learning rate from a common rate."
    lr, rate = limit.common("lr"), limit.common("rate")
    if lr and rate:
        return f"One learning rate ({_between(lr)}) fits all these ends, and so does one rate: the grid is too coarse."
    if lr:
        return (
            f"One learning rate ({_between(lr)}) fits the ends of all batch sizes, and no one rate does: the step "
            "itself is what is limited, as curvature predicts."
        )
    if rate:
        return (
            f"One rate ({_between(rate)}) fits the ends of all batch sizes, and no one learning rate does: that is not "
            "what curvature predicts."
        )
    return "Neither one learning rate nor one rate fits the ends of all batch sizes."


def replay_blocks(found: Forgetting) -> list[str]:
    """Return the text on the frozen networks."""
    return [
        "## What a frozen network knows of its last epoch",
        EXPLAINED,
        _curve_table(found.conditions),
        *[_timescale(one) for one in found.conditions if one.fit],
        "## Half of the images, as many steps",
        _result_table(found.conditions),
        *[sentence for one in found.halvings if one.metric == "val_loss" for sentence in [_halving(one)]],
    ]


def _where(study: Diagnostics) -> str:
    part: Mapping[str, Any] = next(iter(study.parts.values()), {})
    versions = part.get("versions", {})
    known = ", ".join(f"{name} {versions[name]}" for name in ("hpsearch", "torch") if name in versions)
    return f"{known}; replays on {part.get('threads', '?')} threads" if known else "versions not known"


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
    return _table(["batch size", *(f"rate {rate:.3g}" for rate in rates)], rows)


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
    return _table(["batch size", "follows up to lr", "rate", "leaves at lr", "rate", "excess loss there"], rows)


def _ends(end: End) -> list[str]:
    last = ["nowhere", ""] if end.last is None else [f"{end.last.lr:.3g}", f"{end.last.rate:.3g}"]
    if end.first_off is None:
        return [*last, "not in the grid", "", ""]
    off = end.first_off
    excess = "diverged" if off.excess is None or off.error is None else f"{off.excess:+.3f} +- {off.error:.3f}"
    return [*last, f"{off.lr:.3g}", f"{off.rate:.3g}", excess]


def _turn(limit: CurvatureLimit) -> str:
    size = limit.batch_sizes[0]
    best = limit.best(size)
    if best is None or best.loss is None:
        return f"Batches of {size}: every run diverged."
    least = (
        f"Batches of {size} are best at rate {best.rate:.3g} (lr {best.lr:.3g}, {limit.metric} {best.loss.mean:.3f})"
    )
    if not limit.turn:
        return f"{least}; no higher rate of the grid is shown to be worse."
    first = limit.turn[0]
    others = [f"{one.rate:.3g} for {one.batch_size}" for one in map(limit.best, limit.batch_sizes[1:]) if one]
    beside = f" The best rate of the other batch sizes: {listed(others)}." if others else ""
    return f"{least}, and shown to be worse from rate {first.rate:.3g} (lr {first.lr:.3g}) on.{beside}"


def _curve_table(conditions: Sequence[Condition]) -> str:
    rows = [
        [
            f"{one.lr:.3g}",
            one.data,
            f"{one.runs - one.diverged} of {one.runs}" if one.diverged else str(one.runs),
            str(one.steps_per_epoch),
            *([""] * 7 if one.fit is None or one.plain is None else _of_age(one, one.fit, one.plain)),
            f"{one.momentum_steps:.0f}",
            "no theory" if math.isnan(one.memory_steps) else f"{one.memory_steps:.0f}",
        ]
        for one in conditions
    ]
    header = ["lr", "data", "runs", "steps per epoch", "youngest third (nat)", "oldest third", "never seen"]
    fitted = ["oldest - youngest (95%)", "p", "T (95%)", "T of a plain exponential"]
    return _table([*header, *fitted, "momentum's memory", "decay's memory"], rows)


def _of_age(one: Condition, fit: Fit, plain: Fit) -> list[str]:
    losses = [f"{loss:.3f}" for loss in (*fit.ends, one.results["unseen_loss"].mean)]
    return [*losses, _signed(fit.rise, fit.rise_interval), *_fitted(fit), _fitted(plain)[1]]


def _fitted(fit: Fit) -> list[str]:
    if fit.is_flat:
        return [f"{fit.chance:.2g}", "none: flat"]
    return [f"{fit.chance:.2g}", timescale(fit)]


def _timescale(one: Condition) -> str:
    assert one.fit is not None
    if one.fit.is_flat:
        return f"{one.name}: {words(one.fit)}; no timescale."
    near = one.compatible()
    inside = ", ".join(f"{name} {'is' if name in near else 'is not'}" for name in one.known)
    return f"{one.name}: {words(one.fit)}; of the known memories {inside} in that range."


def _result_table(conditions: Sequence[Condition]) -> str:
    rows = [
        [
            f"{one.lr:.3g}",
            one.data,
            str(one.images),
            str(one.steps),
            *(
                [_mean(one.results[name]) for name in ("unseen_loss", "val_loss", "val_accuracy")]
                if one.results
                else ["diverged", "", ""]
            ),
        ]
        for one in conditions
    ]
    header = ["lr", "data", "images", "steps", "held-out loss, augmented", "held-out loss", "held-out accuracy"]
    return _table(header, rows)


def _halving(one: Halving) -> str:
    if one.interval is None:
        return f"At lr {one.lr:.3g} half the images change {one.metric} by {one.value:+.3f} (single runs)."
    shown = "above the noise" if one.is_shown else "within the noise"
    return f"At lr {one.lr:.3g} half the images change {one.metric} by {_signed(one.value, one.interval)}, {shown}."


def _mean(of: Moments) -> str:
    error = standard_error(of)
    return f"{of.mean:.4f}" if error is None else f"{of.mean:.4f} +- {error:.4f}"


def _signed(value: float, interval: Interval) -> str:
    return f"{value:+.3f} ({interval.low:+.3f} to {interval.high:+.3f})"


def _between(bounds: tuple[float, float]) -> str:
    low, high = bounds
    if math.isinf(high):
        return f"above {low:.3g}"
    return f"{low:.3g} to {high:.3g}" if low else f"below {high:.3g}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
