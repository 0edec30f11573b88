"""What theory says of the length and the turning of a weight tensor under weight decay (post 6).

It is about a tensor w whose length does not change the loss, such as a convolution before a norm. Its gradient g is
orthogonal to w, and shorter the longer w is: gradients lengthen w, decay shortens it, and both balance at some length.
Gradients are taken to be uncorrelated from step to step, and eta, alpha and rho to change little while w forgets.

The legend, the table of the rules and the sources are in ``update_rules``; of other rules, and of LARS with decay,
theory says nothing: NaN. All functions take numbers or arrays that broadcast, and the name of the rule as in a recipe.
Times are in steps, angles in radians.
"""

import numpy as np
from numpy.typing import ArrayLike

from hpsearch.analysis.update_rules import OTHER, RULES, Numbers, Rule

_quiet = np.errstate(divide="ignore", invalid="ignore", over="ignore")


@_quiet
def decay_rate(rule: str, lr: ArrayLike, weight_decay: ArrayLike, momentum: ArrayLike) -> Numbers:
    """Return delta: the share by which decay shortens w in a step, under ``lars`` that by which w grows."""
    return _rule(rule).delta(*_numbers(lr, weight_decay, momentum))


@_quiet
def memory_steps(rule: str, lr: ArrayLike, weight_decay: ArrayLike, momentum: ArrayLike) -> Numbers:
    """Return the steps in which the direction of w forgets a gradient; infinite where it forgets nothing."""
    return 1 / decay_rate(rule, lr, weight_decay, momentum)


@_quiet
def relaxation_steps(rule: str, lr: ArrayLike, weight_decay: ArrayLike, momentum: ArrayLike) -> Numbers:
    """Return the steps in which w comes e times nearer to its balance, infinite where there is none.

    Nearer in |w|^4 under SGD, in |w|^2 under AdamW; far above the balance |w| itself falls by e in ``memory_steps``.
    """
    return 1 / (_rule(rule).power * decay_rate(rule, lr, weight_decay, momentum))


@_quiet
def equilibrium_norm(
    rule: str, lr: ArrayLike, weight_decay: ArrayLike, momentum: ArrayLike, gradient: ArrayLike, size: ArrayLike
) -> Numbers:
    """Return |w| where decay and gradients balance; NaN where they do not: without decay, learning rate or theory.

    ``gradient`` is gt; ``size`` the numbers in the tensor, which matter to AdamW only.
    """
    delta, power = decay_rate(rule, lr, weight_decay, momentum), _rule(rule).power
    push = _rule(rule).push(*_numbers(lr, momentum, gradient, size))
    return np.where((delta > 0) & (power > 0), push / delta, np.nan) ** (1 / (power or 1))


@_quiet
def equilibrium_rotation(rule: str, lr: ArrayLike, weight_decay: ArrayLike, momentum: ArrayLike) -> Numbers:
    """Return the root mean square angle (radians) between w before and after a step, in balance or under LARS.

    0 at a learning rate of 0; NaN without decay, where w turns ever less, and without theory.
    """
    delta, squares = decay_rate(rule, lr, weight_decay, momentum), _rule(rule).squares(*_numbers(momentum))
    return np.where((delta > 0) | (np.asarray(lr) == 0), np.sqrt(2 * delta * squares), np.nan)


@_quiet
def rotation_at(
    rule: str, norm: ArrayLike, lr: ArrayLike, momentum: ArrayLike, gradient: ArrayLike, size: ArrayLike
) -> Numbers:
    """Return the rotation (radians, rms) that uncorrelated gradients make at any |w|, in balance or not.

    ``norm`` is |w|, ``gradient`` gt, ``size`` the numbers in the tensor, which matter to AdamW only.
    """
    known, rho = _rule(rule), np.asarray(momentum, float)
    push = known.push(*_numbers(lr, rho, gradient, size))
    return np.asarray(np.sqrt(2 * push * known.squares(rho) / np.asarray(norm, float) ** known.power))


@_quiet
def lars_rate(lr: ArrayLike, weight_decay: ArrayLike, momentum: ArrayLike) -> Numbers:
    """Return the learning rate of LARS without decay under which w turns as it does in balance under SGD with decay."""
    eta, alpha, rho = _numbers(lr, weight_decay, momentum)
    return np.sqrt(2 * eta * alpha * (1 - rho))


@_quiet
def norm_path(
    rule: str,
    step: ArrayLike,
    lr: ArrayLike,
    weight_decay: ArrayLike,
    momentum: ArrayLike,
    gradient: ArrayLike,
    size: float,
    start: float,
) -> Numbers:
    """Return |w| at the given ``step``s (ascending), from ``start`` at the first, under a schedule.

    With p the power of |w| in the balance, d|w|^p/dt = p (push - delta |w|^p), where push / delta is the balance. It is
    linear, and solved exactly with delta and push held between two of the steps at the mean of what they are at both.
    It does not know how long the momentum takes to pass a gradient on: ``momentum_path`` does, from the start of a run.
    After the start NaN without theory, and from the first gradient on that is not a number.
    """
    at = np.asarray(step, float)
    power, spans = _rule(rule).power, np.diff(at)
    delta = _between(decay_rate(rule, lr, weight_decay, momentum), at)
    push = _between(_rule(rule).push(*_numbers(lr, momentum, gradient, size)), at)
    if power == 0:
        return np.asarray(start * np.exp(np.append(0.0, np.cumsum(delta * spans))))
    times = power * delta * spans
    share = np.where(times == 0, 1.0, -np.expm1(-times) / times)
    powers = [start**power]
    for kept, gained in zip(np.exp(-times), power * push * spans * share, strict=True):
        powers.append(kept * powers[-1] + gained)
    return np.asarray(powers) ** (1 / power)


def _rule(name: str) -> Rule:
    return RULES.get(name, OTHER)


def _numbers(*values: ArrayLike) -> list[Numbers]:
    return [np.asarray(value, float) for value in values]


def _between(values: Numbers, steps: Numbers) -> Numbers:
    ends = np.broadcast_to(values, steps.shape)
    return (ends[:-1] + ends[1:]) / 2
