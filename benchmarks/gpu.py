"""The GPU check in one call: formats, recipes, the training step and trials side by side, into one JSON file.

    python -m benchmarks.gpu --data PATH [--minutes 8] [--json gpu-check.json]
    python -m benchmarks.gpu --data PATH --device cpu --tiny

The minutes, reading the data included, are divided over the parts; each says what it left out. A part that fails is
recorded with its error, and the others go on. ``--tiny`` shows on any machine that everything runs; its figures mean
nothing. It needs torch, numpy, pyarrow, pillow, PyYAML and pydantic, nothing else.

Exit code: 0; 1 when a part failed or a check in it did not hold; 2 for wrong input.
"""

import argparse
import json
import math
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.gpu_bench import TINY, Bench, Result, attempt, good, say
from benchmarks.gpu_formats import formats
from benchmarks.gpu_packing import packing
from benchmarks.gpu_recipes import recipes
from benchmarks.gpu_step import step
from hpsearch.errors import InputError, Problem
from hpsearch.store.provenance import git_state, hardware
from trainer import data
from trainer.data import Dataset
from trainer.precision import describe_device, find_device, supported

ROOT = Path(__file__).parent.parent
NO_GPU = "torch {} finds no GPU: --device cpu --tiny tries the check out without one (docs/gpu.md)\n"

PARTS: dict[str, tuple[Callable[[Bench], Result], float]] = {
    "formats": (formats, 0.15),
    "recipes": (recipes, 0.55),
    "step": (step, 0.65),
    "packing": (packing, 1.0),
}
"""Each part and its share of the time that those before it left."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    options = _parser().parse_args(arguments)
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.stderr.write(NO_GPU.format(torch.__version__))
        return 2
    try:
        return _check(options)
    except InputError as wrong:
        sys.stderr.write(f"{wrong}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the parts that were done are written\n")
        return 130


def _check(options: argparse.Namespace) -> int:
    """Run all parts. Raises DataError and DeviceError before the first one."""
    end = time.perf_counter() + 60 * options.minutes
    device = find_device(options.device)
    source = data.find("cifar10", options.data)
    _check_writable(options.json)
    say(f"{describe_device(device)}; reading {source.where}")
    dataset = source.load()
    bench = Bench(_few(dataset) if options.tiny else dataset, device, options.tiny, end)
    about = {"data": source.path.name if source.path else source.name, "tiny": options.tiny, "minutes": options.minutes}
    report = {**machine(device), **about, "parts": {}}
    say(", ".join(f"{key} {value}" for key, value in report["versions"].items()))
    for name in PARTS:
        say(f"{name}:")
        report["parts"][name] = _run(name, bench)
        _write(options.json, report)
    fine = all(map(good, report["parts"].values()))
    say(f"{'all ok' if fine else 'NOT ALL OK'}; written: {options.json}")
    return 0 if fine else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, metavar="PATH", help="where CIFAR-10 lies (default: HPSEARCH_DATA, the cache, a download)")
    add("--minutes", type=_minutes, default=8.0, help="time for everything (default: 8)")
    add("--json", type=Path, default=Path("gpu-check.json"), help="the file to write (default: %(default)s)")
    add("--device", choices=("cuda", "cpu"), default="cuda")
    add("--tiny", action="store_true", help="narrow networks and few images: only to see that it runs")
    return parser


def _minutes(text: str) -> float:
    minutes = float(text)
    if not 0 < minutes < math.inf:
        raise argparse.ArgumentTypeError("must be a positive number")
    return minutes


def _check_writable(file: Path) -> None:
    """Find out now, not after all the minutes, that a file cannot be written there."""
    if file.is_dir() or not os.access(file.absolute().parent, os.W_OK):
        what = "the results cannot be written there"
        raise InputError(Problem(what, file=file, key="--json", allowed="a file in a folder that exists"))


def _few(dataset: Dataset) -> Dataset:
    train, test = TINY["train"], TINY["test"]
    return replace(
        dataset,
        train_images=dataset.train_images[:train],
        train_labels=dataset.train_labels[:train],
        test_images=dataset.test_images[:test],
        test_labels=dataset.test_labels[:test],
    )


def machine(device: torch.device) -> dict[str, Any]:
    """Return what the figures come from: date, source revision, hardware, driver and versions."""
    found = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "git": git_state(ROOT),
        "hardware": hardware(),
        "device": describe_device(device),
        "formats": sorted(supported(device)),
        "threads": torch.get_num_threads(),
        "versions": {
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
        "tf32": {"matmul": torch.backends.cuda.matmul.allow_tf32, "convolution": torch.backends.cudnn.allow_tf32},
    }
    if device.type == "cuda":
        of = torch.cuda.get_device_properties(device)
        found["gpu"] = {
            "capability": f"{of.major}.{of.minor}",
            "memory_bytes": of.total_memory,
            "multiprocessors": of.multi_processor_count,
        }
    return found


def _run(name: str, bench: Bench) -> Result:
    """Return the result of a part, or its error, with the seconds that it took and what it left out."""
    part, share = PARTS[name]
    bench.begin(share)
    began = time.perf_counter()
    result = attempt(lambda: part(bench))
    return {**result, "seconds": time.perf_counter() - began, "left_out": bench.left_out}


def _write(file: Path, report: dict[str, Any]) -> None:
    """Replace ``file`` whole, after every part, so that a check that is cut off leaves what it had."""
    partial = file.with_name(f".{file.name}.part")
    partial.write_text(json.dumps(_strict(report), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(file)


def _strict(value: Any) -> Any:
    """Return ``value`` with null in the place of numbers that are not finite."""
    if isinstance(value, dict):
        return {key: _strict(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


if __name__ == "__main__":
    sys.exit(main())
