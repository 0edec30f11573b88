"""The processor of a trial: which there is, and whether the installed torch can use it."""

import shutil
from collections.abc import Sequence

from hpsearch.errors import DeviceError, Problem, listed

REMEDY = (
    "pip install torch --index-url https://download.pytorch.org/whl/cu126 (up to torch 2.14, builds for CUDA 12.6 "
    "reach back to older GPUs; docs/gpu.md), or hide the GPU: CUDA_VISIBLE_DEVICES=''"
)


def usable_gpus() -> int:
    """Return how many NVIDIA GPUs torch can use here; 0 where there is none, or torch has no CUDA.

    Raises DeviceError when there is one that the installed torch has no kernels for. Imports torch only where the
    machine has an NVIDIA driver: the import takes seconds.
    """
    if shutil.which("nvidia-smi") is None:
        return 0
    import torch

    if not torch.cuda.is_available():
        return 0
    for index in range(torch.cuda.device_count()):
        check_kernels(
            torch.cuda.get_device_name(index), torch.cuda.get_device_capability(index), torch.cuda.get_arch_list()
        )
    return torch.cuda.device_count()


def check_kernels(name: str, capability: tuple[int, int], architectures: Sequence[str]) -> None:
    """Raise DeviceError unless a torch built for ``architectures`` ("sm_80") runs on the GPU ``name``.

    Machine code runs on its own major version from its own minor version on; intermediate code ("compute_80") is
    compiled by the driver for every later GPU.
    """
    if not any(_runs_on(architecture, capability) for architecture in architectures):
        message = f"the installed torch has no kernels for {name}: every trial would fail"
        got = f"compute capability {capability[0]}.{capability[1]}"
        raise DeviceError(Problem(message, got=got, allowed=listed(architectures), hint=REMEDY))


def _runs_on(architecture: str, capability: tuple[int, int]) -> bool:
    kind, _, digits = architecture.partition("_")
    suffix = digits.lstrip("0123456789")  # sm_90a runs on exactly this GPU, sm_100f on its family
    version = digits.removesuffix(suffix)
    major, minor = int(version[:-1]), int(version[-1])
    if suffix == "a":
        return (major, minor) == capability
    if kind == "compute":
        return (major, minor) <= capability
    return major == capability[0] and minor <= capability[1]


def device_for(asked: str | float, gpus: float, where: str) -> tuple[str, float]:
    """Choose the device of a trial and its share of GPUs from ``resources.gpus`` and the GPUs there are.

    ``asked`` is "auto" (one GPU for a trial where there is one) or a number; ``where`` names the place for messages.
    Raises DeviceError when more is asked for than there is.
    """
    share = min(1.0, gpus) if asked == "auto" else float(asked)
    if share > gpus:
        hint = "set resources.gpus to auto, or to 0 for the CPU"
        message = "a trial asks for more GPUs than there are"
        raise DeviceError(
            Problem(message, key="resources.gpus", got=f"{share:g}", allowed=f"at most {gpus:g} on {where}", hint=hint)
        )
    return ("cuda", share) if share else ("cpu", 0.0)
