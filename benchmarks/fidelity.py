"""What a short run says of a full one: complete runs with a shorter schedule against the beginnings of full runs.

    python -m benchmarks.fidelity [--results results/reference] [--orders 200] [--json FILE]

The settings of the study proxy_grid were trained for 5 epochs, and its curves hold the beginnings; those of proxy_rung2
and proxy_rung1 for complete schedules of 2 epochs and of 1, with tau held. Two tables come out:

ranks   Spearman's correlation of the loss after 1 and 2 epochs with the loss of the full run, over all settings and
        over the best fifth of them, with 95% intervals from a bootstrap over settings
regret  of a random search over these settings whose compute is a number of full runs, each with successive halving of
        factor 2 from 1 to 2 to 5 epochs: by beginnings, which are continued where they are promoted (ASHA), or by
        complete runs, each of which is paid for anew; mean and standard error over orders of the settings

The regret is the loss of the full run of what is picked minus the least of the table, one training for each setting.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer
from scipy.stats import spearmanr

from benchmarks.replay import finished
from hpsearch.samplers.rungs import Rungs
from hpsearch.space.blocks import Fidelity, Objective
from hpsearch.store.reader import Study, open_study
from hpsearch.trial import FinishedTrial, Key

LENGTHS = (1, 2, 5)
BUDGETS = (2, 4, 8, 16, 32)
"""Compute of a search, in full runs."""

Floats = npt.NDArray[np.float64]
Tables = Mapping[str, Floats]
"""Kind of short run -> losses, shape (settings, lengths)."""


def main(
    results: Annotated[Path, typer.Option(help="Folder of the three studies.")] = Path("results/reference"),
    orders: Annotated[int, typer.Option(help="Orders of the settings.")] = 200,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where the figures go as well.")] = None,
) -> None:
    """Print both tables."""
    tables = read(results)
    figures = {"settings": len(tables["beginning"]), "ranks": ranks(tables), "regret": regrets(tables, orders)}
    print(f"{figures['settings']} settings, full runs of {LENGTHS[-1]} epochs")
    for row in figures["ranks"]:
        print("{kind:10} {epochs} epochs  {among:10} {value:6.3f}  ({low:.3f} to {high:.3f})".format(**row))
    for row in figures["regret"]:
        print("{kind:10} compute of {budget:2} full runs  regret {mean:.4f} +- {error:.4f}".format(**row))
    if json_file is not None:
        json_file.write_text(json.dumps(figures, indent=1) + "\n")


def read(results: Path) -> Tables:
    """Return the losses of the settings that all three studies have."""
    full, two, one = (open_study(results, name) for name in ("proxy_grid", "proxy_rung2", "proxy_rung1"))
    ends = [_ends(study) for study in (one, two, full)]
    curves = {trial.key: dict(trial.curve) for trial in full.history}
    shared = [setting for setting in ends[2] if all(setting in end for end in ends)]
    return {
        "beginning": np.array([[curves[setting][epoch] for epoch in LENGTHS] for setting in shared]),
        "complete": np.array([[end[setting] for end in ends] for setting in shared]),
    }


def _ends(study: Study) -> dict[Key, float]:
    return {trial.key: trial.final for trial in study.history if trial.final is not None}


def ranks(tables: Tables, draws: int = 2000) -> list[dict[str, object]]:
    """Return the correlations of every kind and length with the full run."""
    rng = np.random.default_rng(0)
    rows = []
    for place, epochs in enumerate(LENGTHS[:-1]):
        for kind, losses in tables.items():
            best = losses[losses[:, -1] <= np.quantile(losses[:, -1], 0.2)]
            for among, chosen in (("all", losses), ("best fifth", best)):
                drawn = [chosen[rng.integers(len(chosen), size=len(chosen))] for _ in range(draws)]
                spread = [_spearman(sample, place) for sample in drawn]
                low, high = np.quantile(spread, [0.025, 0.975]).tolist()
                value = _spearman(chosen, place)
                rows.append({"kind": kind, "epochs": epochs, "among": among, "value": value, "low": low, "high": high})
    return rows


def _spearman(losses: Floats, place: int) -> float:
    return float(spearmanr(losses[:, place], losses[:, -1]).statistic)


@dataclass(frozen=True)
class Arm:
    """A way to search: the losses it sees, the epochs that each rung costs, and its first rung."""

    losses: Floats
    costs: tuple[int, ...]
    lengths: tuple[int, ...]


def arms(tables: Tables) -> dict[str, Arm]:
    """Return the ways to search that are compared."""
    beginnings = (1, *(after - before for before, after in pairwise(LENGTHS)))
    return {
        "full": Arm(tables["beginning"][:, -1:], LENGTHS[-1:], LENGTHS[-1:]),
        "beginning": Arm(tables["beginning"], beginnings, LENGTHS),
        "complete": Arm(tables["complete"], LENGTHS, LENGTHS),
        "complete 2": Arm(tables["complete"][:, 1:], LENGTHS[1:], LENGTHS[1:]),
    }


def regrets(tables: Tables, orders: int) -> list[dict[str, object]]:
    """Return the mean regret of every way to search after every budget."""
    rows = []
    for kind, arm in arms(tables).items():
        found = np.array([replay(arm, np.random.default_rng(order)) for order in range(orders)])
        for budget, column in zip(BUDGETS, found.T, strict=True):
            error = float(column.std(ddof=1) / math.sqrt(orders))
            rows.append({"kind": kind, "budget": budget, "mean": float(column.mean()), "error": error})
    return rows


def replay(arm: Arm, rng: np.random.Generator) -> list[float]:
    """Return the regret after each of ``BUDGETS`` of a search that draws settings in a random order."""
    rungs = Rungs(Fidelity(epochs=arm.lengths), Objective(metric="val_loss", mode="min"))
    steps, spent = list[tuple[int, int]](), list[int]()
    history: list[FinishedTrial] = []
    new = iter(rng.permutation(len(arm.losses)).tolist())
    while sum(spent) <= BUDGETS[-1] * LENGTHS[-1]:
        promotion = rungs.promotion(history, [], left=len(arm.losses))
        setting, rung = (
            (int(promotion[0]["setting"]), promotion[1]) if promotion else (next(new), rungs.lowest(history))
        )
        steps.append((setting, rung))
        spent.append(arm.costs[rung])
        trial = finished(len(history), {"setting": setting}, float(arm.losses[setting, rung]))
        history.append(replace(trial, schedule=rungs.schedule(rung)))
    until = np.searchsorted(np.cumsum(spent), np.array(BUDGETS) * LENGTHS[-1], side="right")
    return [_regret(arm.losses, steps[:end]) for end in until]


def _regret(losses: Floats, steps: Sequence[tuple[int, int]]) -> float:
    """Return the regret of the best setting of the highest rung that was reached."""
    highest = max(rung for _, rung in steps)
    picked = min((setting for setting, rung in steps if rung == highest), key=lambda one: losses[one, highest])
    return float(losses[picked, -1] - losses[:, -1].min())


if __name__ == "__main__":
    typer.run(main)
