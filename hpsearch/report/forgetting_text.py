"""The finding of ``hpsearch study forgetting`` in words and tables, every one of them from what was measured."""

import math
from collections.abc import Iterator, Sequence

from hpsearch.analysis.curvature_limit import CurvatureLimit
from hpsearch.analysis.forgetting_curve import Condition, Forgetting, Halving
from hpsearch.analysis.forgetting_fit import Fit
from hpsearch.analysis.means import Interval, Moments, standard_error
from hpsearch.errors import listed
from hpsearch.report.forgetting_plot import timescale
from hpsearch.report.lr_scan_text import scan_blocks, verdict
from hpsearch.report.markdown import table
from hpsearch.report.study_subject import subject
from hpsearch.store.diagnostics import Diagnostics

EXPLAINED = (
    "The learning rate rises as in the recipe and is then held; half data are every other image, seen twice as often. "
    "Losses are of the frozen network on each full batch of the last epoch, with what the difficulty of the batch "
    "explains taken off (as other seeds' networks find it). Images never seen are the held-out ones, augmented in the "
    "same way. p is the chance of so good a fit if age played no part, 0.001 at the least. Intervals and p are of "
    "these networks, over their batches: they say nothing of other seeds."
)
FORMS = (
    "The timescale T of forgetting depends on the form of the curve. With the momentum's part, what a step has taught "
    "arrives little by little, as the momentum passes it on, and is forgotten; a plain exponential leaves the first "
    "out. Both have as many parameters, so the one that leaves less of the losses unexplained fits better."
)


def finding(study: Diagnostics, limit: CurvatureLimit, found: Forgetting) -> str:
    """Return the Markdown text."""
    blocks = [
        "# Forgetting or curvature?",
        summary(limit, found),
        subject(study.about, study.parts, "replayed run"),
        *scan_blocks(limit),
        *replay_blocks(found),
    ]
    return "\n\n".join(blocks) + "\n"


def summary(limit: CurvatureLimit, found: Forgetting) -> str:
    """Return the finding in a few sentences."""
    return " ".join([verdict(limit), *_forgotten(found.conditions)])


def _forgotten(conditions: Sequence[Condition]) -> Iterator[str]:
    """Say how much less a frozen network knows of its oldest batches, and whether that is more than chance."""
    aged = [(one, one.better) for one in conditions if one.better]
    if not aged:
        return
    rises = listed([f"{fit.rise:+.3f} nat ({one.name})" for one, fit in aged])
    yield f"Loss of frozen networks on the oldest third of their last epoch less that on the youngest: {rises}."
    shown = [(one, fit) for one, fit in aged if not fit.is_flat]
    yield f"That age matters is shown in {len(shown)} of {len(aged)} cases."
    if shown:
        plain = sum(fit is one.plain for one, fit in shown)
        yield f"A plain exponential fits better than a curve with the momentum's part in {plain} of these."


def replay_blocks(found: Forgetting) -> list[str]:
    """Return the text on the frozen networks."""
    return [
        "## What a frozen network knows of its last epoch",
        EXPLAINED,
        _age_table(found.conditions),
        FORMS,
        _form_table(found.conditions),
        "## Half of the images, as many steps",
        _result_table(found.conditions),
        *[sentence for one in found.halvings if one.metric == "val_loss" for sentence in [_halving(one)]],
    ]


def _age_table(conditions: Sequence[Condition]) -> str:
    rows = [
        [
            f"{one.lr:.3g}",
            one.data,
            f"{one.runs - one.diverged} of {one.runs}" if one.diverged else str(one.runs),
            str(one.steps_per_epoch),
            *(["-"] * 5 if one.better is None else _of_age(one, one.better)),
        ]
        for one in conditions
    ]
    header = ["lr", "data", "runs", "steps per epoch", "youngest third (nat)", "oldest third", "never seen"]
    return table([*header, "oldest - youngest (95%)", "p"], rows)


def _of_age(one: Condition, fit: Fit) -> list[str]:
    losses = [f"{loss:.3f}" for loss in (*fit.ends, one.results["unseen_loss"].mean)]
    return [*losses, _signed(fit.rise, fit.rise_interval), f"{fit.chance:.2g}"]


def _form_table(conditions: Sequence[Condition]) -> str:
    rows = [
        [
            f"{one.lr:.3g}",
            one.data,
            _fitted(one.fit),
            _fitted(one.plain),
            _left(one),
            f"{one.momentum_steps:.0f}",
            "no theory" if math.isnan(one.memory_steps) else f"{one.memory_steps:.0f}",
            listed(one.compatible()) or "-",
        ]
        for one in conditions
    ]
    forms = ["T with the momentum's part (95%)", "T of a plain exponential", "squares left by the plain one"]
    known = ["momentum's memory (steps)", "decay's memory", "of these in the range of the better T"]
    return table(["lr", "data", *forms, *known], rows)


def _fitted(fit: Fit | None) -> str:
    if fit is None:
        return "-"
    return f"none: flat (p = {fit.chance:.2g})" if fit.is_flat else timescale(fit)


def _left(one: Condition) -> str:
    """Say how much more or less of the losses the plain exponential leaves unexplained."""
    if one.fit is None or one.plain is None or not one.fit.squares:
        return "-"
    return f"{one.plain.squares / one.fit.squares - 1:+.1%}"


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
    return table(header, rows)


def _halving(one: Halving) -> str:
    change = f"At lr {one.lr:.3g} half the images change {one.metric} by"
    if one.interval is None:
        return f"{change} {one.value:+.3f} (single runs)."
    full, half = one.runs
    shown = "is more than noise" if one.is_shown else "may be noise"
    return f"{change} {_signed(one.value, one.interval)}, which by {full} and {half} runs {shown}."


def _mean(of: Moments) -> str:
    error = standard_error(of)
    return f"{of.mean:.4f}" if error is None else f"{of.mean:.4f} +- {error:.4f}"


def _signed(value: float, interval: Interval) -> str:
    return f"{value:+.3f} ({interval.low:+.3f} to {interval.high:+.3f})"
