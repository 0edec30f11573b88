"""What the weight dynamics of a study cost on disk: writing a trial, its size, opening the folder against one file.

    python benchmarks/dynamics_store.py [--recipe post4_resnet9] [--trials 500] [--every 10] [--json FILE]

The trials have the tensors and steps of a full run of the recipe, and numbers as such a run has them: norms that drift
to an equilibrium, all else with the noise of single batches. The folder and one file with the same rows (as PyArrow
writes it unless told otherwise) are opened in turns, whole and filtered, and compared by the medians of their times.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from hpsearch.store.dynamics import TABLE
from hpsearch.store.trial_tables import TrialTables
from hpsearch.trial import EpochReport, PendingTrial
from trainer import models, recipe
from trainer.batches import Shape
from trainer.recipe import Recipe

TRAIN_IMAGES = 45_000
SHAPE, CLASSES = Shape(32, 32, 3), 10
ROUNDS = 7


def main() -> None:
    """Write a study of each recipe, open it, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", nargs="+", default=["post4_resnet9"], choices=recipe.names(), metavar="NAME")
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--every", type=int, default=10, help="steps from one traced step to the next")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    options = parser.parse_args()
    studies = []
    for name in options.recipe:
        with tempfile.TemporaryDirectory() as folder:
            write = write_study(Path(folder), recipe.load(name), options.trials, options.every)
            read = compare_reading(Path(folder) / TABLE)
        studies.append({"recipe": name, "trials": options.trials, "write": write, "read": read})
        print_figures(studies[-1])
    if options.json:
        figures = {"cpus": os.cpu_count(), "pyarrow": pa.__version__, "studies": studies}
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def write_study(folder: Path, chosen: Recipe, trials: int, every: int) -> dict[str, float]:
    """Write the tables of ``trials``; return the median seconds and CPU seconds, and the size in MB, of a trial."""
    tables = TrialTables(folder, {"study": folder.name})
    wall, cpu = [], []
    for number in range(trials):
        reports = list(traced_run(chosen, every, number))
        wall_start, cpu_start = time.perf_counter(), time.process_time()
        tables.put(PendingTrial(number, {}, number), reports)
        wall.append(time.perf_counter() - wall_start)
        cpu.append(time.process_time() - cpu_start)
    sizes = [path.stat().st_size for path in (folder / TABLE).iterdir()]
    times = {"ms": statistics.median(wall), "cpu_ms": statistics.median(cpu)}
    return {**{key: round(1000 * value, 1) for key, value in times.items()}, "mb": round(max(sizes) / 1e6, 3)}


def traced_run(chosen: Recipe, every: int, seed: int) -> Iterator[EpochReport]:
    """Yield the reports of a run whose weights walk as theory says, in a rough form."""
    random = np.random.default_rng(seed)
    tensors = tensors_of(chosen)
    per_epoch = -(-TRAIN_IMAGES // chosen.batch_size)
    steps = np.arange(0, per_epoch * chosen.epochs, every)
    columns = dynamics(random, tensors, steps, chosen, per_epoch)
    for epoch in range(1, chosen.epochs + 1):
        rows = columns["step"] // per_epoch == epoch - 1
        yield EpochReport(epoch, {}, 1.0, tables={TABLE: {name: values[rows] for name, values in columns.items()}})


def tensors_of(chosen: Recipe) -> pd.DataFrame:
    """Return layer, kind, size and scale_invariant of every tensor of the recipe's network."""
    named = models.build(chosen.model, SHAPE, CLASSES).named_parameters()
    rows = [
        (name, {4: "conv", 2: "linear"}.get(tensor.ndim, "norm bias"), tensor.numel(), tensor.ndim == 4)
        for name, tensor in named
    ]
    return pd.DataFrame(rows, columns=["layer", "kind", "size", "scale_invariant"])


def dynamics(
    random: np.random.Generator, tensors: pd.DataFrame, steps: np.ndarray, chosen: Recipe, per_epoch: int
) -> dict[str, np.ndarray]:
    """Return the columns of a trial, one row per step and tensor."""
    shape = len(steps), len(tensors)
    share = steps[:, None] / (per_epoch * chosen.epochs)
    lr = np.broadcast_to(10 ** random.uniform(-1, 0) * np.minimum(share / 0.2, 1.02 - share), shape)
    decay, momentum = 10 ** random.uniform(-4, -3), 0.9
    unit_gradient = np.sqrt(tensors["size"].to_numpy()) / 100 * np.exp(0.3 * random.standard_normal(shape))
    drift = np.cumsum(1e-3 * random.standard_normal(shape), axis=0)
    norm = 3 * np.exp(drift) * np.exp(-share * random.uniform(0, 2, shape[1]))
    gradient = unit_gradient / norm
    update = lr * gradient * np.exp(0.2 * random.standard_normal(shape))
    invariant = np.broadcast_to(tensors["scale_invariant"].to_numpy(), shape)
    rotation = np.sqrt(2 * lr * decay / (1 + momentum))
    balance = (lr * unit_gradient**2 / (2 * decay * (1 - momentum))) ** 0.25
    settings = {"lr": lr, "weight_decay": decay, "momentum": momentum}
    measured = {
        "weight_norm": norm,
        "grad_norm": gradient,
        "update_norm": update,
        "cos_weight_gradient": 1e-3 * random.standard_normal(shape),
        "cos_descent_update": 0.4 + 0.1 * random.standard_normal(shape),
        "rotation": update / norm * (1 - 1e-4 * random.random(shape)),
        "relative_update": update / norm,
        "effective_lr": lr / norm**2,
        "equilibrium_norm": np.where(invariant, balance, np.nan),
        "equilibrium_rotation": np.where(invariant, rotation, np.nan),
    }
    tiled = {name: np.tile(tensors[name].to_numpy(), len(steps)) for name in tensors}
    return {
        "step": np.repeat(steps, len(tensors)),
        **{name: values.astype(str) if name in ("layer", "kind") else values for name, values in tiled.items()},
        "rule": np.full(np.prod(shape), chosen.optimizer.name),
        **{name: np.broadcast_to(value, shape).ravel() for name, value in settings.items()},
        "batch_size": np.full(np.prod(shape), chosen.batch_size),
        **{name: values.astype(np.float32).ravel() for name, values in measured.items()},
    }


def compare_reading(folder: Path) -> dict[str, Any]:
    """Return, for each way of opening, the median milliseconds of ``folder`` and of one file with the same rows."""
    single = folder.with_suffix(".parquet")
    pq.write_table(pq.read_table(folder), single)
    trial, layer = middle(folder, "trial_id"), middle(folder, "layer")
    ways: dict[str, Callable[[Path], object]] = {
        "pandas, all": pd.read_parquet,
        "dataset, one trial": lambda path: ds.dataset(path).to_table(filter=ds.field("trial_id") == trial),
        "dataset, one layer": lambda path: ds.dataset(path).to_table(filter=ds.field("layer") == layer),
    }
    rows, files = pq.read_metadata(single).num_rows, len(list(folder.iterdir()))
    return {"rows": rows, "files": files, **{way: in_turns(opened, folder, single) for way, opened in ways.items()}}


def middle(folder: Path, column: str) -> str:
    """Return the middle one of the values of a column of text."""
    found = sorted(pq.read_table(folder, columns=[column])[column].unique().to_pylist())
    return str(found[len(found) // 2])


def in_turns(opened: Callable[[Path], object], folder: Path, single: Path) -> dict[str, float]:
    """Return the median milliseconds in which the one and the other is opened, and their ratio."""
    times = [(seconds(opened, folder), seconds(opened, single)) for _ in range(ROUNDS)]
    parts, one = (1000 * statistics.median(column) for column in zip(*times, strict=True))
    return {"parts_ms": round(parts, 1), "one_ms": round(one, 1), "ratio": round(parts / one, 2)}


def seconds(opened: Callable[[Path], object], path: Path) -> float:
    """Return the wall time of opening ``path``."""
    start = time.perf_counter()
    opened(path)
    return time.perf_counter() - start


def print_figures(figures: dict[str, Any]) -> None:
    """Print the figures of one study."""
    write, read = figures["write"], dict(figures["read"])
    print(f"{figures['recipe']}, {figures['trials']} trials, {read.pop('rows')} rows in {read.pop('files')} files")
    print(f"a trial: {write['mb']} MB (target: below 2), written in {write['ms']} ms, {write['cpu_ms']} of them CPU")
    print(f"{'opened with':20}{'folder ms':>10}{'one file ms':>13}{'ratio':>7}   target: at most 2")
    for way, times in read.items():
        print(f"{way:20}{times['parts_ms']:10}{times['one_ms']:13}{times['ratio']:7}")


if __name__ == "__main__":
    main()
