"""The dynamics of a study's trials side by side, in words and tables: decay and ratio, LARS, initial lengths."""

from collections.abc import Mapping
from typing import Protocol

from hpsearch.analysis.collapse import Collapse, collapse
from hpsearch.analysis.decay_and_ratio import Shares
from hpsearch.analysis.lars_equivalence import Equivalence, Equivalences, lars_equivalence
from hpsearch.analysis.means import standard_error
from hpsearch.analysis.merging import Merging, Mergings, merging
from hpsearch.analysis.traced_trials import counted
from hpsearch.cli import console
from hpsearch.errors import StudyError
from hpsearch.statistics.explained import Explained
from hpsearch.store.reader import Study

NONE = "-"


class Found(Protocol):
    """What an analysis of a study comes to."""

    def to_json(self) -> dict[str, object]:
        """Return plain data for strict JSON."""


def compared(study: Study) -> Mapping[str, Found]:
    """Return the comparisons between trials by name; none where no trial came to the end of a full run."""
    try:
        return {"collapse": collapse(study), "lars": lars_equivalence(study), "merging": merging(study)}
    except StudyError:
        return {}


def print_compared(study: Study) -> None:
    """Print what the traced trials of a study say side by side, or why they say nothing."""
    try:
        _print_collapse(collapse(study))
        _print_lars(lars_equivalence(study))
        _print_merging(merging(study))
    except StudyError as error:
        console.out.print()
        console.note(f"nothing to compare: {error.problems[0].what}")


def _print_collapse(found: Collapse) -> None:
    console.out.print()
    console.out.print(
        "[bold]between trials: decay lr weight_decay / (1 - momentum), or ratio lr / weight_decay?[/bold]"
    )
    left_out = f"; left out: {counted(found.left_out)}" if found.left_out else ""
    console.say(f"{console.counted(len(found.runs), 'full run')} with weight decay{left_out}")
    if found.others:
        console.say(f"these vary as well, and count as noise: {', '.join(found.others)}")
    if found.missing:
        console.say(f"their shares are not known: {found.missing}")
    else:
        columns = ("decay alone", "ratio adds", "ratio alone", "decay adds", "both")
        table = console.table("share of the variance of", *columns)
        for what, shares in (
            ("effective lr (log, later half)", found.effective),
            (f"{found.metric} at the end", found.results),
        ):
            table.add_row(what, *_shares(shares))
        console.out.print(table)
        console.note("in brackets what shuffled trials exceed once in twenty times")
    if found.spread:
        spread = found.spread
        console.say(
            f"runs of equal decay, their ratios up to {spread.decades:.1f} decades apart: effective lr (log) differs by"
            f" {spread.start:.2f} at the start, {spread.end:.2f} at the end (std; 0.1 is 10%)"
        )


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
        console.say(f"{console.settings(pair.config)}")
        for line in _lars_lines(pair):
            console.say(f"  {line}")


def _lars_lines(pair: Equivalence) -> list[str]:
    lines = []
    for of in pair.metrics:
        lars, sgd, gap = of.lars, of.sgd, of.difference
        interval = f", 95% interval {gap.interval.low:+.3g} to {gap.interval.high:+.3g}" if gap.interval else ""
        ends = f"lars {lars.mean[-1]:.4g} ({lars.n}), {pair.sgd} {sgd.mean[-1]:.4g} ({sgd.n})"
        lines += [
            f"{of.metric} at the end: {ends}: {gap.value:+.3g}{interval}: {gap.verdict}",
            f"{of.metric} on the way: widest apart after epoch {of.widest_epoch}, {of.widest:+.3g}",
        ]
    return [*lines, f"rotation per step in the last third: lars / {pair.sgd} {pair.turning.ratio:.2f}"]


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
        both = layer.measured is not None and layer.predicted
        ratio = f"{layer.measured / layer.predicted:.2f}" if both else NONE  # type: ignore[operator]
        table.add_row(layer.name, _step(layer.measured), _step(layer.predicted), ratio, _step(layer.closed_form))
    table.add_row(
        "median",
        _step(of.measured),
        _step(of.predicted),
        NONE if of.ratio is None else f"{of.ratio:.2f}",
        _step(of.closed_form),
    )
    console.out.print(table)
    console.note(
        "by theory: from each start, with the gradients that were measured; closed form: from where they end up"
    )


def _mean(of: Merging, scale: float) -> str:
    found = of.results[scale]
    error = standard_error(found)
    return f"{found.mean:.4g}" + (f" +- {error:.2g}" if error is not None else "") + f" ({found.n})"


def _step(step: float | None) -> str:
    return "never" if step is None else f"{step:.0f}"
