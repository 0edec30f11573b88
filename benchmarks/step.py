"""One training step of the networks of the series at full width: ours against plain eager fp32 in NCHW, interleaved.

    python benchmarks/step.py [--recipe NAME ...] [--batch-size 512] [--device cpu|cuda] [--threads 1] [--json FILE]

Both train the same network on the same synthetic batch of 32x32 images; one step is forward, backward and the update.
The plain step is the textbook one: convolution, norm, activation, pooling, torch.optim.SGD. Medians over the rounds of
A B A B ...; the ratio of the medians is what carries over between machines.
"""

import argparse
import itertools
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from trainer import models, recipe
from trainer.batches import Shape, to_device
from trainer.loop import start, train_step
from trainer.models.layers import ConvNorm
from trainer.models.whitening import Whitening
from trainer.recipe import Recipe

RECIPES = ("post1_baseline", "post4_resnet9", "post8_09_flip_test", "speed")
SHAPE, CLASSES = Shape(32, 32, 3), 10
Step = Callable[[], object]


def plain_forward(self: ConvNorm, x: Tensor) -> Tensor:
    """The layer as it is described: activation before pooling."""
    x = self.conv(x)
    if self.downsample == "pool_before_norm":
        x = F.max_pool2d(x, 2)
    x = self.activation(self.norm(x))
    return F.max_pool2d(x, 2) if self.downsample == "pool" else x


def plain_step(chosen: Recipe, inputs: Tensor, labels: Tensor) -> Step:
    """A textbook training step in fp32, NCHW."""
    network = models.build(chosen.model, SHAPE, CLASSES).to(inputs.device)
    for module in network.modules():
        if isinstance(module, ConvNorm):
            module.forward = plain_forward.__get__(module)  # type: ignore[method-assign]
        if isinstance(module, Whitening):  # zero until they are made from images
            torch.nn.init.normal_(module.weight)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(network(inputs), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def our_step(chosen: Recipe, inputs: Tensor, labels: Tensor) -> Step:
    """The step of the trainer in the middle of the run, when a bias of whitening filters is not trained any more."""
    images = np.random.default_rng(0).integers(0, 256, (whitened_images(chosen), *SHAPE), dtype=np.uint8)
    train = to_device(images, np.zeros(len(images), np.int64), inputs.device)
    run = start(chosen, 0, inputs.device, train, CLASSES)
    inputs = inputs.contiguous(memory_format=torch.channels_last)
    return lambda: train_step(run, inputs, labels, chosen.epochs / 2)


def whitened_images(chosen: Recipe) -> int:
    """Return how many images the recipe wants before its first step."""
    return max(chosen.batch_size, chosen.model.whitening.images if chosen.model.whitening else 0)


def seconds(step: Step, device: torch.device) -> float:
    """Time of one step: CPU seconds of all threads, which a busy machine leaves alone, or wall time on a GPU."""
    if device.type == "cpu":
        began = time.process_time()
        step()
        return time.process_time() - began
    began = time.perf_counter()
    step()
    torch.cuda.synchronize()
    return time.perf_counter() - began


def compare(name: str, batch_size: int, device: torch.device, rounds: int) -> dict[str, float | str]:
    """Time both steps ``rounds`` times after one warm-up; return medians in seconds and their ratio."""
    chosen = recipe.load(name)
    inputs = torch.randn(batch_size, 3, 32, 32, device=device)
    labels = torch.randint(0, CLASSES, (batch_size,), device=device)
    steps = {"plain": plain_step(chosen, inputs, labels), "ours": our_step(chosen, inputs, labels)}
    for step in steps.values():
        seconds(step, device)
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for which, step in steps.items():
            times[which].append(seconds(step, device))
    plain, ours = (statistics.median(times[which]) for which in ("plain", "ours"))
    return {"recipe": name, "batch_size": batch_size, "plain_s": plain, "ours_s": ours, "ratio": plain / ours}


def machine(device: torch.device) -> dict[str, str | int]:
    """Say where the numbers come from."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    cpu = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor()
    )
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else cpu
    return {
        "device": name,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def main() -> None:
    """Print a table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", nargs="+", default=RECIPES, choices=recipe.names(), metavar="NAME")
    parser.add_argument("--batch-size", type=int, nargs="+", default=[512])
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    device = torch.device(options.device)
    where = machine(device)
    print(", ".join(f"{key} {value}" for key, value in where.items()))
    print(f"{'recipe':>20} {'batch':>5} {'plain':>12} {'ours':>12} {'ratio':>6}")
    rows = []
    for name, batch_size in itertools.product(options.recipe, options.batch_size):
        row = compare(name, batch_size, device, options.rounds)
        rows.append(row)
        speeds = (f"{batch_size / row[which]:>7.0f} im/s" for which in ("plain_s", "ours_s"))
        print(f"{name:>20} {batch_size:>5} {' '.join(speeds)} {row['ratio']:>6.2f}", flush=True)
    if options.json:
        options.json.write_text(json.dumps({"machine": where, "steps": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
