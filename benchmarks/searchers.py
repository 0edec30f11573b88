"""How many trainings each searcher needs: on LCBench, and on a grid of real trainings.

    python -m benchmarks.searchers lcbench [--data FOLDER] [--seeds 5] [--only ARM ...] [--json FILE]
    python -m benchmarks.searchers grid [--study FOLDER] [--seeds 20] [--only ARM ...] [--json FILE]

On LCBench the figure is the mean over problems and seeds of the normalised regret (``lcbench.py``) of the best setting
found: the training after which it is at most 0.1, 0.05 and 0.02. Where an arm uses knowledge of other problems, that is
of all development problems but the one that is searched. With noise, the best setting is the one that looks best, and
its regret the one that it really has. In the grid the figure is the training that first comes within 0.02 of the best
val_loss; a setting between its points gives what the nearest point gave. All searchers are the ones that a space names,
one trial at a time.
"""

import json
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Annotated, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy and torch: processes run side by side

import numpy as np
import numpy.typing as npt
import typer

from benchmarks import lcbench
from benchmarks.grid import BEST, REFERENCE, Grid
from benchmarks.replay import search
from hpsearch.contract import Config
from hpsearch.space.spec import Space

Floats = npt.NDArray[np.float64]
Blocks = Mapping[str, Any]

CORES = os.cpu_count() or 1
GRID = Path("results/reference/proxy_grid")
THRESHOLDS = (0.1, 0.05, 0.02)
UNIFORM: Blocks = {"prior": "uniform"}


@dataclass(frozen=True)
class Arm:
    """One searcher under one condition; ``blocks`` are those of its space, ``noise`` the std in units of the regret."""

    name: str
    blocks: Blocks
    whole: bool = False
    knowledge: bool = False
    noise: float = 0.0
    trials: int = 32


@dataclass(frozen=True)
class Result:
    """Mean normalised regret after each training, and its standard error over ``problems`` problems."""

    regret: list[float]
    error: list[float]
    problems: int
    seeds: int
    needed: dict[str, int | None] = field(default_factory=dict)


def _by(sampler: str, **blocks: Any) -> Blocks:
    return {"sampler": {"name": sampler}, **blocks}


def _centred(lr: float) -> Blocks:
    """The rule-based prior around another learning rate."""
    return _by("hpsearch", coordinates={"optimizer": "sgd", "reference": {"lr": lr}})


CORNER = {"batch_size": 16, "momentum": 0.99, "weight_decay": 1e-5}
"""Where the optimum of most problems of LCBench is."""

_ARMS = (
    Arm("random", _by("random", **UNIFORM), trials=64),
    Arm("tpe", _by("tpe"), trials=64),
    Arm("gp", _by("gp")),
    Arm("hpsearch, other problems", _by("hpsearch"), knowledge=True, trials=16),
    Arm("hpsearch, rules only", _by("hpsearch"), trials=24),
    Arm("hpsearch, rules, lr centre x10", _centred(1.0)),
    Arm("hpsearch, rules, lr centre /10", _centred(0.01)),
    Arm("hpsearch, no prior", _by("hpsearch", **UNIFORM), trials=24),
    Arm("corner, doubling of lr from 0.01", {"corner": True}, trials=16),
    Arm("7: tpe", _by("tpe"), whole=True, trials=64),
    Arm("7: gp", _by("gp"), whole=True),
    Arm("7: hpsearch, other problems", _by("hpsearch"), whole=True, knowledge=True, trials=24),
    *(
        Arm(f"noise {noise}: {name}", _by(sampler), knowledge=known, noise=noise, trials=24)
        for noise in (0.02, 0.05)
        for name, sampler, known in (
            ("gp", "gp", False),
            ("hpsearch, other problems", "hpsearch", True),
            ("hpsearch, rules only", "hpsearch", False),
        )
    ),
)


ARMS = {arm.name: arm for arm in _ARMS}


def regrets(arm: Arm, code: tuple[str, int], seed: int, data: Path) -> Floats:
    """Return the regret of the best setting found after each training of one search, shape (arm.trials,)."""
    (problem,) = _problems(data, arm.whole, (code,))
    rng = np.random.default_rng([seed, 1])
    true = []

    def train(config: Config) -> float:
        true.append(float(problem.losses([{**CORNER, **config}])[0]))
        return true[-1] + arm.noise * problem.spread * float(rng.normal())

    history = search(_space(arm, problem, seed, data), arm.trials, train)
    seen = np.array([trial.objective for trial in history])
    best = [int(seen[: n + 1].argmin()) for n in range(arm.trials)]
    return np.array([problem.regret(true[n]) for n in best])


def _space(arm: Arm, problem: lcbench.Problem, seed: int, data: Path) -> Space:
    blocks = dict(arm.blocks)
    if blocks.pop("corner", False):
        lr = {"parameters": {"lr": lcbench.SGD["lr"]}, "coordinates": {"optimizer": "sgd", "reference": {"lr": 0.01}}}
        return lcbench.space(False, seed=seed, sampler={"name": "doubling"}, **lr)
    if arm.knowledge:
        blocks["prior"] = {"learnt": _knowledge(data, arm.whole, problem.code)}
    return lcbench.space(arm.whole, seed=seed, **blocks)


@cache
def _knowledge(data: Path, whole: bool, code: int) -> dict[str, Any]:
    """Return what the development problems but that of ``code`` teach."""
    known = [other for other in _problems(data, whole) if other.code != code]
    return lcbench.knowledge(known, "").model_dump(mode="json")


@cache
def _problems(data: Path, whole: bool, codes: tuple[tuple[str, int], ...] = ()) -> list[lcbench.Problem]:
    return lcbench.problems(data, whole, dict(codes) or None)


def summarised(curves: Floats) -> Result:
    """Return the result of ``curves`` (problems, seeds, trials)."""
    mean = curves.mean(axis=(0, 1))
    error = curves.mean(axis=1).std(axis=0, ddof=1) / len(curves) ** 0.5
    needed = {str(limit): next((n + 1 for n, value in enumerate(mean) if value <= limit), None) for limit in THRESHOLDS}
    return Result(mean.round(4).tolist(), error.round(4).tolist(), *curves.shape[:2], needed)


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
Only = Annotated[list[str] | None, typer.Option(help="Arms, by the beginning of their names.")]
Json = Annotated[Path | None, typer.Option("--json", help="Keep the results in this file, beside those of other arms.")]
Processes = Annotated[int, typer.Option(help="Searches side by side.")]


@app.command("lcbench")
def on_lcbench(
    data: Annotated[Path, typer.Option(help="The folder of the surrogate.")] = lcbench.FOLDER,
    seeds: int = 5,
    only: Only = None,
    code: Annotated[list[int] | None, typer.Option(help="Other problems, by their codes in the surrogate.")] = None,
    keep: Json = None,
    processes: Processes = CORES,
) -> None:
    """Compare the searchers on LCBench."""
    codes = {str(one): one for one in code} if code else {one.name: one.code for one in lcbench.problems(data)}
    with ProcessPoolExecutor(processes) as pool:
        for arm in (ARMS[name] for name in _chosen(ARMS, only)):
            found = list(pool.map(partial(_one, arm, data), product(codes.items(), range(seeds))))
            result = summarised(np.array(found).reshape(len(codes), seeds, arm.trials))
            _kept(keep, arm.name, asdict(result))
            print(f"{arm.name:36}  {_line(result)}", flush=True)


def _line(result: Result) -> str:
    trials = len(result.regret)
    needed = "  ".join(_shown(n, trials) for n in result.needed.values())
    at = (f"{n}: {result.regret[n - 1]:.3f} +- {result.error[n - 1]:.3f}" for n in (4, 8, 16, trials))
    return f"{needed}   {'  '.join(at)}"


def _one(arm: Arm, data: Path, task: tuple[tuple[str, int], int]) -> Floats:
    return regrets(arm, *task, data)


def _shown(needed: int | None, trials: int) -> str:
    return f">{trials}" if needed is None else f"{needed:>3}"


GRID_ARMS: dict[str, Blocks] = {
    "random": _by("random", **UNIFORM),
    "tpe": _by("tpe"),
    "gp": _by("gp"),
    "hpsearch, no prior": _by("hpsearch", **UNIFORM),
    "hpsearch, textbook": _by("hpsearch"),
    "hpsearch, recipe": _by("hpsearch", reference=REFERENCE),
    "hpsearch, recipe lr x10": _by("hpsearch", reference={**REFERENCE, "lr": 4.0}),
    "hpsearch, recipe lr /10": _by("hpsearch", reference={**REFERENCE, "lr": 0.04}),
}


@app.command("grid")
def on_grid(
    study: Annotated[Path, typer.Option(help="A study that went through a grid.")] = GRID,
    seeds: int = 20,
    trials: int = 48,
    only: Only = None,
    keep: Json = None,
    processes: Processes = CORES,
) -> None:
    """Compare the searchers on a grid of real trainings."""
    grid = Grid.of(study)
    print(f"{len(grid.losses)} trainings, best {grid.best:.4f}; trainings to within {BEST} of it: median [quartiles]")
    with ProcessPoolExecutor(processes) as pool:
        for name in _chosen(GRID_ARMS, only):
            needed = list(pool.map(partial(needed_on_grid, grid, GRID_ARMS[name], trials), range(seeds)))
            _kept(keep, name, {"needed": needed, "trials": trials})
            low, median, high = np.percentile([n or trials + 1 for n in needed], (25, 50, 75))
            print(f"{name:28}  {median:5.1f}  [{low:.0f}, {high:.0f}]", flush=True)


def needed_on_grid(grid: Grid, blocks: Blocks, trials: int, seed: int) -> int | None:
    """Return the number of the first training within ``BEST`` of the best, None where ``trials`` do not get there."""
    history = search(grid.space(seed, **blocks), trials, grid.train, enough=grid.best + BEST)
    return len(history) if history[-1].objective <= grid.best + BEST else None


def _chosen(names: Iterable[str], only: list[str] | None) -> list[str]:
    return [name for name in names if only is None or name.startswith(tuple(only))]


def _kept(file: Path | None, arm: str, result: Mapping[str, Any]) -> None:
    """Put the result of an arm into ``file``."""
    if file is not None:
        known = json.loads(file.read_text()) if file.exists() else {}
        file.write_text(json.dumps({**known, arm: result}, indent=1) + "\n")


if __name__ == "__main__":
    app()
