"""Ray Tune underneath a search: long-lived workers, the data once per node, one Tune trial per trial."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ray import tune
from ray.tune import CheckpointConfig, PlacementGroupFactory, ProgressReporter

from hpsearch.errors import Problem, StudyError
from hpsearch.runners.ray_cluster import Cluster
from hpsearch.runners.ray_searcher import AskSearch, Bridge, StopAll, TellSearch
from hpsearch.runners.ray_trainable import TrialActor
from hpsearch.runners.search import Search
from hpsearch.runners.work import Arrays, Work


class _Silent(ProgressReporter):
    """Tune's own table, switched off."""

    def should_report(self, trials: list[Any], done: bool = False) -> bool:
        """Never."""
        return False

    def report(self, trials: list[Any], done: bool, *sys_info: Any) -> None:
        """Nothing."""


def slots(cluster: Cluster, cpus: int, gpus: float, limit: int | None = None) -> int:
    """Return how many trials of ``cpus`` and ``gpus`` run side by side: what fits, at most ``limit``.

    Raises StudyError when not even one fits on a node.
    """
    fits = cluster.slots(cpus, gpus)
    if fits < 1:
        message = "a trial asks for more than any node has"
        have = "; ".join(f"{node_cpus} CPUs, {node_gpus:g} GPUs" for node_cpus, node_gpus in cluster.nodes)
        raise StudyError(Problem(message, key="resources", got=f"{cpus} CPUs, {gpus:g} GPUs", allowed=have))
    return min(fits, limit or fits)


def run_on_ray(search: Search, work: Work, shared: Arrays, concurrent: int, scratch: Path | None = None) -> None:
    """Run ``search`` to its end on the Ray that is running, ``concurrent`` trials side by side.

    Tune's own files go into ``scratch`` and are thrown away.

    A KeyboardInterrupt, or what a sink raises, leaves the trials under way unfinished.
    """
    bridge = Bridge(search)
    with TemporaryDirectory(prefix="tune-", dir=scratch) as folder:
        tune.run(
            _trainable(work, shared),
            name=work.study,
            search_alg=AskSearch(bridge),
            scheduler=TellSearch(bridge),
            stop=StopAll(bridge),
            num_samples=-1,
            max_concurrent_trials=concurrent,
            resources_per_trial=PlacementGroupFactory([{"CPU": work.threads, "GPU": work.gpus}]),
            reuse_actors=True,
            storage_path=str(Path(folder)),
            checkpoint_config=CheckpointConfig(checkpoint_at_end=False),
            progress_reporter=_Silent(),
            verbose=0,
            raise_on_failed_trial=False,
        )
    if bridge.exception is not None:
        raise bridge.exception


def _trainable(work: Work, shared: Arrays) -> type[tune.Trainable]:
    """Bind the data to the actor's class: Tune puts them in the object store, where a node's workers share them."""
    bound: type[tune.Trainable] = tune.with_parameters(TrialActor, work=work, shared=shared)
    bound.__qualname__ = bound.__name__ = TrialActor.__name__  # the class's name in the dashboard
    return bound
