"""Where results come from: versions, source revision and hardware, kept in study.json beside them."""

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("hpsearch", "torch", "ray", "optuna", "numpy", "pyarrow")
_SECONDS = 10


def collect(command: Sequence[str]) -> dict[str, Any]:
    """Return JSON data on this run: command, started_at (UTC), platform, versions, git and hardware.

    Nothing is imported to find the versions; a package that is not installed has None. ``git`` is None outside of a
    repository.
    """
    return {
        "command": list(command),
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "platform": platform.platform(),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
        "git": git_state(Path.cwd()),
        "hardware": hardware(),
    }


def git_state(folder: Path) -> dict[str, Any] | None:
    """Return the ``commit`` of the repository around ``folder`` and whether it has changes (``dirty``), or None."""
    commit = _output(["git", "-C", str(folder), "rev-parse", "HEAD"])
    status = _output(["git", "-C", str(folder), "status", "--porcelain"])
    return None if commit is None or status is None else {"commit": commit, "dirty": bool(status)}


def hardware() -> dict[str, Any]:
    """Return the processor, the cores this process may use, the memory in bytes, and the GPUs by name."""
    return {"cpu": _cpu(), "cores": _cores(), "memory_bytes": _memory(), "gpus": _gpus()}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _output(command: list[str]) -> str | None:
    """Return what ``command`` prints, or None when it is not there, fails or hangs."""
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _gpus() -> list[str]:
    listing = _output(["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"])
    return listing.splitlines() if listing else []
