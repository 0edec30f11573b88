"""The effects of a factorial study: their table for a person, and their rows in its folder."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hpsearch.analysis.effects import Effect, Effects, effects
from hpsearch.cli import console
from hpsearch.cli.best import BUILT_IN
from hpsearch.contract import TECHNIQUE
from hpsearch.errors import InputError
from hpsearch.space.factorial import described
from hpsearch.store.effects import write_effects
from hpsearch.store.reader import Study, open_study

AVERAGE = (
    "an effect is one number: mean with minus mean without, over all settings of the others; "
    "what does nothing while another is off shows less than it does beside it"
)
LOST = "to keep a training from failing is no effect here"
CHANCE = "at 95%, one in 20 parameters without effect is shown all the same; +- is half the interval"


def is_factorial(study: Study) -> bool:
    """Tell whether the trials of ``study`` follow a factorial design."""
    return study.space.sampler.name == "factorial"


def effects_of(study: Study) -> tuple[Effects, str]:
    """Return the effects with their unit: points for the accuracies of the built-in trainer. Raises StudyError."""
    metric = study.space.objective.metric
    if study.space.train.function == BUILT_IN and metric.endswith("accuracy"):
        return effects(study, scale=100), f"points of {metric}"
    return effects(study), metric


def keep_effects(folder: Path) -> None:
    """Write the effects into the ``folder`` of a factorial study, if its trials are enough for them."""
    study = open_study(folder.parent, folder.name)
    if not is_factorial(study):
        return
    try:
        found, unit = effects_of(study)
    except InputError:
        return  # print_effects says why
    about = _abouts(study)
    rows = [
        {**asdict(one), "name": short(one.name), "about": about.get(one.name, ""), "resolution": found.resolution}
        for one in found.effects
    ]
    write_effects(folder, rows, unit)


def effects_json(study: Study) -> dict[str, Any] | None:
    """Return the effects as plain data with their unit; None where there are none."""
    if not is_factorial(study):
        return None
    try:
        found, unit = effects_of(study)
    except InputError:
        return None
    return {**found.to_json(), "unit": unit}


def print_effects(study: Study) -> None:
    """Print the effects of a factorial study, or what they lack."""
    console.out.print()
    try:
        found, unit = effects_of(study)
    except InputError as error:
        console.note(f"no effects yet: {error}")
        return
    table = console.table("", "effect", "", "95% interval", "p", "with", "without", title=f"effects in {unit}")
    for one in found.effects:
        table.add_row(*_row(one, found))
    console.out.print(table)
    console.out.print()
    console.facts(_facts(found, described(study.space)))
    console.note(AVERAGE)
    console.note(CHANCE)
    for outer, inner in _insides(study).items():
        console.note(f"{outer} is switched with its {inner}")


def short(name: str) -> str:
    """Return the name of a technique, or of another parameter."""
    return name.removeprefix(TECHNIQUE)


def _row(one: Effect, found: Effects) -> list[str]:
    digits = _decimals(one.standard_error)
    return [
        short(one.name),
        f"{one.effect:+.{digits}f} +- {(one.high - one.low) / 2:.{digits}f}",
        one.verdict(found.mode),
        f"{one.low:+.{digits}f} to {one.high:+.{digits}f}",
        f"{one.p_value:.2g}",
        str(one.n_with),
        str(one.n_without),
    ]


def _decimals(error: float) -> int:
    """Return how many decimals a number with this standard error deserves: two digits of the error."""
    return max(0, 1 - math.floor(math.log10(error))) if error > 0 else 4


def _facts(found: Effects, design: str) -> dict[str, str]:
    rows = {"design": design, "trials": console.counted(found.n, "trial") + " with a result"}
    if found.left_out:
        lost = ", ".join(f"{count} {status}" for status, count in found.left_out.items())
        rows["left out"] = f"{lost}, see the columns with and without: {LOST}"
    freedom = f"{found.freedom} degrees of freedom, interactions among them"
    noise = f"a run lies {console.number(found.residual_std)} from the fit"
    errors = f"{found.tails:.1f} standard errors"
    return {
        **rows,
        "mean": f"{console.number(found.mean)}, {noise} ({freedom})",
        "power": f"effects of about {console.number(found.shows)} ({errors}) or more are shown in 4 of 5 such studies",
    }


def _abouts(study: Study) -> dict[str, str]:
    """Return what the techniques are, by the names of their parameters, where the built-in trainer runs the study."""
    if study.space.train.function != BUILT_IN:
        return {}
    from trainer.techniques import TECHNIQUES

    insides = _insides(study)
    return {
        TECHNIQUE + one.name: f"{one.about}, with its {insides[one.name]}" if one.name in insides else one.about
        for one in TECHNIQUES
    }


def _insides(study: Study) -> dict[str, str]:
    """Return which techniques are switched with which inside them, where the built-in trainer runs the study."""
    if study.space.train.function != BUILT_IN:
        return {}
    from trainer import recipe
    from trainer.techniques import nested

    try:
        chosen = recipe.load(study.space.train.settings.get("recipe", {}))
    except InputError:
        return {}  # of another version
    named = {short(name) for name in study.space.parameters}
    return {one.inside: one.name for one in nested(chosen) if one.inside in named and one.name not in named}
