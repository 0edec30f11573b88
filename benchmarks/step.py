"""One training step of ResNet-9 at full width: ours against plain eager fp32 in NCHW, interleaved.

    python benchmarks/step.py [--device cpu|cuda] [--threads 1] [--rounds 5] [--json FILE]

Both train the same network on the same synthetic batch of 32x32 images; one step is forward, backward and the update.
The plain step is the textbook one: convolution, norm, ReLU, pooling, torch.optim.SGD. Medians over the rounds of A B A
B ...; the ratio of the medians is what carries over between machines.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from trainer import recipe
from trainer.batches import Shape
from trainer.loop import start, train_step
from trainer.models.resnet9 import ConvNorm, ResNet9

BATCH_SIZES = (128, 512)
Step = Callable[[], object]


def plain_forward(self: ConvNorm, x: Tensor) -> Tensor:
    """The layer as it is described: ReLU before pooling, nothing in place."""
    x = F.relu(self.norm(self.conv(x)))
    return F.max_pool2d(x, 2) if self.pool else x


def plain_step(inputs: Tensor, labels: Tensor) -> Step:
    """A textbook training step in fp32, NCHW."""
    network = ResNet9(channels=3, classes=10, width=64, logit_scale=0.125).to(inputs.device)
    for module in network.modules():
        if isinstance(module, ConvNorm):
            module.forward = plain_forward.__get__(module)  # type: ignore[method-assign]
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(network(inputs), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def our_step(inputs: Tensor, labels: Tensor) -> Step:
    """The step of the trainer with the recipe of post 4."""
    run = start(recipe.load("post4_resnet9"), 0, inputs.device, Shape(32, 32, 3), classes=10)
    inputs = inputs.contiguous(memory_format=torch.channels_last)
    return lambda: train_step(run, inputs, labels, 5.0)


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


def compare(batch_size: int, device: torch.device, rounds: int) -> dict[str, float]:
    """Time both steps ``rounds`` times after one warm-up; return medians in seconds and their ratio."""
    inputs = torch.randn(batch_size, 3, 32, 32, device=device)
    labels = torch.randint(0, 10, (batch_size,), device=device)
    steps = {"plain": plain_step(inputs, labels), "ours": our_step(inputs, labels)}
    for step in steps.values():
        seconds(step, device)
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            times[name].append(seconds(step, device))
    plain, ours = (statistics.median(times[name]) for name in ("plain", "ours"))
    return {"batch_size": batch_size, "plain_s": plain, "ours_s": ours, "ratio": plain / ours}


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
    print(f"{'batch':>5} {'plain':>12} {'ours':>12} {'ratio':>6}")
    rows = []
    for batch_size in BATCH_SIZES:
        row = compare(batch_size, device, options.rounds)
        rows.append(row)
        speeds = (f"{batch_size / row[name]:>7.0f} im/s" for name in ("plain_s", "ours_s"))
        print(f"{batch_size:>5} {' '.join(speeds)} {row['ratio']:>6.2f}", flush=True)
    if options.json:
        options.json.write_text(json.dumps({"machine": where, "steps": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
