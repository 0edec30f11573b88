"""What repeated runs of a recipe amount to: mean and spread, how many reach the target, time and arithmetic."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, median
from typing import Any

from hpsearch.analysis.means import Interval, Moments, moments, standard_error, wilson
from hpsearch.store.recipe_runs import RecipeRun


@dataclass(frozen=True)
class Summary:
    """The figures of runs of one recipe at one scale on the same images and device.

    Accuracies are on the test set; ``accuracy``, ``error`` and ``median`` are None where all runs diverged. ``reached``
    counts runs at the target, diverged ones among those that are not, with the interval of their share;
    ``seconds_to_target`` is the mean over those that are (the schedule is made to end at it). All are None without a
    target.

    ``seconds`` are wall time, the rule of DAWNBench; ``busy_seconds`` are the same on a GPU, and on a CPU the processor
    time of each thread, which other work on the machine hardly changes. Speeds are relative to the latter. Times and
    speeds are means over all runs, those of the runs that did not diverge where there are any.
    """

    name: str
    scale: str
    data: str
    device: str
    threads: int
    precision: str
    n: int
    diverged: int
    accuracy: Moments | None
    error: float | None
    median: float | None
    target: float | None
    reached: int | None
    share: Interval | None
    seconds_to_target: float | None
    seconds: Moments
    cpu_seconds: Moments
    busy_seconds: Moments
    images_per_second: float
    petaflop: float
    share_of_peak: float

    def to_json(self) -> dict[str, Any]:
        """Return plain data for strict JSON."""
        return asdict(self)


def latest(runs: Iterable[RecipeRun]) -> list[RecipeRun]:
    """Keep the last of the runs that repeat each other: the same seed twice is no independent evidence."""
    return list({run.key: run for run in runs}.values())


def groups(runs: Iterable[RecipeRun]) -> list[list[RecipeRun]]:
    """Divide runs into those that may be summarised together: same recipe values, images, place and number format."""
    found: dict[tuple[object, ...], list[RecipeRun]] = {}
    for run in latest(runs):
        alike = (run.recipe, run.data, run.place, run.precision)
        found.setdefault(alike, []).append(run)
    return list(found.values())


def summarise(runs: Sequence[RecipeRun], target: float | None = None) -> Summary:
    """Return the figures of ``runs``, one or more of one group, and how they lie to the accuracy ``target``."""
    first = runs[0]
    ended = [run for run in runs if not run.diverged]
    timed = ended or runs
    accuracies = [run.accuracy for run in ended if run.accuracy is not None]
    at_target = [run for run in ended if target is not None and (run.accuracy or 0.0) >= target]
    accuracy = moments(accuracies) if accuracies else None
    return Summary(
        name=first.name,
        scale=first.scale,
        data=first.data,
        device=first.device,
        threads=first.threads,
        precision=first.precision,
        n=len(runs),
        diverged=len(runs) - len(ended),
        accuracy=accuracy,
        error=standard_error(accuracy) if accuracy else None,
        median=median(accuracies) if accuracies else None,
        target=target,
        reached=None if target is None else len(at_target),
        share=None if target is None else wilson(len(at_target), len(runs)),
        seconds_to_target=fmean(run.seconds for run in at_target) if at_target else None,
        seconds=moments([run.seconds for run in timed]),
        cpu_seconds=moments([run.cpu_seconds for run in timed]),
        busy_seconds=moments([run.busy_seconds for run in timed]),
        images_per_second=fmean(run.images_trained / run.busy_seconds for run in timed),
        petaflop=fmean(run.petaflop for run in timed),
        share_of_peak=fmean(run.petaflop * 1e15 / run.busy_seconds / run.peak_flops_per_second for run in timed),
    )
