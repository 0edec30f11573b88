"""Starting or joining Ray: a cluster only when asked for, else one of our own that leaves nothing behind."""

import logging
import os
import shutil
import socket
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from filelock import FileLock, Timeout

from hpsearch.errors import Problem, StudyError

PREFIX = "hpsearch-"
OWNER = "owner.lock"
LONGEST = 43
"""Characters that Ray's temporary folder may have, for its sockets' paths are bounded."""

REACH_SECONDS = 10


@dataclass(frozen=True)
class Cluster:
    """What a search may use.

    ``nodes`` holds the (CPUs, GPUs) of each node, ``dashboard`` its address (None where there is none), ``scratch`` a
    folder for Tune's own files that goes with a local Ray (None: the system's).
    """

    nodes: tuple[tuple[int, float], ...]
    dashboard: str | None = None
    scratch: Path | None = None

    @property
    def gpus(self) -> float:
        """The most that a node has: a trial runs on one."""
        return max(gpus for _, gpus in self.nodes)

    def slots(self, cpus: int, gpus: float) -> int:
        """Return how many trials of so many CPUs and GPUs fit side by side, each on one node."""
        return sum(min(has[0] // cpus, int(has[1] / gpus + 1e-9) if gpus else has[0] // cpus) for has in self.nodes)


@contextmanager
def cluster(address: str | None, gpus: int = 0, dashboard: bool = True) -> Iterator[Cluster]:
    """Start a local Ray with ``gpus`` (``address`` None), or join the cluster at ``address``; end or leave it after.

    The default never follows a cluster that happens to run on the machine. Raises StudyError when the cluster at
    ``address`` cannot be reached, or the system's temporary folder cannot be used.
    """
    _quiet()
    with ExitStack() as stack:
        folder = None if address else stack.enter_context(temporary_folder())
        stack.callback(ray.shutdown)
        context = _join(address) if address else _start(folder, gpus, dashboard)
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
        sizes = tuple((int(node.get("CPU", 0)), float(node.get("GPU", 0))) for node in nodes)
        url = context.dashboard_url
        yield Cluster(sizes, f"http://{url}" if url else None, folder)


def _start(folder: Path | None, gpus: int, dashboard: bool) -> Any:
    return ray.init(
        address="local",
        num_gpus=gpus,
        include_dashboard=dashboard,
        log_to_driver=False,
        logging_level=logging.ERROR,
        _temp_dir=str(folder),
    )


def _join(address: str) -> Any:
    try:
        _reach(address)
        return ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as cause:
        message = f"cannot join the Ray cluster: {str(cause).strip().splitlines()[0]}"
        hint = "start one with `ray start --head`, or leave --address away for a local Ray"
        raise StudyError(Problem(message, key="--address", got=address, hint=hint)) from cause


def _reach(address: str) -> None:
    """Raise OSError where nobody listens at host:port: Ray itself would try for minutes."""
    host, _, port = address.rpartition("//")[2].rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=REACH_SECONDS).close()


def _quiet() -> None:
    """Keep Ray's and Tune's own lines and files away: what happens is told by the sinks of the search."""
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody asked for figures to be sent anywhere
    os.environ.update(
        RAY_AIR_NEW_OUTPUT="0",
        TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1",
        TUNE_DISABLE_SIGINT_HANDLER="1",
        TUNE_GLOBAL_CHECKPOINT_S="1000000",
        TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S="0",
    )
    for name in ("ray", "ray.tune", "ray.train", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module=r"ray\..*")


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make a folder for Ray directly under the system's, held by a lock; clear those whose driver was killed."""
    root = Path(tempfile.gettempdir())
    if len(str(root)) + len(f"/{PREFIX}12345678") > LONGEST:  # a TMPDIR deep down, as batch systems and macOS have it
        root = Path("/tmp")
    for stale in root.glob(f"{PREFIX}*/{OWNER}"):
        _clear(stale)
    try:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=root))
    except OSError as cause:
        message = f"Ray needs a temporary folder with a short path: {cause}"
        raise StudyError(Problem(message, got=str(root), hint="set TMPDIR to a short path")) from cause
    try:
        with FileLock(folder / OWNER):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _clear(owner: Path) -> None:
    """Remove the folder of a lock that nobody holds any more."""
    with suppress(OSError, Timeout), FileLock(owner, timeout=0):
        shutil.rmtree(owner.parent, ignore_errors=True)
