"""Files from the network: fetched once into a folder, under their name only when their digest is right."""

import hashlib
import http.client
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hpsearch.errors import DataError, Problem

Progress = Callable[[int, int], None]
"""Called with the bytes received so far and the bytes in all."""

_BLOCK = 1 << 20
_TIMEOUT_SECONDS = 60  # without any byte arriving
_BY_HAND = "try again, or fetch the file by other means and name it with --data PATH or HPSEARCH_DATA"


@dataclass(frozen=True)
class Remote:
    """A file on a server: its address, the SHA-256 of its content as hexadecimal digits, and its size in bytes."""

    url: str
    sha256: str
    size: int

    @property
    def file_name(self) -> str:
        """The last part of the address."""
        return self.url.rpartition("/")[2]


class PrintedProgress:
    """Writes the share received to stderr: one line that updates in a terminal, a line for every tenth elsewhere."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._percent = -1

    def __call__(self, done: int, total: int) -> None:
        """Write a line if the share has grown enough since the last one."""
        live = sys.stderr.isatty()
        step = 1 if live else 10
        percent = min(100, 100 * done // total) // step * step
        if percent > self._percent:
            self._percent = percent
            end = "\r" if live and percent < 100 else "\n"
            sys.stderr.write(f"{self._name}: {percent}% of {total / 1e6:.0f} MB{end}")
            sys.stderr.flush()


def fetch(remote: Remote, folder: Path, progress: Progress | None = None) -> Path:
    """Download ``remote`` into ``folder`` (made if absent) and return the file; ``progress`` None prints to stderr.

    It arrives under a temporary name that starts with a dot and is removed unless the digest is right. Raises DataError
    when the server, the network, the folder or the digest fails.
    """
    target = folder / remote.file_name
    partial = folder / f".{remote.file_name}.{uuid.uuid4().hex}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            _receive(remote, partial, progress or PrintedProgress(remote.file_name))
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    except (OSError, http.client.HTTPException) as cause:
        if isinstance(cause, urllib.error.HTTPError):
            cause.close()  # it holds the connection
        raise DataError(Problem(f"cannot download {remote.url} into {folder}", got=str(cause), hint=_BY_HAND)) from None
    return target


def _receive(remote: Remote, file: Path, progress: Progress) -> None:
    """Write the answer of the server to ``file``; one that is too long is cut off, and its digest is then wrong."""
    done, digest = 0, hashlib.sha256()
    with urllib.request.urlopen(remote.url, timeout=_TIMEOUT_SECONDS) as answer, file.open("xb") as sink:
        while done <= remote.size and (block := answer.read(_BLOCK)):
            sink.write(block)
            digest.update(block)
            done += len(block)
            progress(done, remote.size)
    if digest.hexdigest() != remote.sha256:
        raise DataError(
            Problem(
                f"the download of {remote.url} is incomplete or damaged: its SHA-256 is wrong",
                got=f"{digest.hexdigest()} ({done:,} bytes)",
                allowed=f"{remote.sha256} ({remote.size:,} bytes)",
                hint=_BY_HAND,
            )
        )
