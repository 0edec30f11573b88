"""``hpsearch advise``: what a setting amounts to and what is off about it, before anything is spent."""

import math
from typing import Annotated

import typer

from hpsearch.analysis.advice import PUBLISHED, Advice, Finding
from hpsearch.analysis.advice import advise as advice_on
from hpsearch.analysis.run_figures import Figures
from hpsearch.analysis.space_advice import advise_space
from hpsearch.cli import console, options
from hpsearch.errors import Problem, RecipeError
from hpsearch.space.coordinates import Optimizer, Raw, Run
from hpsearch.space.spec import Space


def advise(
    lr: Annotated[float, typer.Option("--lr", help="Peak learning rate, of the mean loss.", show_default=False)],
    weight_decay: Annotated[float, typer.Option("--weight-decay", help="Weight decay.", show_default=False)],
    batch_size: Annotated[int, typer.Option("--batch-size", help="Batch size.", show_default=False)],
    epochs: Annotated[float, typer.Option("--epochs", help="Length of the run.", show_default=False)],
    images: Annotated[int, typer.Option("--images", help="Training images of an epoch.", show_default=False)],
    momentum: Annotated[float, typer.Option("--momentum", help="Momentum; beta1 of AdamW.")] = 0.9,
    optimizer: Annotated[Optimizer, typer.Option("--optimizer", help="Update rule.")] = "sgd_nesterov",
    warmup_epochs: Annotated[
        float | None, typer.Option("--warmup-epochs", help="Epochs until the learning rate is at its peak.")
    ] = None,
    schedule_mean: Annotated[
        float, typer.Option("--schedule-mean", help="Mean learning rate as a share of its peak.")
    ] = 0.5,
    json: options.Json = False,
) -> None:
    """Say what a setting amounts to in a run, and what is off about it: time scales of decay and momentum, steps."""
    _check_above_zero({"--lr": lr, "--batch-size": batch_size, "--epochs": epochs, "--images": images})
    check_option("--weight-decay", weight_decay, 0 <= weight_decay < math.inf, "0 or above")
    check_option("--momentum", momentum, 0 <= momentum < 1, "0 or above, below 1")
    check_option("--batch-size", batch_size, batch_size <= images, f"at most the {images} images")
    check_option("--schedule-mean", schedule_mean, 0 < schedule_mean <= 1, "above 0, at most 1")
    if warmup_epochs is not None:
        holds = 0 <= warmup_epochs <= epochs
        check_option("--warmup-epochs", warmup_epochs, holds, f"0 to the {epochs:g} epochs of the run")
    raw, run = Raw(lr, weight_decay, batch_size, momentum), Run(optimizer, images, epochs)
    advice = advice_on(raw, run, schedule_mean, warmup_epochs)
    if json:
        console.data(advice.to_json())
    else:
        _print(advice)


def sentence(finding: Finding) -> str:
    """Return a finding with its number, its limit and its source."""
    return f"{finding.quantity} {console.number(finding.value)}, {finding.limit}: {finding.meaning} ({finding.source})"


def facts(figures: Figures) -> dict[str, str]:
    """Return the figures of a run as text, by what they are called."""
    noise = {} if figures.noise is None else {"noise scale": console.number(figures.noise)}
    return {
        "steps": f"{figures.steps:.0f}, {console.number(figures.steps_per_epoch)} an epoch",
        "rate": f"{console.number(figures.rate)} (movement of the weights per example)",
        "tau": f"{_number(figures.tau)} of the run at the peak learning rate, {_number(figures.tau_mean)} at its mean",
        "rotation": f"{console.number(figures.rotation)} rad per step in equilibrium",
        "relaxation": f"{_span(figures, figures.relaxation)} until norms are e times nearer to equilibrium",
        "memory": f"{_span(figures, figures.memory)} until a gradient is forgotten",
        "momentum": f"averages over {console.number(figures.momentum)} steps",
        **noise,
    }


def print_space_advice(space: Space) -> None:
    """Print what is worth knowing of a space before it is searched; nothing where its hyperparameters are not known."""
    advice = advise_space(space)
    if advice is None:
        return
    console.out.print()
    if advice.start is not None:
        figures = advice.start.figures
        steps, tau = f"{figures.steps:.0f} steps", f"tau {_number(figures.tau)}"
        console.facts({"the first setting": f"{steps}, {tau}, memory {_span(figures, figures.memory)}"})
        for finding in advice.start.findings:
            console.note(sentence(finding))
    for finding, share in advice.shares:
        console.note(f"{finding.quantity} is {finding.limit} in {share:.0%} of the space: {finding.meaning}")


def _print(advice: Advice) -> None:
    published = ", ".join(f"{name} {tau:g}" for name, tau in PUBLISHED.items())
    console.facts({**facts(advice.figures), "published tau": published})
    console.out.print()
    for finding in advice.findings:
        console.say(sentence(finding))
    if not advice.findings:
        console.say("nothing is off")


def _span(figures: Figures, steps: float) -> str:
    return f"{_number(steps)} steps ({_number(figures.epochs(steps))} epochs)"


def _number(value: float) -> str:
    return console.number(value) if math.isfinite(value) else "infinite"


def _check_above_zero(values: dict[str, float]) -> None:
    for option, value in values.items():
        check_option(option, value, 0 < value < math.inf, "above 0")


def check_option(
    option: str, value: float, holds: bool, allowed: str, what: str = "there is no run with this value"
) -> None:
    """Raise RecipeError for the value of an option for which something does not hold."""
    if not holds:
        raise RecipeError(Problem(what, key=option, got=f"{value:g}", allowed=allowed))
