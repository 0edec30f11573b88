"""Where the time of a step goes, by torch.profiler: the time of each operator itself, added up by the parts of a step.

An operator belongs to the phase that it runs in or, outside of these, to the nearest part among itself and those that
called it: what batch norm calls is norm, the cast of an input that a convolution asks for is a cast. On a CPU an
operator takes the time that it does not pass on to others; what is left of the wall time of the steps is ``host``:
Python, and autograd between its nodes. On a GPU an operator takes the time of the kernels that it started, and ``host``
is the time in which none ran. (Kernels are taken to run one after another, as they do in one stream.)
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch.autograd import DeviceType  # type: ignore[attr-defined]
from torch.profiler import ProfilerActivity, record_function

from trainer.diagnostics.step import Step, clock, seconds_of_beginning
from trainer.diagnostics.step_parts import AUGMENTATION, HOST, OTHER, PARTS, PHASES, of_operator

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or the profiler prints two lines each time, beside all progress

_PREFIX = "step: "
_WHOLE = f"{_PREFIX}whole"
_MICRO = 1e-6


@dataclass(frozen=True)
class Profiled:
    """A step with the profiler in the way.

    ``parts``  seconds of wall time by part; with those of ``host`` they are all of it
    ``seconds``  of the whole, by the clock that tells a step's time without the profiler (``step.clock``)
    """

    parts: Mapping[str, float]
    seconds: float


def profile(step: Step, steps: int) -> Profiled:
    """Watch so many steps, after one that does not count, and return their mean.

    What is done once an epoch is timed apart, and is augmentation.
    """
    step.take(0)
    on_gpu = step.device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    beginning = seconds_of_beginning(step)
    with torch.profiler.profile(activities=activities, acc_events=True) as profiler:
        began = clock(step.device)
        for number in range(steps):
            with record_function(_WHOLE):
                step.take(number, lambda phase: record_function(_PREFIX + phase))
        taken = clock(step.device) - began
    events = cast("list[Any]", profiler.events())
    parts = {part: seconds / steps for part, seconds in divided(events, taken if on_gpu else None).items()}
    parts[AUGMENTATION] += beginning
    return Profiled(parts, taken / steps + beginning)


def divided(events: Iterable[Any], gpu_wall: float | None) -> dict[str, float]:
    """Return the seconds of the ``events`` of a profiler by part; ``gpu_wall`` is the wall time of steps on a GPU."""
    found = dict.fromkeys(PARTS, 0.0)
    for event in events:
        if event.device_type == DeviceType.CPU:
            taken = event.self_cpu_time_total if gpu_wall is None else sum(one.duration for one in event.kernels)
            found[_part(event)] += _MICRO * taken
    if gpu_wall is not None:
        found[HOST] = gpu_wall - sum(seconds for part, seconds in found.items() if part != HOST)
    return found


def _part(event: Any) -> str:
    """Return what an event of the profiler is part of."""
    if event.name.startswith(_PREFIX):
        return HOST
    names = [one.name for one in _upwards(event)]
    phase = next((part for part in PHASES if _PREFIX + part in names), None)
    return phase or next((part for name in names if (part := of_operator(name))), OTHER)


def _upwards(event: Any) -> Iterator[Any]:
    while event is not None:
        yield event
        event = event.cpu_parent
