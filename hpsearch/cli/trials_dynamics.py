"""The dynamics of a study's trials side by side, in words and tables: decay and ratio, LARS, initial lengths."""

import math
from collections.abc import Mapping
from typing import Protocol

from hpsearch.analysis.collapse import Collapse
from hpsearch.analysis.comparisons import Comparisons
from hpsearch.analysis.decay_and_ratio import Shares
from hpsearch.analysis.lars_equivalence import Equivalence, Equivalences
from hpsearch.analysis.means import standard_error
from hpsearch.analysis.merging import Merging, Mergings
from hpsearch.analysis.traced_trials import NothingToCompareError, counted
from hpsearch.cli import console
from hpsearch.cli.settings_table import with_error
from hpsearch.errors import listed
from hpsearch.statistics.explained import Explained

NONE = "-"


class Found(Protocol):
    """What an analysis of a study comes to."""

    def to_json(self) -> dict[str, object]:
        """Return plain data for strict JSON."""


def compared(found: Comparisons) -> Mapping[str, Found]:
    """Return the comparisons between trials by name; none where no trial came to the end of a full run."""
    try:
        return {"collapse": found.collapse, "lars": found.lars, "merging": found.merging}
    except NothingToCompareError:
        return {}


def print_compared(found: Comparisons) -> None:
    """Print what the traced trials of a study say side by side, or why they say nothing."""
    try:
        _print_collapse(found.collapse)
        _print_lars(found.lars)
        _print_merging(found.merging)
    except NothingToCompareError as error:
        console.out.print()
        console.note(f"nothing to compare: {error.problems[0].what}")


def _print_collapse(found: Collapse) -> None:
    console.out.print()
    console.out.print("[bold]between trials: is the decay all that matters, or lr / weight_decay too?[/bold]")
    left_out = f"; left out: {counted(found.left_out)}" if found.left_out else ""
    rules = f" of {listed(found.rules)}" if found.rules else ""
    runs = console.counted(len(found.runs), "full run") + rules
    console.say(f"{runs} with weight decay{left_out}")
    if found.others:
        console.say(f"these vary as well, and count as noise: {', '.join(found.others)}")
    if found.missing:
        console.say(f"their shares are not known: {found.missing}")
    else:
        _print_shares(found)
    if found.spread:
        start, end = found.spread.start, found.spread.end
        apart = f"{found.spread.decades:.1f} decades apart"
        console.say(f"runs of equal decay with ratios up to {apart} differ in effective lr")
        console.say(f"by {start:.2f} at the start, {end:.2f} at the end (std of its natural log; 0.1 is 10%)")


def _print_shares(found: Collapse) -> None:
    table = console.table("variance", "decay alone", "ratio adds", "ratio alone", "decay adds", "both")
    for what, shares in (("effective lr", found.effective), (found.metric, found.results)):
        table.add_row(what, *_shares(shares))
    console.out.print(table)
    console.note("shares of the variance between trials; in brackets what chance exceeds once in twenty times")
    console.note(f"effective lr: {_rate(found.power)}, its log over the later half of a run; {found.metric} at its end")
    console.note("decay: the share of its direction that a weight forgets in a step, by theory, at the peak of lr")
    console.note("  (SGD: lr x weight_decay / (1 - momentum)); ratio: lr / weight_decay there")


def _rate(power: float) -> str:
    return "lr / |w|" if power == 1 else f"lr / |w|^{power:g}"


def _shares(shares: Shares) -> list[str]:
    order = (shares.decay_alone, shares.ratio, shares.ratio_alone, shares.decay, shares.both)
    return [_share(one) for one in order]


def _share(of: Explained | None) -> str:
    return NONE if of is None else f"{max(0.0, of.share):.0%} ({max(0.0, of.chance):.0%})"


def _print_lars(found: Equivalences) -> None:
    if found.pairs:
        console.out.print()
        console.out.print("[bold]LARS without decay against SGD with decay[/bold]")
    for pair in found.pairs:
        if pair.config:
            console.say(console.settings(pair.config))
        for line in _lars_lines(pair):
            console.say(f"  {line}")


def _lars_lines(pair: Equivalence) -> list[str]:
    lines = []
    for of in pair.metrics:
        lars, sgd, gap = of.lars, of.sgd, of.difference
        interval = f" (95% interval {gap.interval.low:+.3g} to {gap.interval.high:+.3g})" if gap.interval else ""
        ends = f"lars {lars.mean[-1]:.4g} ({lars.n}), {pair.sgd} {sgd.mean[-1]:.4g} ({sgd.n})"
        lines += [
            f"{of.metric} at the end (runs): {ends}",
            f"  difference {gap.value:+.3g}{interval}: {gap.verdict}",
            f"  widest on the way {of.widest:+.3g}, after epoch {of.widest_epoch}",
        ]
    return [*lines, f"rotation per step in the last third (rms): lars / {pair.sgd} {_ratio(pair.turning.ratio)}"]


def _print_merging(found: Mergings) -> None:
    for setting in found.settings:
        console.out.print()
        console.out.print("[bold]initial weights of several lengths: from which step on is |w| within 20%?[/bold]")
        if setting.config:
            console.say(console.settings(setting.config))
        _print_layers(setting)


def _print_layers(of: Merging) -> None:
    ends = (f"x{scale:g}: {_mean(of, scale)}" for scale in of.results)
    console.say(f"{of.metric} at the end: {', '.join(ends)}")
    table = console.table("layer", "measured", "by theory", "ratio", "closed form")
    for layer in of.layers:
        predicted = _step(layer.predicted) if layer.has_theory else NONE
        ratio = layer.measured / layer.predicted if layer.measured is not None and layer.predicted else None
        table.add_row(layer.name, _step(layer.measured), predicted, _ratio(ratio), _step(layer.closed_form, NONE))
    predicted = _step(of.predicted) if any(layer.has_theory for layer in of.layers) else NONE
    table.add_row("median", _step(of.measured), predicted, _ratio(of.ratio), _step(of.closed_form, NONE))
    console.out.print(table)
    console.note("steps; by theory: from each start on, with the gradients that were measured on the way")
    console.note("closed form: at a constant decay, with the balance that the lengths came to")


def _mean(of: Merging, scale: float) -> str:
    found = of.results[scale]
    error = standard_error(found)
    return f"{console.number(found.mean) if error is None else with_error(found.mean, error)} ({found.n})"


def _step(step: float | None, none: str = "never") -> str:
    return none if step is None else f"{step:.0f}"


def _ratio(ratio: float | None) -> str:
    return NONE if ratio is None or not math.isfinite(ratio) else f"{ratio:.2f}"
