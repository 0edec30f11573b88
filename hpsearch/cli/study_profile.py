"""``hpsearch study profile``: where the time of a recipe's training step goes (post 3)."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hpsearch.cli import options
from hpsearch.cli.options import RESULTS
from hpsearch.cli.train import Device

if TYPE_CHECKING:
    from hpsearch.cli.study_session import Part
    from hpsearch.cli.study_subject import Subject
    from hpsearch.store.diagnostics import Diagnostics, Row, Rows
    from trainer.diagnostics.step import Step
    from trainer.loop import Run

WARM_UP = 3
BLOCK_SECONDS = 0.7
"""Steps of one kind are timed for about so long in a round."""
LEAST_STEPS, MOST_STEPS = 3, 50
MOST_PROFILED = 10


def profile(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="Recipe, by name or file.", show_default=False)],
    data: options.Data = None,
    width: options.Width = None,
    epochs: options.Epochs = None,
    set_: options.Set = None,
    runs: Annotated[int, typer.Option("--runs", min=1, help="Rounds of measuring in all, with those stored.")] = 5,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of weights and augmentation.")] = 0,
    device: Annotated[Device, typer.Option("--device", help="Where to train.")] = "auto",
    threads: options.Threads = None,
    name: options.StudyName = None,
    results: options.Results = RESULTS,
) -> None:
    """Find where the time of a training step goes, and how far each part of it is from what the device can do.

    The step is taken as training takes it, on real batches: watched by a profiler, and with one part left out after the
    other, in turns. Its arithmetic and its memory traffic are counted, and held against the highest speeds of the
    device, measured in the same process.
    """
    import torch

    from hpsearch.cli.study_session import carry_out
    from hpsearch.cli.study_subject import Subject
    from hpsearch.store.diagnostics import opened
    from hpsearch.store.profile_tables import KIND, TABLES

    subject = Subject.of(recipe, data, width, epochs, set_, seed, 1, device, threads)
    about = {**subject.about, "seed": seed, "threads": torch.get_num_threads()}
    with opened(results, name or f"{KIND}-{subject.name}", KIND, TABLES, about) as study:
        carry_out(study, Bench(subject).parts(runs))
        _conclude(study)


@dataclass(frozen=True)
class Bench:
    """The step of a subject, made when a part of the work first needs it."""

    subject: "Subject"

    @cached_property
    def made(self) -> "tuple[Step, Run]":
        """The step, warmed up, and the run that it changes."""
        from trainer.diagnostics.recipe_step import of_recipe

        of = self.subject
        step, run = of_recipe(of.recipe, of.seeds[0], of.device, of.images["train"], of.classes)
        for number in range(WARM_UP):
            step.take(number)
        return step, run

    @cached_property
    def steps(self) -> int:
        """How many steps are timed at a stretch: whole periods."""
        from trainer.diagnostics.step import seconds

        step, _ = self.made
        wanted = min(max(LEAST_STEPS, round(BLOCK_SECONDS / seconds(step, 2))), MOST_STEPS)
        return _whole_periods(wanted, step.period)

    def parts(self, rounds: int) -> "list[Part]":
        """Return the work."""
        from hpsearch.cli.study_session import Part

        kinds: list[tuple[str, str, Callable[[], Rows]]] = [
            ("counts", "counting the arithmetic and the memory traffic of a step", self.count),
            ("ceilings", "measuring the highest speeds of the device", self.ceilings),
        ]
        kinds += [
            (f"round-{number:02}", f"round {number} of {rounds}: the step, profiled, without each part", turn)
            for number in range(1, rounds + 1)
            for turn in [partial(self.round, number)]
        ]
        return [Part(*kind) for kind in kinds]

    def count(self) -> "Rows":
        """Return the rows of the tables ``step`` and ``operators``."""
        from trainer.diagnostics.step_traffic import count

        step, run = self.made
        operators = [asdict(one) for one in count(step)]
        return {"step": [self._facts(step, run)], "operators": [_renamed(one) for one in operators]}

    def ceilings(self) -> "Rows":
        """Return the row of the table ``ceilings``."""
        from trainer.peak import bandwidth, measure

        _, run = self.made
        peak = measure(run.device, run.precision)
        return {"ceilings": [{**asdict(peak), "bandwidth": bandwidth(run.device)}]}

    def round(self, number: int) -> "Rows":
        """Return the rows of a round of measuring in the tables ``timings``, ``profile`` and ``profiled``."""
        from trainer.diagnostics.step import seconds
        from trainer.diagnostics.step_ablation import REMOVABLE
        from trainer.diagnostics.step_profile import profile

        step, _ = self.made
        steps = min(self.steps, _whole_periods(MOST_PROFILED, step.period))
        plain, watched = seconds(step, self.steps), profile(step, steps)
        here = {"round": number}
        return {
            "profile": [{**here, "part": part, "seconds": taken} for part, taken in watched.parts.items()],
            "profiled": [{**here, "steps": steps, "plain": plain, "seconds": watched.seconds}],
            "timings": [{**here, "part": part, "steps": self.steps, **self._saved(part)} for part in REMOVABLE],
        }

    def _saved(self, part: str) -> "Row":
        """Time the whole step and then one without the part, next to each other: the speed of a machine drifts."""
        from trainer.diagnostics.step import seconds
        from trainer.diagnostics.step_ablation import compared, undone, without

        step, _ = self.made
        whole = seconds(compared(step, part), self.steps)
        with undone(step.network):
            return {"whole": whole, "without": seconds(without(step, part), self.steps)}

    def _facts(self, step: "Step", run: "Run") -> "Row":
        from trainer.diagnostics.step import clock_name

        return {
            "batch_size": run.recipe.batch_size,
            "epoch_steps": step.epoch_steps,
            "parameters": sum(one.numel() for one in run.network.parameters()),
            "precision": run.precision,
            "note": run.note or "",
            "clock": clock_name(step.device),
        }


def _whole_periods(steps: int, period: int) -> int:
    return -(-steps // period) * period


def _renamed(operator: dict[str, Any]) -> "Row":
    return {"operator" if key == "name" else key: value for key, value in operator.items()}


def _conclude(study: "Diagnostics") -> None:
    from hpsearch.analysis.step_profile import step_profile
    from hpsearch.cli.study_session import conclude
    from hpsearch.report import profile_plot, roofline_plot
    from hpsearch.report.profile_text import finding, summary

    found = step_profile(study)
    pictures = {
        "parts": profile_plot.draw(profile_plot.bars(found)),
        "roofline": roofline_plot.draw(roofline_plot.points(found)),
    }
    conclude(study, summary(found), finding(study, found), pictures)
