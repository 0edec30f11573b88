"""Starting or joining Ray: a cluster only when asked for, else one of our own that leaves nothing behind."""

import logging
import os
import shutil
import socket
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from hpsearch.errors import Problem, StudyError

PREFIX = "hp-"
"""Ray's socket paths bound the length of its temporary folder to 43 characters: a short name under the system's."""


REACH_SECONDS = 10


@dataclass(frozen=True)
class Cluster:
    """What a search may use: totals over all nodes, and the dashboard's address (None where there is none)."""

    cpus: int
    gpus: float
    dashboard: str | None


@contextmanager
def cluster(address: str | None, dashboard: bool = True) -> Iterator[Cluster]:
    """Start a local Ray (``address`` None), or join the cluster at ``address``; leave it, or end it, afterwards.

    The default never follows a cluster that happens to run on the machine. Raises StudyError when the cluster at
    ``address`` cannot be reached.
    """
    _quiet()
    folder = None if address else _temporary_folder()
    try:
        context = _join(address) if address else _start(folder, dashboard)
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        url = context.dashboard_url
        yield Cluster(int(resources.get("CPU", 0)), resources.get("GPU", 0), f"http://{url}" if url else None)
    finally:
        ray.shutdown()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path | None, dashboard: bool) -> Any:
    return ray.init(
        address="local",
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


def _temporary_folder() -> Path:
    """Make a folder directly under the system's, named after this process; clear those of processes that are gone."""
    root = Path(tempfile.gettempdir())
    for stale in root.glob(f"{PREFIX}*-*"):
        owner = stale.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdigit() and not _alive(int(owner)):
            shutil.rmtree(stale, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=root))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
