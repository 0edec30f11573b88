"""Part of the GPU check: how many short trials a minute one device does, one after the other and side by side.

Every trial process is ``python -m benchmarks.gpu_packing FOLDER DEVICE TRIALS``: it reads the images and the recipe in
FOLDER, trains once to warm up, says "ready", waits for a line, trains and says "done". So the start of processes is
not in the figures.
"""

import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
import torch

from benchmarks.gpu_bench import Bench, Result, attempt, say
from trainer import recipe
from trainer.batches import Split, to_device
from trainer.loop import fit, start
from trainer.recipe import Recipe

ROOT = Path(__file__).parent.parent
SIDE_BY_SIDE = (1, 2, 4)
WIDTH, EPOCHS, TRIALS = 16, 2, 3
"""The proxy, and how often each process trains it."""

START_SECONDS = 30.0
"""What the start of the processes may take, the first time that it is not known yet."""


def packing(bench: Bench) -> Result:
    """Return trials a minute with 1, 2 and 4 processes on the device."""
    chosen = bench.recipe("post4_resnet9", WIDTH, epochs=1 if bench.tiny else EPOCHS)
    trials = 1 if bench.tiny else TRIALS
    found: Result = {}
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), bench, chosen)
        expected = START_SECONDS
        for k in SIDE_BY_SIDE[:2] if bench.tiny else SIDE_BY_SIDE:
            if not bench.tiny and not bench.has(expected):
                bench.skip(f"{k} side by side: it takes about {expected:.0f} s")
                continue
            began = time.perf_counter()
            limit = 120.0 if bench.tiny else bench.end - began
            found[str(k)] = attempt(partial(_side_by_side, k, Path(folder), bench.device, trials, limit))
            expected = 2 * (time.perf_counter() - began)
    return {"width": chosen.model.width, "epochs": chosen.epochs, "trials_each": trials, "side_by_side": found}


def _write(folder: Path, bench: Bench, chosen: Recipe) -> None:
    np.save(folder / "images.npy", bench.dataset.train_images)
    np.save(folder / "labels.npy", bench.dataset.train_labels)
    (folder / "recipe.yaml").write_text(chosen.to_yaml(), encoding="utf-8")


def _side_by_side(k: int, folder: Path, device: torch.device, trials: int, limit: float) -> Result:
    """Run ``trials`` in each of ``k`` processes, which are ended after ``limit`` seconds."""
    command = [sys.executable, "-m", "benchmarks.gpu_packing", str(folder), device.type, str(trials)]
    with ExitStack() as stack:
        log = stack.enter_context((folder / "errors").open("w+"))
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
                )
            )
            for _ in range(k)
        ]
        for process in processes:
            stack.callback(process.kill)
            timer = threading.Timer(max(0.0, limit), process.kill)
            timer.start()
            stack.callback(timer.cancel)
        _expect("ready", processes, log)
        began = time.perf_counter()
        for process in processes:
            print("go", file=process.stdin, flush=True)
        _expect("done", processes, log)
        seconds = time.perf_counter() - began
    rate = 60 * k * trials / seconds
    say(f"  {k} side by side: {rate:.1f} trials a minute")
    return {"seconds": seconds, "trials_per_minute": rate}


def _expect(word: str, processes: list[subprocess.Popen[str]], log: IO[str]) -> None:
    """Wait until all ``processes`` say ``word``; raises RuntimeError with the last line of ``log`` if one does not."""
    for process in processes:
        assert process.stdout is not None
        if process.stdout.readline().strip() != word:
            log.seek(0)
            last = (log.read().strip().splitlines() or ["no message: it took too long"])[-1]
            raise RuntimeError(f"a trial process ended before it was {word}: {last}")


def main(folder: str, device: str, trials: str) -> None:
    """Train in a process of its own."""
    torch.set_num_threads(1)
    images, labels = (np.load(Path(folder) / f"{name}.npy", allow_pickle=False) for name in ("images", "labels"))
    place = torch.device(device)
    train, classes = to_device(images, labels, place), int(labels.max()) + 1
    chosen = recipe.load(Path(folder) / "recipe.yaml")
    _train(chosen.at_length(1), 0, place, train, classes)
    print("ready", flush=True)
    sys.stdin.readline()
    for seed in range(int(trials)):
        _train(chosen, seed, place, train, classes)
    print("done", flush=True)


def _train(chosen: Recipe, seed: int, place: torch.device, train: Split, classes: int) -> None:
    for _ in fit(start(chosen, seed, place, train, classes), train):
        pass


if __name__ == "__main__":
    main(*sys.argv[1:])
