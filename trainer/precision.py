"""Which number format a run computes in, what the device can do, and what to do where it cannot.

Parameters, optimiser and batch-norm statistics are fp32, and the policies differ in what convolutions and the linear
layer compute in (autocast); only fp16_whole, the way of the series, keeps the parameters, too, in fp16. fp16 needs its
gradients scaled up: the loss is multiplied by the batch size, as the summed loss of the series does by itself.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from hpsearch.devices import check_kernels
from hpsearch.errors import DeviceError, Problem
from trainer.blocks import Precision
from trainer.models.norm import BatchNorm

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}

_FALLBACKS: dict[Precision, tuple[Precision, ...]] = {
    "fp32": (),
    "bf16": ("fp16",),
    "fp16": ("bf16",),
    "fp16_whole": ("bf16",),  # not as a whole: updates are lost in the 8 bits of a bf16 parameter
}
_BF16_CPU_FLAGS = {"avx512_bf16", "amx_bf16"}


def choose(wanted: Precision, supported: frozenset[Precision], device: str) -> tuple[Precision, str | None]:
    """Return ``wanted`` if it is ``supported``, else the other 16-bit format, else fp32, with a note that says so."""
    candidates: tuple[Precision, ...] = (wanted, *_FALLBACKS[wanted])
    chosen: Precision = next((name for name in candidates if name in supported), "fp32")
    return chosen, None if chosen == wanted else f"{chosen} instead of {wanted}, which {device} does not compute fast"


def supported(device: torch.device) -> frozenset[Precision]:
    """Return the formats for which ``device`` has fast arithmetic."""
    if device.type == "cuda":
        return gpu_precisions(torch.cuda.get_device_capability(device))
    return cpu_precisions(_cpu_flags())


def gpu_precisions(capability: tuple[int, int]) -> frozenset[Precision]:
    """Return the fast formats of an NVIDIA GPU: fp16 from Pascal (5.3), bf16 from Ampere (8.0) on."""
    found: set[Precision] = {"fp32"}
    if capability >= (5, 3):
        found |= {"fp16", "fp16_whole"}
    if capability >= (8, 0):
        found.add("bf16")
    return frozenset(found)


def cpu_precisions(flags: frozenset[str]) -> frozenset[Precision]:
    """Return the fast formats of an x86 CPU with these feature ``flags``; fp16 is never among them."""
    return frozenset({"fp32", "bf16"}) if flags & _BF16_CPU_FLAGS else frozenset({"fp32"})


def _cpu_flags() -> frozenset[str]:
    """Return the feature flags of the CPU where Linux says them, else none."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line for line in lines if line.startswith("flags")), "").split())


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """Return the context in which a network computes in ``precision``."""
    return torch.autocast(device.type, dtype=_DTYPES.get(precision, torch.bfloat16), enabled=precision in _DTYPES)


def loss_scale(precision: Precision, batch_size: int) -> float:
    """Return the factor on the mean loss that keeps small gradients above the least number of the format."""
    return batch_size if precision in ("fp16", "fp16_whole") else 1


def as_input(images: Tensor, precision: Precision) -> Tensor:
    """Return normalised ``images`` in the format that a network of this precision takes."""
    return images.half() if precision == "fp16_whole" else images


def to_precision(network: nn.Module, precision: Precision) -> None:
    """Bring the parameters of a fresh ``network``, in place, to the format they are kept in."""
    if precision == "fp16_whole":
        for module in network.modules():
            keeps_fp32 = isinstance(module, BatchNorm) and module.precision == "fp32"
            if not keeps_fp32:
                _halve(module)


def _halve(module: nn.Module) -> None:
    """Bring the parameters and buffers of ``module`` itself, not of those in it, to fp16."""
    for tensor in [*module.parameters(recurse=False), *module.buffers(recurse=False)]:
        tensor.data = tensor.data.half()


def find_device(name: str) -> torch.device:
    """Return the device called "auto", "cpu" or "cuda"; auto is the GPU where there is one.

    Raises DeviceError when there is no GPU, or when the installed torch has no kernels for it.
    """
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        built = f"torch {torch.__version__}"
        raise DeviceError(
            Problem("torch finds no GPU", got=built, allowed="cpu", hint="docs/gpu.md says what it needs")
        )
    check_kernels(torch.cuda.get_device_name(), torch.cuda.get_device_capability(), torch.cuda.get_arch_list())
    return torch.device("cuda")


def describe_device(device: torch.device) -> str:
    """Return the name of the device for people."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
