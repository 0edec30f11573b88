"""The processor of a trial: which there is, and whether the installed torch can use it."""

import re
import shutil
from collections.abc import Sequence

from hpsearch.errors import DeviceError, Problem, listed

REMEDY = (
    "install a torch build with kernels for it, for a V100 the CUDA 12.6 wheels (torch up to 2.14): "
    "pip install torch --index-url https://download.pytorch.org/whl/cu126 (docs/gpu.md)"
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
    """Raise DeviceError unless a torch built for ``architectures`` runs on the GPU ``name`` of ``capability``.

    ``architectures`` is ``torch.cuda.get_arch_list()``: machine code ``sm_XY`` runs on the same major version from
    minor Y on; intermediate code ``compute_XY`` is compiled by the driver for anything newer.
    """
    for architecture in architectures:
        match = re.fullmatch(r"(sm|compute)_(\d+)(\d)[a-z]?", architecture)
        if match is None:
            continue
        kind, built_for = match[1], (int(match[2]), int(match[3]))
        same_major = built_for[0] == capability[0]
        if built_for <= capability and (same_major or kind == "compute"):
            return
    message = "the installed torch has no kernels for this GPU: every trial would fail"
    got = f"{name} (compute capability {capability[0]}.{capability[1]})"
    raise DeviceError(Problem(message, got=got, allowed=listed(architectures), hint=REMEDY))


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
