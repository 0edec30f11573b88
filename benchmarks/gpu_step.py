"""Part of the GPU check: what a training step costs, what makes it fast, and where its time goes."""

import dataclasses
import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd import DeviceType  # type: ignore[attr-defined]
from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu_bench import RECIPES, Bench, Result, attempt, say
from benchmarks.step import plain_step
from hpsearch.seeds import stream
from trainer import augment
from trainer.augment_by_offset import crop_and_flip_epoch
from trainer.average import WeightAverage
from trainer.batches import Split, batch_slices, shuffled
from trainer.loop import Run, fit, start, train_step
from trainer.optim.update import Update
from trainer.precision import supported
from trainer.recipe import Recipe

Step = Callable[[], object]

ROUNDS, STEPS = 5, 10
"""A round times so many steps of each kind in turn."""

COMPILING = 45.0
"""Seconds that compiling a network may take, before the first one has shown it."""

PROFILED, ROWS = 5, 10
SYNC = "called a synchronizing CUDA operation"


def step(bench: Bench) -> Result:
    """Return for each recipe what its step costs; then, while there is time, what it costs compiled."""
    train = bench.split()
    results: Result = {}
    measures = {
        "steps": _steps,
        "augmentation": _augmentation,
        "profile": _profile,
        **({"synchronisations": _synchronisations} if bench.device.type == "cuda" else {}),
    }
    if "synchronisations" not in measures:
        bench.skip("synchronisations, which only a GPU has")
    for name in RECIPES:
        if not bench.has():
            bench.skip(f"the steps of {name}")
            continue
        results[name] = {what: attempt(partial(measure, bench, name, train)) for what, measure in measures.items()}
    expected = COMPILING
    for name in list(results)[: 1 if bench.tiny else None]:
        if not bench.has(expected):
            bench.skip(f"{name} compiled: it takes about {expected:.0f} s")
            continue
        began = time.perf_counter()
        results[name]["compiled"] = attempt(partial(_compiled, bench, name, train))
        expected = time.perf_counter() - began
    return {"recipes": results}


def _steps(bench: Bench, name: str, train: Split) -> Result:
    """Time our step against plain ones and against itself with other choices."""
    chosen = bench.recipe(name)
    inputs, labels = bench.batch(chosen, train)
    plain = plain_step(chosen, inputs.contiguous(), labels)
    ours = _run(bench, chosen, train)
    ways: dict[str, Step] = {
        "plain_fp32": plain,
        "plain_autocast": _under(lambda: _autocast(bench), plain_step(chosen, inputs.contiguous(), labels)),
        "ours": _ours(ours, inputs, labels),
        "ours_not_channels_last": _ours(_not_channels_last(bench, chosen, train), inputs.contiguous(), labels),
    }
    if bench.device.type == "cuda":
        ways["ours_cudnn_benchmark"] = _under(_cudnn_benchmark, ways["ours"])
    times = _in_turns(bench, ways)
    kinds = {way: {**taken, "images_per_second": len(labels) / taken["median_s"]} for way, taken in times.items()}
    ratios = {way: times[way]["median_s"] / times["ours"]["median_s"] for way in times if way != "ours"}
    said = ", ".join(f"{ratio:.2f} x {way}" for way, ratio in ratios.items())
    say(f"  {name}: {kinds['ours']['images_per_second']:,.0f} images/s ({ours.precision}): {said}")
    return {"precision": ours.precision, "autocast": str(_autocast_type(bench)), "ways": kinds, "ratio_to_ours": ratios}


def _run(bench: Bench, chosen: Recipe, train: Split) -> Run:
    return start(chosen, 0, bench.device, train, len(bench.dataset.classes))


def _ours(run: Run, inputs: Tensor, labels: Tensor) -> Step:
    return lambda: train_step(run, inputs, labels, run.recipe.epochs / 2)


def _not_channels_last(bench: Bench, chosen: Recipe, train: Split) -> Run:
    """Return a run whose network, and with it its velocities and average, has the memory order of torch's default."""
    run = _run(bench, chosen, train)
    network = run.network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    average = WeightAverage(network, chosen.average.every, chosen.average.momentum) if chosen.average else None
    return dataclasses.replace(run, update=Update(network, chosen), average=average)


def _autocast_type(bench: Bench) -> torch.dtype:
    return torch.bfloat16 if bench.device.type == "cpu" or "bf16" in supported(bench.device) else torch.float16


def _autocast(bench: Bench) -> AbstractContextManager[Any]:
    return torch.autocast(bench.device.type, dtype=_autocast_type(bench))


@contextmanager
def _cudnn_benchmark() -> Iterator[None]:
    """Let cuDNN try its convolution algorithms out."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def _under(context: Callable[[], AbstractContextManager[Any]], work: Step) -> Step:
    def inside() -> None:
        with context():
            work()

    return inside


def _in_turns(bench: Bench, ways: Mapping[str, Step]) -> dict[str, dict[str, Any]]:
    """Time ``ways`` A B C A B C ..., after one step of each; return the median and all the times, seconds per step."""
    first = {way: bench.seconds(work) for way, work in ways.items()}
    steps = 1 if bench.tiny else STEPS
    times: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(ROUNDS):
        if number > 0 and not bench.has():
            bench.skip(f"{ROUNDS - number} of {ROUNDS} rounds of steps")
            break
        for way, work in ways.items():
            times[way].append(bench.seconds(partial(_repeat, work, steps)) / steps)
    return {
        way: {"first_s": first[way], "median_s": statistics.median(taken), "all_s": taken}
        for way, taken in times.items()
    }


def _repeat(work: Step, times: int) -> None:
    for _ in range(times):
        work()


def _compiled(bench: Bench, name: str, train: Split) -> Result:
    """Time our step with its network compiled against itself; the first compiled step, which compiles, counts apart."""
    chosen = bench.recipe(name)
    inputs, labels = bench.batch(chosen, train)
    run = _run(bench, chosen, train)
    network: Any = torch.compile(run.network)
    ways = {
        "ours": _ours(_run(bench, chosen, train), inputs, labels),
        "compiled": _ours(dataclasses.replace(run, network=network), inputs, labels),
    }
    times = _in_turns(bench, ways)
    ratio = times["ours"]["median_s"] / times["compiled"]["median_s"]
    say(f"  {name}: compiled {ratio:.2f} x as fast, after a first step of {times['compiled']['first_s']:.1f} s")
    return {"ways": times, "ratio": ratio}


def _augmentation(bench: Bench, name: str, train: Split) -> Result:
    """Time crops and mirror images of an epoch: all at once, and batch by batch. Drawing the choices is in neither."""
    chosen = bench.recipe(name)
    order = shuffled(len(train), stream(0, "order"), bench.device)
    choices = augment.draw(chosen.augment, order, train.shape, 0, 0, bench.device)
    batches = batch_slices(len(train), chosen.batch_size, chosen.drop_last)

    def by_batch() -> None:
        for batch in batches:
            augment.crop_and_flip(train.pixels, order[batch], choices[batch])

    ways = {"epoch": lambda: crop_and_flip_epoch(train.pixels, order, choices), "batch": by_batch}
    for work in ways.values():
        work()
    times = [{way: bench.seconds(work) for way, work in ways.items()} for _ in range(ROUNDS)]
    drawing = bench.seconds(lambda: augment.draw(chosen.augment, order, train.shape, 0, 1, bench.device))
    medians = {f"{way}_s": statistics.median(time[way] for time in times) for way in ways}
    return {**medians, "draw_s": drawing, "images": len(train)}


def _synchronisations(bench: Bench, name: str, train: Split) -> Result:
    """Count how often the host waits for the device in an epoch: for each step, expected 0, and for the epoch itself.

    Epochs of two lengths tell the two apart.
    """
    short, long = (2, 4) if bench.tiny else (4, 12)
    places = {steps: _waits(bench, name, train, steps) for steps in (short, long)}
    per_step = (len(places[long]) - len(places[short])) / (long - short)
    say(f"  host waits for the device: {per_step:g} times a step (expected 0), {len(places[short])} times an epoch")
    counts = {f"epoch_of_{steps}": len(found) for steps, found in places.items()}
    return {"per_step": per_step, **counts, "places": sorted(set(places[long])), "ok": per_step == 0}


def _waits(bench: Bench, name: str, train: Split, steps: int) -> list[str]:
    """Return file and line of each wait in an epoch of so many ``steps``."""
    images = steps * bench.recipe(name).batch_size
    few = Split(train.pixels[:images], train.labels[:images], train.shape)
    epoch = fit(_run(bench, bench.recipe(name, images=images, epochs=1), few), few)
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            next(epoch)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return [f"{one.filename}:{one.lineno}" for one in caught if SYNC in str(one.message)]


def _profile(bench: Bench, name: str, train: Split) -> Result:
    """Return which kernels (operators on a CPU) take most of the time of our step, in shares of all of them.

    ``busy`` is the share of the wall time in which a kernel of the GPU ran, with the profiler in the way.
    """
    chosen = bench.recipe(name)
    on_gpu = bench.device.type == "cuda"
    kind = DeviceType.CUDA if on_gpu else DeviceType.CPU
    work = _ours(_run(bench, chosen, train), *bench.batch(chosen, train))
    bench.seconds(work)
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with profile(activities=activities) as profiler:
        wall = bench.seconds(lambda: _repeat(work, PROFILED))
    taken = [
        (event.key, event.count, event.self_device_time_total if on_gpu else event.self_cpu_time_total)
        for event in profiler.key_averages()
        if event.device_type == kind and not event.is_user_annotation
    ]
    total = sum(microseconds for *_, microseconds in taken) or 1.0
    rows = [
        {"name": name, "share": time / total, "ms_per_step": time / 1000 / PROFILED, "calls_per_step": calls / PROFILED}
        for name, calls, time in sorted(taken, key=lambda row: -row[2])[:ROWS]
    ]
    for row in rows[:3]:
        say(f"    {row['share']:5.1%} {row['name'][:90]}")
    return {"busy": total / 1e6 / wall if on_gpu else None, "top": rows}
