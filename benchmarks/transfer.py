"""What it costs to move a tuned setting by the rules instead of tuning it again, on LCBench and on real images.

    python -m benchmarks.transfer [--data FOLDER] [--grid STUDY] [--json FILE]

A setting is tuned at one batch size N and momentum rho and moved to others: by the rules (lr / ((1 - rho) N) and tau
held, which for SGD leaves the weight decay as it is), or not at all. The cost is the loss above that of a setting that
is tuned anew there. A learning rate that a rule leads out of its range is taken at the end of it.

On LCBench (17 problems) the learning rate is tuned on a fine grid, at three weight decays, and the cost is normalised
regret: 1 is the median of random settings. In the grid of real trainings learning rate and weight decay are tuned, and
the cost is val_loss; there the learning rate is also moved by itself, and the decay follows by tau, or does not.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hpsearch.contract import Config
from hpsearch.space.coordinates import Run, lr_of, rate_of
from hpsearch.store.reader import open_study

if TYPE_CHECKING:  # it needs onnxruntime, which the grid does without
    from benchmarks.lcbench import Problem

Floats = npt.NDArray[np.float64]
Place = tuple[int, float]
"""Batch size and momentum."""
Cell = tuple[float, float, int, float]
"""Learning rate, weight decay, batch size, momentum."""

GRID = Path("results/reference/proxy_grid")
SGD = Run("sgd")
LRS = np.geomspace(1e-4, 0.1, 61)
"""The whole range of LCBench."""
WEIGHT_DECAYS = (1e-4, 1e-3, 1e-2)
MOVES: dict[str, list[tuple[Place, Place]]] = {
    "batch size x2": [((32, 0.9), (64, 0.9)), ((128, 0.9), (256, 0.9))],
    "batch size x4": [((32, 0.9), (128, 0.9)), ((128, 0.9), (512, 0.9))],
    "batch size x16": [((32, 0.9), (512, 0.9))],
    "batch size /4": [((128, 0.9), (32, 0.9)), ((512, 0.9), (128, 0.9))],
    "momentum 0.9 -> 0.2": [((32, 0.9), (32, 0.2)), ((128, 0.9), (128, 0.2))],
    "momentum 0.9 -> 0.5": [((32, 0.9), (32, 0.5)), ((128, 0.9), (128, 0.5))],
    "momentum 0.9 -> 0.98": [((32, 0.9), (32, 0.98)), ((128, 0.9), (128, 0.98))],
}


@dataclass(frozen=True)
class Cost:
    """The cost of one move; whether the tuned learning rate was at an end of its range, whether the rule left it."""

    by_rule: float
    kept: float
    at_bound: bool
    clipped: bool


@dataclass(frozen=True)
class Row:
    """Mean costs of a change with their standard errors, over ``n`` problems (LCBench) or moves (the grid).

    They are of the moves from a learning rate inside its range; ``at_bound`` is the share of the others, whose costs
    are in the last two. ``clipped`` is the share in which the rule led out of the range.
    """

    change: str
    n: int
    by_rule: float
    by_rule_error: float
    kept: float
    kept_error: float
    at_bound: float
    clipped: float
    by_rule_at_bound: float | None
    kept_at_bound: float | None


def row(change: str, groups: Sequence[Sequence[Cost]]) -> Row | None:
    """Return the row of some costs; each group counts once. None where fewer than two have a move from the inside."""
    inside = [part for group in groups if (part := [cost for cost in group if not cost.at_bound])]
    if len(inside) < 2:
        return None
    ends = [part for group in groups if (part := [cost for cost in group if cost.at_bound])]
    every = [cost for group in groups for cost in group]
    by_rule, kept = _means(inside)
    return Row(
        change,
        len(inside),
        by_rule.mean(),
        _error(by_rule),
        kept.mean(),
        _error(kept),
        float(np.mean([cost.at_bound for cost in every])),
        float(np.mean([cost.clipped for cost in every])),
        *((float(values.mean()) for values in _means(ends)) if ends else (None, None)),
    )


def _means(groups: Sequence[Sequence[Cost]]) -> tuple[Floats, Floats]:
    """Return the mean cost in each group, by the rule and with everything kept."""
    means = [[np.mean([cost.by_rule for cost in group]), np.mean([cost.kept for cost in group])] for group in groups]
    by_rule, kept = np.array(means).T
    return by_rule, kept


def _error(values: Floats) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def moved(lr: float, source: Place, target: Place) -> float:
    """Return the learning rate at ``target`` that has the rate of ``lr`` at ``source``."""
    return lr_of(rate_of(lr, *source, SGD), *target, SGD)


def on_lcbench(known: Sequence["Problem"]) -> list[Row]:
    """Return the costs on LCBench; each problem counts once."""
    rows = [
        row(
            change, [[_on(problem, *move, decay) for move, decay in product(moves, WEIGHT_DECAYS)] for problem in known]
        )
        for change, moves in MOVES.items()
    ]
    return [one for one in rows if one is not None]


def _on(problem: "Problem", source: Place, target: Place, decay: float) -> Cost:
    before, after = (_losses(problem, place, decay) for place in (source, target))
    tuned = int(before.argmin())
    wanted = moved(LRS[tuned], source, target)
    by_rule = float(np.interp(np.log(wanted), np.log(LRS), after))  # stays at the ends
    unit, best = problem.spread, after.min()
    return Cost(
        by_rule=(by_rule - best) / unit,
        kept=float(after[tuned] - best) / unit,
        at_bound=tuned in (0, len(LRS) - 1),
        clipped=not LRS[0] <= wanted <= LRS[-1],
    )


def _losses(problem: "Problem", place: Place, decay: float) -> Floats:
    fixed = {"weight_decay": decay, "batch_size": place[0], "momentum": place[1]}
    return problem.losses([{"lr": float(lr), **fixed} for lr in LRS])


def on_grid(trials: Iterable[tuple[Config, float]]) -> list[Row]:
    """Return the costs on a grid of trainings, each given with its loss; each move counts once.

    A batch size and momentum at which a training is missing are left out.
    """
    names = ("lr", "weight_decay", "batch_size", "momentum")
    table: dict[Cell, float] = {tuple(config[name] for name in names): loss for config, loss in trials}  # type: ignore[misc]
    trained = Counter(cell[2:] for cell in table)
    settings = len(_lrs(table)) * len({decay for _, decay, *_ in table})
    table = {cell: loss for cell, loss in table.items() if trained[cell[2:]] == settings}
    costs: dict[str, list[Cost]] = {}
    for change, cost in [*_place_moves(table), *_lr_moves(table)]:
        costs.setdefault(change, []).append(cost)
    rows = [row(change, [[cost] for cost in found]) for change, found in costs.items()]
    return [one for one in rows if one is not None]


def _place_moves(table: Mapping[Cell, float]) -> Iterator[tuple[str, Cost]]:
    """Yield the cost of every change of batch size or of momentum."""
    places = sorted({cell[2:] for cell in table})
    for (n, rho), (later, after) in product(places, repeat=2):
        if (n == later) == (rho == after):
            continue
        batch = f"batch size x{later // n}" if later > n else f"batch size /{n // later}"
        change = batch if rho == after else f"momentum {rho:g} -> {after:g}"
        yield change, _between(table, (n, rho), (later, after))


def _between(table: Mapping[Cell, float], source: Place, target: Place) -> Cost:
    lrs = _lrs(table)
    lr, decay = _best(table, source)
    wanted = moved(lr, source, target)
    nearest = min(lrs, key=lambda other: abs(np.log(other / wanted)))
    best = table[(*_best(table, target), *target)]
    return Cost(
        by_rule=table[nearest, decay, *target] - best,
        kept=table[lr, decay, *target] - best,
        at_bound=lr in (lrs[0], lrs[-1]),
        clipped=not lrs[0] * 0.99 <= wanted <= lrs[-1] * 1.01,
    )


def _lr_moves(table: Mapping[Cell, float]) -> Iterator[tuple[str, Cost]]:
    """Yield the cost of a learning rate x4 or /4 with its decay following, or kept, where the grid has both."""
    for place, (name, factor) in product(sorted({cell[2:] for cell in table}), (("x4", 4.0), ("/4", 0.25))):
        lr, decay = _best(table, place)
        by_rule, kept = (_at(table, lr * factor, other, place) for other in (decay / factor, decay))
        if by_rule is not None and kept is not None:
            best = table[(lr, decay, *place)]
            yield f"lr {name}, its decay by tau or kept", Cost(by_rule - best, kept - best, False, False)


def _at(table: Mapping[Cell, float], lr: float, decay: float, place: Place) -> float | None:
    near = (loss for cell, loss in table.items() if cell[2:] == place and np.allclose(cell[:2], (lr, decay), rtol=1e-3))
    return next(near, None)


def _best(table: Mapping[Cell, float], place: Place) -> tuple[float, float]:
    """Return the best learning rate and weight decay at a place."""
    lr, decay, *_ = min((cell for cell in table if cell[2:] == place), key=table.__getitem__)
    return lr, decay


def _lrs(table: Mapping[Cell, float]) -> list[float]:
    return sorted({cell[0] for cell in table})


def print_rows(title: str, rows: Sequence[Row]) -> None:
    """Print a table."""
    print(f"\n{title}")
    columns = f"{'change':<32} {'n':>3} {'by the rules':>16} {'kept':>16} {'at bound':>9} {'clipped':>8}"
    print(f"{columns}  from a bound: rule, kept")
    for one in rows:
        by_rule, kept = f"{one.by_rule:.3f} +- {one.by_rule_error:.3f}", f"{one.kept:.3f} +- {one.kept_error:.3f}"
        ends = "" if one.by_rule_at_bound is None else f"{one.by_rule_at_bound:.3f}, {one.kept_at_bound:.3f}"
        print(f"{one.change:<32} {one.n:>3} {by_rule:>16} {kept:>16} {one.at_bound:>9.0%} {one.clipped:>8.0%}  {ends}")


def main() -> None:
    """Measure and print."""
    from benchmarks.lcbench import FOLDER, problems

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=FOLDER, help="folder of the LCBench surrogate")
    parser.add_argument("--grid", type=Path, default=GRID, help="folder of a study that is a grid")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    options = parser.parse_args()
    found = {"lcbench": on_lcbench(problems(options.data))}
    print_rows("LCBench, excess normalised regret", found["lcbench"])
    if options.grid.is_dir():
        history = open_study(options.grid.parent, options.grid.name).history
        found["grid"] = on_grid([(trial.config, trial.final) for trial in history if trial.final is not None])
        print_rows("real trainings, excess val_loss", found["grid"])
    if options.json:
        plain = {name: [asdict(one) for one in rows] for name, rows in found.items()}
        options.json.write_text(json.dumps(plain, indent=2) + "\n")


if __name__ == "__main__":
    main()
