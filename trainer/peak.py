"""What the device can do at best, measured: a large matrix product and a large convolution in a number format, a copy.

A ceiling to hold a training run against. The best of several repeats counts, because other work on the machine only
ever takes time away; on a CPU it is the processor time per thread for the same reason.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F

from trainer.blocks import Precision

REPEATS = 5
SECONDS = 0.8
"""No further repeat is begun after so long, for each of them."""

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "fp16_whole": torch.float16}
_SIDE = {"cpu": 2048, "cuda": 8192}
_IMAGES = {"cpu": 64, "cuda": 1024}
_CHANNELS, _PIXELS, _KERNEL = 128, 32, 3
_COPIED = {"cpu": 2**28, "cuda": 2**31}
"""Bytes, far more than any cache holds."""


@dataclass(frozen=True)
class Peak:
    """Highest speed that was seen, in FLOP per second; a multiply-add is 2 FLOP."""

    matmul: float
    convolution: float

    @property
    def flops_per_second(self) -> float:
        """The higher of the two."""
        return max(self.matmul, self.convolution)


@cache
def measure(device: torch.device, precision: Precision) -> Peak:
    """Measure ``device`` in the format that ``precision`` multiplies in, with the threads of this process.

    Takes a few seconds the first time, and is not repeated in a process.
    """
    dtype = _DTYPES[precision]
    with torch.inference_mode():
        return Peak(_matmul(device, dtype, _SIDE[device.type]), _convolution(device, dtype, _IMAGES[device.type]))


@cache
def bandwidth(device: torch.device) -> float:
    """Measure how many bytes per second ``device`` moves when it copies a large tensor: those read and those written.

    What fits into a cache moves faster. Not repeated in a process.
    """
    source = torch.ones(_COPIED[device.type], dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    with torch.inference_mode():
        return 2 * source.nbytes / _least_seconds(lambda: target.copy_(source), device)


def _matmul(device: torch.device, dtype: torch.dtype, side: int) -> float:
    """Multiply two square matrices of ``side`` rows."""
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    return matmul_flop(side) / _least_seconds(lambda: torch.mm(a, b), device)


def _convolution(device: torch.device, dtype: torch.dtype, images: int) -> float:
    """Convolve ``images`` with as many filters as they have channels, channels last in memory."""
    inputs = torch.randn(images, _CHANNELS, _PIXELS, _PIXELS, device=device)
    filters = torch.randn(_CHANNELS, _CHANNELS, _KERNEL, _KERNEL, device=device)
    x, w = (tensor.to(dtype, memory_format=torch.channels_last) for tensor in (inputs, filters))
    return convolution_flop(images) / _least_seconds(lambda: F.conv2d(x, w, padding=_KERNEL // 2), device)


def matmul_flop(side: int) -> float:
    """FLOP of the product of two square matrices."""
    return 2.0 * side**3


def convolution_flop(images: int) -> float:
    """FLOP of the convolution: every output pixel is a product over all channels of the kernel."""
    return 2.0 * images * _PIXELS**2 * _CHANNELS * _CHANNELS * _KERNEL**2


def _least_seconds(work: Callable[[], object], device: torch.device) -> float:
    """Return the time of the fastest repeat after a warm-up."""
    _timed(work, device)
    times: list[float] = []
    while not times or (len(times) < REPEATS and sum(times) < SECONDS):
        times.append(_timed(work, device))
    return min(times)


def _timed(work: Callable[[], object], device: torch.device) -> float:
    if device.type == "cpu":
        began = time.process_time()
        work()
        return (time.process_time() - began) / torch.get_num_threads()
    began = time.perf_counter()
    work()
    torch.cuda.synchronize(device)
    return time.perf_counter() - began
