"""Two ways to run a search behind one face: in this process, or on Ray."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from hpsearch.devices import device_for, usable_gpus
from hpsearch.runners.inline_runner import run_inline
from hpsearch.runners.search import Search
from hpsearch.runners.work import Arrays, Work
from hpsearch.space.spec import Resources
from hpsearch.trial import FinishedTrial, Sink


class Engine(Protocol):
    """What runs trials: ``concurrent`` at a time, each on ``device`` with ``gpus``; ``dashboard`` is a URL."""

    device: str
    gpus: float
    concurrent: int
    dashboard: str | None

    def run(self, search: Search, work: Work, shared: Arrays) -> None:
        """Run ``search`` to its end."""

    def sinks(self, work: Work, history: Sequence[FinishedTrial]) -> list[Sink]:
        """Return what this way of running wants to be told of the search."""


class Inline:
    """One process, one trial at a time."""

    concurrent = 1
    dashboard: str | None = None

    def __init__(self, resources: Resources) -> None:
        self.device, self.gpus = device_for(resources.gpus, gpus_here(resources), "this machine")

    def run(self, search: Search, work: Work, shared: Arrays) -> None:
        """Run ``search`` to its end."""
        run_inline(search, work, shared)

    def sinks(self, work: Work, history: Sequence[FinishedTrial]) -> list[Sink]:
        """Return nothing: nobody watches from outside."""
        return []


@contextmanager
def inline(resources: Resources) -> Iterator[Engine]:
    """Run trials in this process. Raises DeviceError where the device asked for is missing or cannot be used."""
    yield Inline(resources)


@contextmanager
def on_ray(resources: Resources, address: str | None, max_concurrent: int | None) -> Iterator[Engine]:
    """Run trials on a local Ray of our own, or on the cluster at ``address``.

    Raises DeviceError as above (for this machine's GPUs: those of other nodes cannot be asked from here), and
    StudyError where the cluster cannot be joined or no trial fits in it.
    """
    gpus = gpus_here(resources)
    from hpsearch.runners.ray_engine import ray_engine  # only who runs on Ray waits for its import

    with ray_engine(resources, address, max_concurrent, gpus) as engine:
        yield engine


def gpus_here(resources: Resources) -> int:
    """Return the GPUs of this machine that the trials may use; a search on the CPU does not look for any."""
    return 0 if resources.gpus == 0 else usable_gpus()
