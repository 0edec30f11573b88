"""What keeping a study costs: time per trial while it grows, and opening its part files against one file.

    python benchmarks/store.py [--trials 5000] [--json FILE]

The times of opening are taken in turns (parts, one file, parts, ...) and compared by their medians, so that a machine
that is busy for a while is busy for both.
"""

import argparse
import itertools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from hpsearch.runners.budget import Budget
from hpsearch.runners.drive import Step, ended, now
from hpsearch.runners.search import Search
from hpsearch.samplers.by_name import make_sampler
from hpsearch.space.spec import Space
from hpsearch.store.writer import StudyWriter
from hpsearch.trial import EpochReport, Status

EPOCHS = 24
BLOCKS = 10
ROUNDS = 15
METRICS = ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "learning_rate", "images_per_second")
SPACE = {
    "parameters": {
        "lr": {"type": "real", "low": 0.05, "high": 3.2, "scale": "log"},
        "weight_decay": {"type": "real", "low": 1e-5, "high": 1e-2, "scale": "log"},
        "batch_size": {"type": "choice", "values": [128, 256, 512, 1024]},
        "momentum": {"type": "constant", "value": 0.9},
    },
    "objective": {"metric": "val_loss", "mode": "min"},
    "sampler": {"name": "random"},
    "stopping": {"rule": "halving", "grace": 0.5},
    "budget": {"trials": 1},
}


def main() -> None:
    """Write a study, open it, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=5000)
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write = write_study(Path(folder), options.trials)
        read = {table: compare_reading(Path(folder) / "study" / table) for table in ("trials", "epochs")}
    figures = {"trials": options.trials, "epochs": EPOCHS, "cpus": os.cpu_count(), "write": write, "read": read}
    print_figures(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def write_study(results: Path, trials: int) -> dict[str, Any]:
    """Run a study of trials that take no time; return milliseconds per trial of each tenth of it, first to last.

    Everything that a search does for a trial is in them: a suggestion, the stopping rule at every report, the store.
    The wall time is partly waiting for the disk and rises with what others do to it; the CPU time is the search's own.
    """
    edges = np.linspace(0, trials, BLOCKS + 1).astype(int)
    wall, cpu = [], []
    space = Space.restore(SPACE)
    with StudyWriter.create(results, "study", space, {}) as writer:
        search = Search(space, make_sampler(space), Budget(trials), [writer], epochs=EPOCHS)
        for first, last in itertools.pairwise(edges):
            wall_start, cpu_start = time.perf_counter(), time.process_time()
            for _ in range(first, last):
                run_trial(search)
            wall.append(round(1000 * (time.perf_counter() - wall_start) / max(1, last - first), 2))
            cpu.append(round(1000 * (time.process_time() - cpu_start) / max(1, last - first), 2))
    return {"ms_per_trial": wall, "cpu_ms_per_trial": cpu}


def run_trial(search: Search) -> None:
    """Tell a search what a worker would: random metrics, and equal losses so that no trial is stopped."""
    trial = search.next()
    assert trial is not None
    values = np.random.default_rng(trial.number).random((EPOCHS, len(METRICS))).tolist()
    for epoch, row in enumerate(values, start=1):
        metrics = {**dict(zip(METRICS, row, strict=True)), "val_loss": 1.0}
        search.take(trial.number, Step(now(), EpochReport(epoch, metrics, 14.0)))
    search.take(trial.number, Step(now(), outcome=ended(Status.COMPLETED)))


def compare_reading(folder: Path) -> dict[str, Any]:
    """Return the median milliseconds in which pandas opens ``folder`` and one file with the same rows."""
    single = folder.with_suffix(".parquet")
    pq.write_table(pq.read_table(folder), single)
    assert pd.read_parquet(folder).equals(pd.read_parquet(single))
    pairs = [
        (seconds(lambda: pd.read_parquet(folder)), seconds(lambda: pd.read_parquet(single))) for _ in range(ROUNDS)
    ]
    parts, one = (1000 * statistics.median(times) for times in zip(*pairs, strict=True))
    rows, files = pq.read_metadata(single).num_rows, len(list(folder.iterdir()))
    return {
        "rows": rows,
        "files": files,
        "parts_ms": round(parts, 1),
        "one_ms": round(one, 1),
        "ratio": round(parts / one, 2),
    }


def seconds(work: Callable[[], object]) -> float:
    """Return the wall time of ``work``."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def print_figures(figures: dict[str, Any]) -> None:
    """Print the figures as two short tables."""
    write = figures["write"]
    print(f"{figures['trials']} trials x {figures['epochs']} epochs, {figures['cpus']} CPUs")
    print("ms per trial, tenth by tenth:    ", *write["ms_per_trial"])
    print("CPU ms per trial, tenth by tenth:", *write["cpu_ms_per_trial"])
    print(f"{'table':8}{'rows':>9}{'files':>7}{'parts ms':>10}{'one file ms':>13}{'ratio':>7}   target: at most 2")
    for table, read in figures["read"].items():
        print(f"{table:8}{read['rows']:9}{read['files']:7}{read['parts_ms']:10}{read['one_ms']:13}{read['ratio']:7}")


if __name__ == "__main__":
    main()
