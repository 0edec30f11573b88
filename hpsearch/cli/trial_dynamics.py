"""The dynamics of one trial in words and tables: norms beside their balance, rotations beside the predicted ones."""

import math
from collections import Counter
from collections.abc import Sequence
from statistics import median

from hpsearch.analysis.layer_dynamics import Layer, TrialDynamics
from hpsearch.analysis.layer_norms import WITHIN
from hpsearch.analysis.layer_rotation import AGREE
from hpsearch.cli import console
from hpsearch.space.axes import Floats
from hpsearch.trial import FinishedTrial

NONE = "-"


def print_trial(found: TrialDynamics, trial: FinishedTrial, metric: str) -> None:
    """Print what theory says of each scale-invariant tensor of a trial, and which tensors it says nothing of."""
    console.out.print()
    ended = "" if trial.final is None else f", {metric} {trial.final:.4g} at the end"
    console.say(f"trial {found.trial_id} ({trial.status}{ended}): {console.settings(trial.config)}")
    if found.diverged_at_step is not None:
        console.say(f"a norm is not finite at step {found.diverged_at_step}: what follows is about the steps before it")
    if found.layers:
        _print_balances(found)
        _print_paths(found)
        _print_rotations(found)
    _print_apart(found)


def _print_balances(found: TrialDynamics) -> None:
    """Say whether |w| comes to its balance, and when."""
    table = console.table("layer", "first", "last", "balance", "off", "within", "stays from", title="norms |w|")
    for layer in found.layers:
        norms = layer.norms
        table.add_row(
            layer.name,
            *(_number(value) for value in (norms.measured[0], norms.measured[-1], _last(norms.balance))),
            NONE if norms.off is None else f"{norms.off:+.0%}",
            NONE if norms.in_balance is None else f"{norms.in_balance:.0%}",
            NONE if norms.settled is None else f"epoch {norms.settled / found.steps_per_epoch:.1f}",
        )
    console.out.print()
    console.out.print(table)
    console.note("balance: where decay and gradients would hold |w| at the last traced step; 0 at a learning rate of 0")
    console.note(
        f"within: share of the run with |w| within {WITHIN:.0%} of its balance; stays from: from when on to the end"
    )


def _print_paths(found: TrialDynamics) -> None:
    """Say how near |w| is to what theory makes of the schedule, and how far behind its balance."""
    title = f"norms by theory (steps; about {found.steps_per_epoch:.0f} an epoch)"
    table = console.table("layer", "theory off", "relaxation", "lag", "lag by theory", title=title)
    for layer in found.layers:
        norms, lag = layer.norms, layer.norms.lag
        table.add_row(
            layer.name,
            f"{norms.path_error:.1%}",
            _steps(norms.relaxation),
            NONE if lag is None else _steps(lag.steps),
            NONE if lag is None or lag.by_theory is None else _steps(lag.by_theory),
        )
    console.out.print()
    console.out.print(table)
    console.note("theory off: |w| from the path that theory makes of start, schedule and gradients, rms over the run")
    console.note("relaxation: until a distance from the balance (in |w|^4; AdamW: |w|^2) is e times smaller")
    console.note(
        "lag: how much later |w| does what its balance does; - where that hardly moves, or no shift is nearest"
    )


def _print_rotations(found: TrialDynamics) -> None:
    """Say whether all tensors turn at the predicted rate."""
    columns = ("layer", "measured", "theory", "ratio", "by |w|", "by corr.", "alike")
    table = console.table(*columns, title="rotation per step in the last third (radians, rms)")
    for layer in found.layers:
        late = layer.rotations.late
        angles = (f"{angle:.4f}" if math.isfinite(angle) else NONE for angle in (late.measured, late.balance))
        table.add_row(layer.name, *angles, *map(_ratio, (late.ratio, late.by_norm, late.by_correlation, late.alike)))
    console.out.print()
    console.out.print(table)
    console.note("theory: of |w| in balance and uncorrelated gradients; ratio = by |w| x by corr.")
    console.note("by |w|: for its length off the balance; by corr.: for gradients that are correlated between steps")
    console.note(
        "alike: what a gradient finds of itself in the momentum: 0 uncorrelated, negative if gradients undo others"
    )
    if found.ratios:
        console.say(_verdict(found.layers, found.ratios))


def _verdict(layers: Sequence[Layer], ratios: Sequence[float]) -> str:
    low, high = AGREE
    middle = median(ratios)
    words = f"as predicted ({low:g} to {high:g})"
    if middle < low:
        words = f"less than predicted (below {low:g})"
    elif middle > high:
        words = f"more than predicted (above {high:g})"
    known = console.counted(len(ratios), "tensor") + (f" of {len(layers)}" if len(ratios) < len(layers) else "")
    return f"median ratio of {known}: {middle:.2f} ({min(ratios):.2f} to {max(ratios):.2f}), {words}"


def _print_apart(found: TrialDynamics) -> None:
    if not found.apart:
        return
    console.out.print()
    console.say("not in the tables, as theory says nothing of them:")
    for (kind, why), count in Counter((one.kind, one.why) for one in found.apart).items():
        console.say(f"  {count} {kind}: {why}")


def _last(values: Floats) -> float:
    """Return the last value that is a number."""
    return next((float(value) for value in reversed(values) if math.isfinite(value)), math.nan)


def _number(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else NONE


def _ratio(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else NONE


def _steps(value: float) -> str:
    return f"{value:.0f}" if math.isfinite(value) else NONE
