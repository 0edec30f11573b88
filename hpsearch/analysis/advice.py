"""What to think of a setting before it is trained: what it amounts to, and what is off about it.

The limits are where theory says that a quantity stops acting, or where it was measured to; each stands below with its
source.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from hpsearch.analysis.run_figures import Figures, figures_of
from hpsearch.space.coordinates import Raw, Run

PUBLISHED = {"post 4": 0.21, "airbench94": 0.16, "hlb-CIFAR10": 0.12, "ResNet-18 for 200 epochs": 0.026}
"""tau, at the peak learning rate, of recipes for CIFAR-10 that are known to work."""

WEAK_TAU = 3.0
"""At a mean learning rate of half its peak the decay multiplies a weight by exp(-1 / (2 tau)) over the run: 0.85."""

STRONG_TAU, STRONG_EPOCHS = 0.05, 4.0
"""Of the published recipes only that of 200 epochs has a smaller tau, and its memory of 5 epochs sees all the data."""

FEW_STEPS, LINEAR_STEPS = 200, 400
"""Learning rate and batch size both x4, from 390 steps to 98, raised val_loss by 0.21; both x2, by 0.05 (no less than a
move across): 288 trainings of 5 epochs of 10,000 images of CIFAR-10."""

MOMENTUM_SHARE = 0.1
"""Of the run or of its warm-up: what the velocity remembers at the end of a warm-up is then older than it."""

THEORY = "equilibrium of weight decay, post 6 of the series; Kosson, Messmer and Jaggi, 2023"
MEASURED = "288 trainings of a ResNet-9 on 10,000 images of CIFAR-10"
RECIPES = "published recipes: tau " + ", ".join(f"{tau:g} ({name})" for name, tau in PUBLISHED.items())


@dataclass(frozen=True)
class Finding:
    """Something that is off: ``quantity`` is ``value``, which is ``limit`` ("above 3"); what follows; who says so."""

    quantity: str
    value: float
    limit: str
    meaning: str
    source: str


@dataclass(frozen=True)
class Advice:
    """The figures of a setting and what is off about it, which may be nothing."""

    figures: Figures
    findings: tuple[Finding, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain data for strict JSON; None stands for infinite."""
        shown = {name: value if _finite(value) else None for name, value in asdict(self.figures).items()}
        return {"figures": shown, "findings": [asdict(finding) for finding in self.findings]}


@dataclass(frozen=True)
class _Case:
    """What the rules look at."""

    raw: Raw
    figures: Figures
    warmup_steps: float | None


def advise(raw: Raw, run: Run, schedule_mean: float = 0.5, warmup_epochs: float | None = None) -> Advice:
    """Return what a setting amounts to in a run of known length, and what is off about it.

    ``schedule_mean`` is the mean learning rate as a share of its peak, above 0 and at most 1. Raises ValueError where
    the length of the run is not known.
    """
    figures = figures_of(raw, run, schedule_mean)
    warmup = None if warmup_epochs is None else warmup_epochs * figures.steps_per_epoch
    case = _Case(raw, figures, warmup)
    found = (rule(case) for rule in _RULES)
    return Advice(figures, tuple(finding for finding in found if finding is not None))


def _decay(case: _Case) -> Finding | None:
    tau, memory = case.figures.tau, case.figures.epochs(case.figures.memory)
    if case.raw.weight_decay == 0:
        meaning = "norms grow for ever, and the effective learning rate falls as one over the root of the steps"
        return Finding("weight decay", 0.0, "absent", meaning, THEORY)
    if tau > WEAK_TAU:
        meaning = "the decay is too weak to act within the run: what it is exactly will matter little"
        source = f"{THEORY}: weights shrink by a factor exp(-1 / tau_mean)"
        return Finding("tau", tau, f"above {WEAK_TAU:g}", meaning, source)
    if tau < STRONG_TAU and memory < STRONG_EPOCHS:
        limit = f"below {STRONG_TAU:g}, with a memory below {STRONG_EPOCHS:g} epochs"
        meaning = "the decay is too strong: the run forgets most of the data it has seen"
        return Finding("tau", tau, limit, meaning, RECIPES)
    return None


def _steps(case: _Case) -> Finding | None:
    steps = case.figures.steps
    if steps < FEW_STEPS:
        meaning = "too few steps: larger ones cannot make up for them; a smaller batch will"
        return Finding("steps", steps, f"below {FEW_STEPS}", meaning, f"{MEASURED}: +0.21 val_loss at 98 steps")
    if steps < LINEAR_STEPS:
        meaning = "holding lr / batch size no longer leaves the run as it is: tune lr anew for a larger batch"
        source = f"{MEASURED}: +0.05 val_loss where both are doubled"
        return Finding("steps", steps, f"below {LINEAR_STEPS}", meaning, source)
    return None


def _warmup(case: _Case) -> Finding | None:
    relaxation, warmup = case.figures.relaxation, case.warmup_steps
    if (
        warmup is None or warmup >= relaxation or case.figures.tau > WEAK_TAU
    ):  # a weak decay has no equilibrium to reach
        return None
    limit = f"shorter than the relaxation time of {relaxation:.3g}"
    meaning = "at the peak of the learning rate the norms are still on their way from where they started"
    return Finding("warm-up steps", warmup, limit, meaning, THEORY)


def _momentum(case: _Case) -> Finding | None:
    time, steps, warmup = case.figures.momentum, case.figures.steps, case.warmup_steps
    meaning = "the momentum averages over too much of it: its steps come late"
    source = "an average over 1 / (1 - momentum) steps"
    if warmup is not None and 0 < warmup < time:
        limit = f"longer than the warm-up of {warmup:.3g} steps"
        return Finding("memory of the momentum", time, limit, meaning, source)
    if time > MOMENTUM_SHARE * steps:
        limit = f"above {MOMENTUM_SHARE:.0%} of the steps"
        return Finding("memory of the momentum", time, limit, meaning, source)
    return None


_RULES: tuple[Callable[[_Case], Finding | None], ...] = (_decay, _steps, _warmup, _momentum)


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
