"""Figures and tables in Markdown."""

from collections.abc import Sequence

from hpsearch.analysis.by_seed import BySeed

ROUNDING = 1e-12
"""A relative spread that is due to rounding alone."""


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of texts."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def spread(value: BySeed, form: str = ".3g", form_of_std: str = ".2g") -> str:
    """Return the mean, with the standard deviation between seeds that are not alike: ``12.3 +- 0.4``."""
    of = value.moments
    if of is None:
        return "-"
    alike = of.std is None or of.std <= ROUNDING * abs(of.mean)
    return f"{of.mean:{form}}" + ("" if alike else f" +- {of.std:{form_of_std}}")


def percent(value: BySeed) -> str:
    """Return ``spread`` in per cent."""
    return spread(value, ".1%", ".1%")


def counted(count: int, noun: str) -> str:
    """Return a count with its noun."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")
