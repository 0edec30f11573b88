"""What stored runs of recipes reached, written where it is told: in the recipe files and on the page about them.

    python -m benchmarks.evidence results/reference/reproduce [--check]

The runs are those of ``hpsearch reproduce --results results/reference``; they do not count any more when the recipe was
changed since. ``--check`` changes nothing and exits with 1 where something would change.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

from hpsearch.analysis.means import Moments, Published, compare
from hpsearch.analysis.reproduction import Summary, groups, summarise
from hpsearch.errors import InputError
from hpsearch.store.recipe_runs import FILE, RecipeRun, read
from trainer import recipe as recipes
from trainer.recipe import Recipe
from trainer.reproduce import SERIES_WIDTH, training_values
from trainer.series import in_order

PAGE = Path(__file__).parents[1] / "docs" / "recipes.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
_BLOCK = re.compile(r"^evidence:.*\Z", flags=re.MULTILINE | re.DOTALL)

Rows = list[RecipeRun]


def current(runs: Iterable[RecipeRun], recipe: Recipe) -> Rows:
    """Return the runs of ``recipe`` as it is now, at any scale."""
    return [run for run in runs if run.recipe == training_values(_at_scale_of(run, recipe))]


def _at_scale_of(run: RecipeRun, recipe: Recipe) -> Recipe:
    model = recipe.model.model_copy(update={"width": run.width})
    narrow = recipe.model_copy(update={"model": model})
    return narrow if run.epochs == recipe.epochs else narrow.at_length(run.epochs)


def ordered(runs: Iterable[RecipeRun]) -> list[Rows]:
    """Divide runs into those that belong together, full scale first, then the widest and longest."""
    found = [group for group in groups(runs) if any(not run.diverged for run in group)]
    return sorted(found, key=lambda group: _rank(group[0]))


def _rank(run: RecipeRun) -> tuple[Any, ...]:
    return run.scale != "full", -run.width, -run.epochs, run.data, machine(run), run.recipe


def evidence(group: Rows) -> dict[str, Any]:
    """Return the entry of a recipe's ``evidence`` block (``trainer.blocks.Evidence``) for runs that belong together."""
    summary, first = summarise(group), group[0]
    accuracy = summary.accuracy
    assert accuracy is not None
    return {
        "scale": first.scale,
        "data": first.data,
        "runs": accuracy.n,
        "accuracy": round(accuracy.mean, 5),
        "std": None if accuracy.std is None else round(accuracy.std, 5),
        "seconds": round(summary.busy_seconds.mean, 1),
        "petaflop": float(f"{summary.petaflop:.4g}"),
        "device": machine(first),
        "versions": ", ".join(dict.fromkeys(f"torch {run.torch}, Python {run.python}" for run in group)),
    }


def machine(run: RecipeRun) -> str:
    """Return where a run took place: processor, threads and number format."""
    threads = f"{run.threads} thread{'' if run.threads == 1 else 's'}"
    return f"{run.cpu}, {threads}, {run.precision}" if run.device == "cpu" else f"{run.device}, {run.precision}"


def with_evidence(text: str, entries: Sequence[dict[str, Any]]) -> str:
    """Return the text of a recipe file with its last block, ``evidence``, replaced."""
    lines = [yaml.safe_dump(entry, default_flow_style=True, sort_keys=False, width=10**6) for entry in entries]
    block = "evidence:\n" + "".join(f"  - {line}" for line in lines) if lines else "evidence: []\n"
    changed, count = _BLOCK.subn(lambda _: block, text)
    if count != 1:
        raise ValueError("a recipe file must end with its block 'evidence'")
    return changed


def with_tables(text: str, tables: str) -> str:
    """Return the text of the page with ``tables`` between its marks."""
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"the page must have one {BEGIN} and one {END}")
    return f"{text[: text.index(BEGIN)]}{BEGIN}\n{tables}{text[text.index(END) :]}"


def tables(found: dict[str, list[Rows]], known: dict[str, Recipe]) -> str:
    """Return Markdown, in the order of the series: the full runs, then the smaller ones."""
    story = [group for name in in_order(known) if isinstance(name, str) for group in found.get(name, [])]
    full = [group for group in story if group[0].scale == "full"]
    small = [group for group in story if group[0].scale != "full"]
    lines = [*_tables(full, known, _FULL, "Full runs"), *_tables(small, known, _SMALL, "Ladder")]
    return "\n" + "".join(f"{line}\n" for line in lines or ["Nothing is measured yet.", ""])


_SMALL = ("post", "recipe", "scale", "n", "test accuracy", "against the row above", "published")
_FULL = ("post", "recipe", "n", "test accuracy", "published", "seconds", "PFLOP", "images/s", "share of peak")
_HEADERS = {"seconds": "CPU seconds per thread"}
"""Of a table of runs on a CPU, where they differ from the columns."""


def _tables(found: list[Rows], known: dict[str, Recipe], columns: Sequence[str], title: str) -> Iterator[str]:
    """Yield the lines of one table for each place and scale, with a line above it that says which."""
    for place, rows in groupby(sorted(found, key=_place), key=_place):
        summaries = [summarise(group) for group in rows]
        headers = [_HEADERS.get(column, column) if summaries[0].device == "cpu" else column for column in columns]
        yield f"{title}{place}:"
        yield ""
        yield f"| {' | '.join(headers)} |"
        yield "|" + "---|" * len(columns)
        for above, summary in zip([None, *summaries[:-1]], summaries, strict=True):
            cells = _cells(summary, above, known[summary.name])
            yield f"| {' | '.join(cells[column] for column in columns)} |"
        yield ""


def _place(group: Rows) -> str:
    """Return what the runs of a table have in common: how they are scaled, images and machine."""
    run = group[0]
    width = "" if run.scale == "full" else f" at width {run.width * SERIES_WIDTH / run.full_width:g} of {SERIES_WIDTH}"
    epochs = "" if run.epochs == run.full_epochs else f", {run.epochs} epoch{'' if run.epochs == 1 else 's'}"
    return f"{width}{epochs}; {run.data}; {machine(run)}"


def _cells(summary: Summary, above: Summary | None, recipe: Recipe) -> dict[str, str]:
    assert summary.accuracy is not None
    expect = recipe.expect
    known = expect.accuracy if expect.metric == "test_accuracy" else None
    lost = f" ({summary.diverged} diverged)" if summary.diverged else ""
    return {
        "post": recipe.post or "",
        "recipe": f"`{summary.name}`",
        "scale": summary.scale,
        "n": f"{summary.n}{lost}",
        "test accuracy": _spread(summary.accuracy, 4),
        "against the row above": _step(summary.accuracy, above and above.accuracy),
        "published": "" if known is None else f"{known:g}",
        "seconds": _spread(summary.busy_seconds, 0),
        "PFLOP": f"{summary.petaflop:.3g}",
        "images/s": f"{summary.images_per_second:,.0f}",
        "share of peak": f"{summary.share_of_peak:.0%}",
    }


def _step(here: Moments, above: Moments | None) -> str:
    """Return how a mean lies to the one above it, with the 95% interval; nothing where either is of a single run."""
    if above is None or above.std is None or here.std is None:
        return ""
    found = compare(here, Published(above.mean, above.std, above.n))
    assert found.interval is not None
    word = "within noise" if found.is_noise else found.way
    return f"{found.value:+.4f} ({found.interval.low:+.4f} to {found.interval.high:+.4f}), {word}"


def _spread(values: Moments, digits: int) -> str:
    return f"{values.mean:.{digits}f}" + ("" if values.std is None else f" +- {values.std:.{digits}f}")


def changes(results: Path, folder: Path = recipes.FOLDER, page: Path = PAGE) -> dict[Path, str]:
    """Return the files that stored runs change, with their new text. Raises StudyError for a damaged file of runs."""
    known = {file.stem: recipes.load(file) for file in sorted(folder.glob("*.yaml"))}
    stored = [run for file in sorted(results.glob(f"*/{FILE}")) for run in read(file.parent)]
    texts, found = {}, {}
    for name, recipe in known.items():
        found[name] = ordered(current((run for run in stored if run.name == name), recipe))
        file = folder / f"{name}.yaml"
        texts[file] = with_evidence(_text(file), [evidence(group) for group in found[name]])
    texts[page] = with_tables(_text(page), tables(found, known))
    return {file: text for file, text in texts.items() if text != _text(file)}


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Write the files, or with ``--check`` say which would be written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    try:
        found = changes(options.results)
    except (InputError, OSError, ValueError) as wrong:
        print(wrong, file=sys.stderr)
        return 2
    for file, text in found.items():
        print(file)
        if not options.check:
            file.write_text(text, encoding="utf-8")
    return 1 if options.check and found else 0


if __name__ == "__main__":
    sys.exit(main())
