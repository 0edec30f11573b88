"""The engine that runs trials on Ray Tune."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hpsearch.devices import device_for
from hpsearch.runners.gauges import Gauges
from hpsearch.runners.ray_cluster import Cluster, cluster
from hpsearch.runners.ray_runner import run_on_ray, slots
from hpsearch.runners.search import Search
from hpsearch.runners.work import Arrays, Work
from hpsearch.space.spec import Resources
from hpsearch.trial import FinishedTrial, Sink


class OnRay:
    """Long-lived workers, as many as fit at most ``limit``."""

    def __init__(self, joined: Cluster, resources: Resources, limit: int | None) -> None:
        self.dashboard = joined.dashboard
        self._scratch = joined.scratch
        self.device, self.gpus = device_for(resources.gpus, joined.gpus, "Ray's nodes")
        self.concurrent = slots(joined, resources.cpus, self.gpus, limit)

    def run(self, search: Search, work: Work, shared: Arrays) -> None:
        """Run ``search`` to its end."""
        run_on_ray(search, work, shared, self.concurrent, self._scratch)

    def sinks(self, work: Work, history: Sequence[FinishedTrial]) -> list[Sink]:
        """Return the gauges for Ray's dashboard."""
        return [Gauges(work.study, work.space.objective, history)]


@contextmanager
def ray_engine(resources: Resources, address: str | None, limit: int | None, gpus: int) -> Iterator[OnRay]:
    """Start a local Ray with ``gpus``, or join the one at ``address``, for the time of the context."""
    with cluster(address, gpus) as joined:
        yield OnRay(joined, resources, limit)
