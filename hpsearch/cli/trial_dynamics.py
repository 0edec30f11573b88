"""The dynamics of one trial in words and tables: norms beside their balance, rotations beside the predicted ones."""

import math
from collections import Counter
from collections.abc import Sequence
from statistics import median

from hpsearch.analysis.layer_dynamics import Layer, TrialDynamics
from hpsearch.analysis.layer_norms import WITHIN
from hpsearch.cli import console
from hpsearch.space.axes import Floats
from hpsearch.trial import FinishedTrial

NONE = "-"
HOLDS = (0.9, 1.1)
"""Measured over predicted rotation, the median over the tensors: theory holds."""


def print_trial(found: TrialDynamics, trial: FinishedTrial) -> None:
    """Print what theory says of each scale-invariant tensor of a trial, and which tensors it says nothing of."""
    console.out.print()
    ended = "" if trial.final is None else f", {trial.final:.4g} at the end"
    console.say(f"trial {found.trial_id} ({trial.status}{ended}): {console.settings(trial.config)}")
    if found.diverged_at_step is not None:
        console.say(f"a norm is not finite at step {found.diverged_at_step}: what follows is about the steps before it")
    if found.layers:
        _print_norms(found)
        _print_rotations(found)
    _print_apart(found)


def _print_norms(found: TrialDynamics) -> None:
    """Say whether |w| comes to its balance, when, and how far behind the schedule."""
    columns = (
        "layer",
        "|w| first",
        "last",
        "balance",
        "off",
        "in balance from",
        "relaxation",
        "theory off",
        "lag",
        "by theory",
    )
    table = console.table(*columns, title="norms")
    for layer in found.layers:
        norms = layer.norms
        lag = norms.lag
        table.add_row(
            layer.name,
            *(_number(value) for value in (norms.measured[0], norms.measured[-1], _last(norms.balance))),
            NONE if norms.off is None else f"{norms.off:+.0%}",
            NONE
            if norms.settled is None
            else f"step {norms.settled} (epoch {norms.settled / found.steps_per_epoch:.1f})",
            f"{norms.relaxation:.0f} steps" if math.isfinite(norms.relaxation) else NONE,
            f"{norms.path_error:.0%}",
            NONE if lag is None else f"{lag.steps:.0f}",
            NONE if lag is None or lag.by_theory is None else f"{lag.by_theory:.0f}",
        )
    console.out.print()
    console.out.print(table)
    console.note(
        f"balance: of decay and gradients at the last traced step; in balance: within {WITHIN:.0%} from there on"
    )
    console.note("theory off: |w| from what theory makes of the schedule and these gradients, over the run (rms)")
    console.note("lag: steps that |w| follows behind a balance that the schedule moves, measured and by theory")


def _print_rotations(found: TrialDynamics) -> None:
    """Say whether all tensors turn at the predicted rate."""
    table = console.table(
        "layer",
        "measured",
        "predicted",
        "ratio",
        "by |w|",
        "by correlation",
        "alike",
        title="rotation per step, last third",
    )
    for layer in found.layers:
        late = layer.rotations.late
        angles = (f"{angle:.4f}" if math.isfinite(angle) else NONE for angle in (late.measured, late.balance))
        table.add_row(layer.name, *angles, *map(_ratio, (late.ratio, late.by_norm, late.by_correlation, late.alike)))
    console.out.print()
    console.out.print(table)
    console.note("rms angle in radians; predicted for a norm in balance and gradients that are not correlated")
    console.note("ratio = by |w| (its norm is off the balance) x by correlation (gradients are alike, or opposed)")
    console.note("alike: what a gradient finds of itself in the momentum: 0 if not correlated, negative if opposed")
    if found.ratios:
        console.say(_verdict(found.layers, found.ratios))


def _verdict(layers: Sequence[Layer], ratios: Sequence[float]) -> str:
    low, high = HOLDS
    middle = median(ratios)
    words = (
        "as predicted" if low <= middle <= high else "more than predicted" if middle > high else "less than predicted"
    )
    tensors = f"{len(ratios)} of {console.counted(len(layers), 'scale-invariant tensor')}"
    return f"{tensors}: in the median {words}, by {middle:.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def _print_apart(found: TrialDynamics) -> None:
    console.out.print()
    counts = Counter((one.kind, one.why) for one in found.apart)
    for (kind, why), count in counts.items():
        console.say(f"not in the tables: {count} {kind}: {why}")


def _last(values: Floats) -> float:
    """Return the last value that is a number."""
    return next((float(value) for value in reversed(values) if math.isfinite(value)), math.nan)


def _number(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else NONE


def _ratio(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else NONE
