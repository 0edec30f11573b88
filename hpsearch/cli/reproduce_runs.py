"""The runs of ``hpsearch reproduce``: those that are stored, and the others one after the other into their rows."""

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from hpsearch.analysis.reproduction import latest, summarise
from hpsearch.cli import console
from hpsearch.cli.reproduce_jobs import Job
from hpsearch.cli.reproduce_report import Report
from hpsearch.cli.train import epoch_line
from hpsearch.contract import Report as EpochReport
from hpsearch.store import recipe_runs
from hpsearch.store.provenance import git_state, hardware
from hpsearch.store.recipe_runs import RecipeRun
from trainer.data import Dataset, Source
from trainer.precision import describe_device, find_device
from trainer.reproduce import Outcome, ceiling, reproduce

Say = Callable[[str], None]

_AS_MEASURED = (
    "accuracy",
    "test_loss",
    "seconds",
    "cpu_seconds",
    "eval_seconds",
    "images",
    "images_per_second",
    "petaflop",
    "flops_per_second",
    "precision",
    "note",
)


@dataclass
class Bench:
    """Where runs take place. ``say`` prints a line of progress; every data set is read once."""

    device: torch.device
    threads: int
    provenance: dict[str, Any]
    say: Say
    datasets: dict[str, Dataset] = field(default_factory=dict)

    @classmethod
    def of(cls, device: str, threads: int | None, say: Say) -> "Bench":
        """Return the bench for these options. Raises DeviceError."""
        place = find_device(device)
        if threads is not None:
            torch.set_num_threads(threads)
        return cls(place, torch.get_num_threads(), _provenance(), say)

    def run(self, job: Job, seeds: Sequence[int], again: bool) -> None:
        """Do the runs of ``job`` that are not stored yet, or all of them ``again``, and store each when it ends."""
        stored = [] if again else [run.seed for run in self.stored(job, seeds)]
        if stored:
            self.say(f"{job.title}: seeds {', '.join(map(str, stored))} are stored already (--again repeats them)")
        due = [seed for seed in seeds if seed not in stored]
        if not due:
            return
        dataset = self._load(job.source)
        peak = ceiling(job.recipe, self.device)
        for number, seed in enumerate(due, start=1):
            self.say(f"{job.title}: run {number} of {len(due)}, seed {seed}, on {describe_device(self.device)}")
            run = self._run(job, dataset, seed, peak, left=len(due) - number)
            recipe_runs.append(job.folder, run)
            self.say(f"{job.title}: {result_line(run)}")

    def stored(self, job: Job, seeds: Sequence[int]) -> list[RecipeRun]:
        """Return the runs of ``job`` in this place that are stored, the last one of each of these seeds."""
        place = (describe_device(self.device), self.provenance["cpu"], self.threads)
        found = [
            run
            for run in recipe_runs.read(job.folder)
            if run.seed in seeds and (run.recipe, run.data, run.place) == (job.values, job.data, place)
        ]
        return sorted(latest(found), key=lambda run: run.seed)

    def report(self, job: Job, seeds: Sequence[int]) -> Report:
        """Return what the stored runs of ``job`` come to, and write it beside them."""
        report = Report.of(summarise(self.stored(job, seeds), job.target), job.published, job.alone)
        recipe_runs.write_summary(job.folder, report.to_json())
        return report

    def _load(self, source: Source) -> Dataset:
        if source.name not in self.datasets:
            console.waiting(f"reading {source.where}")
            self.datasets[source.name] = source.load()
        return self.datasets[source.name]

    def _run(self, job: Job, dataset: Dataset, seed: int, peak: float, left: int) -> RecipeRun:
        """Train and test once; ``left`` runs of the job come after this one."""
        epochs = job.recipe.epochs

        def watch(report: EpochReport) -> None:
            self.say(f"  {epoch_line(dict(report), epochs)}")
            if report["epoch"] == 1 and epochs > 1:
                self.say(f"  {estimate_line(report['seconds'] * epochs, left)}")

        identity = self._identity(job, seed)
        return RecipeRun(**identity, **measured(reproduce(job.recipe, dataset, seed, self.device, watch), job, peak))

    def _identity(self, job: Job, seed: int) -> dict[str, Any]:
        """Return the columns that are known before a run."""
        return {
            "name": job.name,
            "recipe": job.values,
            "data": job.data,
            "seed": seed,
            "device": describe_device(self.device),
            "threads": self.threads,
            "width": job.recipe.model.width,
            "full_width": job.full.model.width,
            "epochs": job.recipe.epochs,
            "full_epochs": job.full.epochs,
            "target": job.target,
            "started_at": datetime.now(UTC),
            **self.provenance,
        }


def measured(outcome: Outcome, job: Job, peak: float) -> dict[str, Any]:
    """Return the columns that are known after a run."""
    return {
        **{name: getattr(outcome, name) for name in _AS_MEASURED},
        "diverged": outcome.accuracy is None,
        "trained_epochs": outcome.epochs,
        "peak_flops_per_second": peak,
        "share_of_peak": outcome.flops_per_second / peak,
        "reached": None if job.target is None else (outcome.accuracy or 0.0) >= job.target,
    }


def estimate_line(seconds: float, left: int) -> str:
    """Say how long a run takes, and it and those after it."""
    rest = f", with the {left} after it {console.duration(seconds * (left + 1))}" if left else ""
    return f"this run takes about {console.duration(seconds)}{rest}"


def result_line(run: RecipeRun) -> str:
    """Return one line for a run that ended."""
    result = "diverged" if run.accuracy is None else f"test accuracy {run.accuracy:.4f}"
    time = f"{console.duration(run.seconds)} ({console.duration(run.cpu_seconds)} of CPU time)"
    of = summarise([run])
    speed = f"{of.images_per_second:,.0f} images/s, {of.petaflop:.3g} PFLOP, {of.share_of_peak:.0%} of the peak"
    return f"seed {run.seed}: {result} after {time}, {speed}"


def _provenance() -> dict[str, Any]:
    machine, state = hardware(), git_state(Path.cwd())
    return {
        "cpu": machine["cpu"],
        "cores": machine["cores"],
        "torch": torch.__version__,
        "python": platform.python_version(),
        "commit": state and state["commit"] + ("+" if state["dirty"] else ""),
    }
