"""What tracing the weights costs: blocks of training steps with and without it, in turns.

    python benchmarks/trace.py [--recipe NAME ...] [--batch-size N ...] [--every 10] [--device cpu|cuda] [--json FILE]

Two runs of a recipe begin with the same weights and take the same steps on the same images. A block of a traced run
ends as an epoch does, with the table of what was measured. Times are CPU seconds of all threads, which a busy machine
leaves alone, or on a GPU wall time with the device idle at both ends. What tracing costs is the median over the rounds
of (a traced block / the untraced one beside it) - 1. At the end the weights of both runs must be equal to the last bit.
"""

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from step import machine

from trainer import recipe
from trainer.batches import Normalizer, Shape, Split, batch_slices, to_device
from trainer.blocks import Trace
from trainer.loop import Run, start, train_step
from trainer.recipe import Recipe

SHAPE, CLASSES = Shape(32, 32, 3), 10
TARGET = 3.0
Row = dict[str, float | str | bool]


def main() -> None:
    """Print a table, and write it where asked."""
    options = arguments()
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    where = machine(device)
    print(", ".join(f"{key} {value}" for key, value in where.items()))
    print(f"{'recipe':>20} {'batch':>5} {'ms per step':>12} {'traced':>8}   target: at most {TARGET:.0f}% more")
    rows = []
    for name, size in itertools.product(options.recipe, options.batch_size or [None]):
        chosen = recipe.load(name)
        chosen = chosen.model_copy(update={"batch_size": size or chosen.batch_size})
        rows.append({"recipe": name, **compare(chosen, options.every, device, options.rounds, options.block)})
        row = rows[-1]
        print(f"{name:>20} {row['batch_size']:>5} {row['step_ms']:>12.2f} {row['cost_percent']:>+7.2f}%", flush=True)
    if options.json:
        options.json.write_text(json.dumps({"machine": where, "every": options.every, "traces": rows}, indent=2) + "\n")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    both = ["resnet9_proxy_cpu", "post4_resnet9"]
    parser.add_argument("--recipe", nargs="+", default=both, choices=recipe.names(), metavar="NAME")
    parser.add_argument("--batch-size", type=int, nargs="+", help="the recipe's own where left out")
    parser.add_argument("--every", type=int, default=10, help="steps from one traced step to the next")
    parser.add_argument("--block", type=int, default=20, help="steps of a block")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def compare(chosen: Recipe, every: int, device: torch.device, rounds: int, block: int) -> Row:
    """Train both runs, in turns, ``rounds`` blocks after one to warm up; return the median times of a step."""
    train = images(chosen, block, device)
    traced, plain = (
        start(chosen.model_copy(update={"trace": trace}), 0, device, train, CLASSES)
        for trace in (Trace(every=every), None)
    )
    pairs = []
    for turn in range(rounds + 1):
        both = [traced, plain] if turn % 2 else [plain, traced]
        times = {run is traced: seconds(lambda run=run: train_block(run, train), device) for run in both}
        pairs.append((times[True], times[False]))
    if not equal(traced, plain):
        raise SystemExit("the traced run has other weights than the untraced one")
    ratios = [with_trace / without for with_trace, without in pairs[1:]]
    return {
        "batch_size": chosen.batch_size,
        "step_ms": 1000 / block * statistics.median(without for _, without in pairs[1:]),
        "cost_percent": 100 * (statistics.median(ratios) - 1),
        "equal_weights": True,
    }


def images(chosen: Recipe, steps: int, device: torch.device) -> Split:
    """Return noise for so many steps."""
    random, count = np.random.default_rng(0), steps * chosen.batch_size
    pixels = random.integers(0, 256, (count, *SHAPE), dtype=np.uint8)
    return to_device(pixels, random.integers(0, CLASSES, count), device)


def train_block(run: Run, train: Split) -> None:
    """Take a step for each batch, with the learning rate of the middle of the run; nothing is augmented."""
    recipe, batches = run.recipe, batch_slices(len(train), run.recipe.batch_size, run.recipe.drop_last)
    normalize = Normalizer(recipe.data.mean, recipe.data.std, run.device)
    if run.tracer:
        run.tracer.begin(0)
    for batch in batches:
        train_step(run, normalize(train.pixels[batch]), train.labels[batch], recipe.epochs / 2)
    if run.tracer:
        run.tracer.columns(batches)


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Return the CPU time of all threads, or the wall time on a GPU that is idle at both ends."""
    if device.type == "cpu":
        began = time.process_time()
        work()
        return time.process_time() - began
    torch.cuda.synchronize()
    began = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - began


def equal(one: Run, other: Run) -> bool:
    """Whether the weights of two runs are the same to the last bit."""
    pairs = zip(one.network.state_dict().values(), other.network.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


if __name__ == "__main__":
    main()
