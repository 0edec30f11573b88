"""``hpsearch analyze flatness``: which of the flat directions of post 5 are flat in a study."""

import math
from typing import Annotated

import typer
from rich.table import Table

from hpsearch.analysis.flat_axes import AXES
from hpsearch.analysis.flat_claims import FLAT, Claim, Move
from hpsearch.analysis.flat_directions import Flatness
from hpsearch.analysis.flat_directions import flatness as flatness_of
from hpsearch.analysis.flat_window import WINDOW
from hpsearch.analysis.quadratic import Estimate
from hpsearch.cli import console, options
from hpsearch.cli.advise import check_option
from hpsearch.cli.options import RESULTS
from hpsearch.cli.pictures import Plot, check_plot, keep_plot
from hpsearch.errors import InputError
from hpsearch.space.axes import Floats
from hpsearch.store.reader import Study, open_study

WAYS = (1, -1)


def flatness(
    name: options.Name,
    window: Annotated[float, typer.Option("--window", help="Share of the trials to fit the surface to.")] = WINDOW,
    plot: Plot = None,
    results: options.Results = RESULTS,
    json: options.Json = False,
) -> None:
    """Say which rules leave the result as it is: lr / batch_size, lr / (1 - momentum), lr * weight_decay held.

    A quadratic surface is fitted around the best settings. A rule holds where a move by it costs at most half of what
    the same move against it costs, in the whole of a 95% interval.
    """
    check_option("--window", window, 0 < window <= 1, "above 0, at most 1", "not a share of the trials")
    check_plot(plot)
    study = _with_coordinates(open_study(results, name))
    found = flatness_of(study, window)
    if json:
        console.data(found.to_json())
    else:
        _print(found)
    if plot is not None:
        from hpsearch.report.flatness_plot import draw, panels

        keep_plot(draw(panels(found), found.metric), plot)


def _with_coordinates(study: Study) -> Study:
    """Return the study with what its function says of rate and tau; without that the raw values still do."""
    from hpsearch.cli.plan import with_coordinates

    try:
        return with_coordinates(study)
    except InputError as error:
        console.note(f"rate and tau are not known: {error.problems[0].what}")
        return study


def _print(found: Flatness) -> None:
    console.facts(_facts(found))
    for claim in found.claims:
        console.out.print()
        for line in _sentences(claim):
            console.say(line)
    claims = [claim for claim in found.claims if claim.optimum]
    moves = [move for claim in claims for move in (claim.along, claim.across, claim.kept) if move.cost]
    _print_moves(moves)
    _print_pairs(moves)
    _print_curvatures(found)
    if moves:
        console.note(f"costs and curvatures in {found.metric}, more being worse, with 95% intervals")
        console.note(f"a rule holds where the ratio lies below {FLAT:g}: 0 is an exact rule, 1 no rule at all")
        console.note("the intervals take what is not quadratic for noise; pairs share trials, so theirs are rough")


def _facts(found: Flatness) -> dict[str, str]:
    near, places = found.near, found.places
    lost = [f"{count} {what}" for what, count in found.left_out.items()]
    lost += [f"{places.off} with a value that has no logarithm"] if places.off else []
    rows = {"study": found.study, "trials": f"{len(places.losses)} with a result"}
    if lost:
        rows["left out"] = ", ".join(lost)
    if places.others:
        rows["noise"] = f"also what these do, which vary too: {', '.join(places.others)}"
    if any(levels > 1 for levels in places.levels):
        residual, freedom = console.number(near.surface.residual_std), near.surface.freedom
        rows["surface"] = (
            f"fitted to the better {len(near.z)}: a trial lies {residual} from it, {freedom} degrees of freedom"
        )
        rows["best around"] = "not known" if found.best is None else console.settings(found.best)
    return rows


def _sentences(claim: Claim) -> list[str]:
    """Say a verdict and the numbers behind it."""
    head = f"{claim.law.held} held: {claim.verdict}" + (f", {claim.why}" if claim.why else "")
    if not claim.optimum or claim.along.cost is None or claim.across.cost is None:
        return [head]
    rule, against = ("x2", "/2") if claim.law.sign > 0 else ("/2", "x2")
    costs = ((claim.along, rule), (claim.across, against), (claim.kept, "kept"))
    said = ", ".join(f"{shown(move.cost)} with lr {way}" for move, way in costs)
    ratio = "" if claim.ratio is None else f"; ratio of the first two {shown(claim.ratio)}"
    return [head, f"  {AXES[claim.law.other]} x2 costs {said}{ratio}"]


def _print_moves(moves: list[Move]) -> None:
    table = console.table("x2", "cost", "forward", "back", "curvature", title="from the best settings, by the surface")
    for move in moves:
        ways = [shown(move.ways.get(way)) for way in WAYS]
        table.add_row(_step(move.step), shown(move.cost), *ways, shown(move.curvature))
    _print_table(table)


def _print_pairs(moves: list[Move]) -> None:
    columns = ("", "forward", "pairs", "back", "pairs")
    table = console.table(*columns, title="between trials that lie so far apart, from where the surface is lowest")
    for move in moves:
        both = [move.pairs.get(way) for way in WAYS]
        cells = [("-", "") if one is None else (shown(one.change), str(one.n)) for one in both]
        factor = next((one.factor for one in both if one), None)
        if factor is not None:
            table.add_row(_step(move.step, factor), *cells[0], *cells[1])
    _print_table(table)


def _print_table(table: Table) -> None:
    if table.row_count:
        console.out.print()
        console.out.print(table)


def _print_curvatures(found: Flatness) -> None:
    table = console.table("", "raw values", "coordinates", title="curvature per square octave, the others held")
    raw, coordinates = found.curvatures["raw"], found.curvatures.get("coordinates", {})
    for name in dict.fromkeys([*raw, *coordinates]):
        if raw.get(name) or coordinates.get(name):
            table.add_row(name, shown(raw.get(name)), shown(coordinates.get(name)))
    _print_table(table)


def _step(step: Floats, factor: float = 2.0) -> str:
    """Return a move in words: ``batch_size x2, lr /2``."""
    moving = reversed([(axis, by) for axis, by in zip(AXES, step, strict=True) if by])
    return ", ".join(f"{axis} {'x' if by > 0 else '/'}{factor:g}" for axis, by in moving)


def shown(one: Estimate | None) -> str:
    """Return an estimate with as many decimals as its interval deserves."""
    if one is None:
        return "-"
    half = (one.high - one.low) / 2
    digits = min(6, max(0, 1 - math.floor(math.log10(half)))) if half > 0 else 4
    return f"{one.value:.{digits}f} ({one.low:.{digits}f} to {one.high:.{digits}f})"
