"""What ``hpsearch reproduce`` prints at its end: the figures of each recipe, and a table where there are several."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hpsearch.analysis.means import Difference, Moments, Published, compare
from hpsearch.analysis.reproduction import Summary
from hpsearch.cli import console

BUSY = "CPU seconds per thread"


@dataclass(frozen=True)
class Report:
    """The figures of a recipe's runs, and what they are beside the published ones, or why they are not compared."""

    summary: Summary
    published: Published | None
    difference: Difference | None
    comparison: str

    @classmethod
    def of(cls, summary: Summary, published: Published | None, alone: str | None) -> "Report":
        """Return the report of runs; ``alone`` says why there is nothing ``published``."""
        if published is None:
            return cls(summary, None, None, alone or "")
        if summary.accuracy is None:
            return cls(summary, published, None, "not compared: all runs diverged")
        difference = compare(summary.accuracy, published)
        return cls(summary, published, difference, f"{difference.verdict}; published: {published.accuracy:g}")

    def to_json(self) -> dict[str, Any]:
        """Return plain data for strict JSON."""
        extra = {name: value and asdict(value) for name, value in vars(self).items() if name in _PARTS}
        return {**self.summary.to_json(), **extra, "comparison": self.comparison}


_PARTS = ("published", "difference")


def show(reports: Sequence[Report], json: bool) -> None:
    """Print the figures of the recipes."""
    if json:
        console.data([report.to_json() for report in reports])
        return
    for report in reports:
        console.out.print()
        console.facts(facts(report))
    if len(reports) > 1:
        console.out.print()
        _show_table(reports)


def facts(report: Report) -> dict[str, str]:
    """Return the figures as labels and texts."""
    summary = report.summary
    rows = {"recipe": title(summary), "data": summary.data, "runs": _runs(summary), "accuracy": accuracy(summary)}
    if summary.target is not None:
        rows[f"at {summary.target:g}"] = at_target(summary)
    speed = f"{summary.images_per_second:,.0f} images/s, {summary.share_of_peak:.0%} of the measured peak"
    busy = f"; {BUSY} {spread(summary.busy_seconds, '.1f')}" if summary.device == "cpu" else ""
    return {
        **rows,
        "seconds": f"{spread(summary.seconds, '.1f')}{busy}",
        "arithmetic": f"{summary.petaflop:.3g} PFLOP; {speed}",
        "published": report.comparison,
    }


def title(summary: Summary) -> str:
    """The recipe and, where it is not the full one, its scale."""
    return summary.name if summary.scale == "full" else f"{summary.name}, scaled to {summary.scale}"


def accuracy(summary: Summary) -> str:
    """Mean, spread, standard error and median of the test accuracy."""
    if summary.accuracy is None or summary.median is None:
        return "none: all runs diverged"
    error = "" if summary.error is None else f", standard error {summary.error:.4f}"
    return f"{spread(summary.accuracy, '.4f')}{error}, median {summary.median:.4f}"


def at_target(summary: Summary) -> str:
    """How many runs reached the target, how sure that is, and how long they took."""
    if summary.share is None:
        return "-"
    seconds = "" if summary.seconds_to_target is None else f", in {summary.seconds_to_target:.1f} s"
    interval = f"95% interval {summary.share.low:.0%} to {summary.share.high:.0%}"
    return f"{summary.reached} of {summary.n} runs ({interval}){seconds}"


def spread(values: Moments, form: str) -> str:
    """Mean and standard deviation."""
    return f"{values.mean:{form}}" + ("" if values.std is None else f" +- {values.std:{form}}")


def _runs(summary: Summary) -> str:
    lost = f", {summary.diverged} diverged" if summary.diverged else ""
    threads = console.counted(summary.threads, "thread")
    return f"{summary.n}{lost}; {summary.device}, {threads}, {summary.precision}"


def _show_table(reports: Sequence[Report]) -> None:
    on_cpu = reports[0].summary.device == "cpu"
    times = ["seconds", BUSY] if on_cpu else ["seconds"]
    table = console.table("recipe", "runs", "accuracy", "published", "at target", *times, "PFLOP", "peak")
    for report in reports:
        summary = report.summary
        table.add_row(
            title(summary),
            str(summary.n),
            "diverged" if summary.accuracy is None else spread(summary.accuracy, ".4f"),
            f"{report.published.accuracy:g}" if report.published else "-",
            "-" if summary.reached is None else f"{summary.reached} of {summary.n}",
            spread(summary.seconds, ".1f"),
            *([spread(summary.busy_seconds, ".1f")] if on_cpu else []),
            f"{summary.petaflop:.3g}",
            f"{summary.share_of_peak:.0%}",
        )
    console.out.print(table)
