"""The length of a weight tensor from the first step of a run on, with the time that momentum takes (post 6).

Momentum passes a gradient, and a coupled decay, on over 1 / (1 - rho) steps and more. Where w relaxes as fast as that,
``norm_path``, which lets them act at once, is ahead of the weights by so many steps. Here the squared lengths of w and
of the velocity v, and their product <w, v>, are followed from step to step, v being 0 at first; no more is assumed than
there: g is orthogonal to w and, uncorrelated with the gradients before it, to v. The recursion is derived here.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hpsearch.analysis.update_rules import RULES, Numbers


@dataclass(frozen=True)
class _Moments:
    """|w|^2, <w, v> and |v|^2."""

    weight: float
    product: float
    velocity: float

    def after(self, lr: float, coupled: float, kept: float, rho: float, square: float, nesterov: bool) -> "_Moments":
        """Return them after a step w <- kept w - lr d, of gradients g of the given ``square`` of their length.

        With u = g + coupled w: v <- rho v + u, and d = v or, under Nesterov, u + rho v.
        """
        w_u, v_u = coupled * self.weight, coupled * self.product
        u_u = square + coupled * w_u
        w_v, u_v = rho * self.product + w_u, rho * v_u + u_u
        v_v = rho * (rho * self.velocity + v_u) + u_v
        w_d, v_d, d_d = w_v, v_v, v_v
        if nesterov:
            w_d, v_d, d_d = w_u + rho * w_v, u_v + rho * v_v, u_u + rho * (2 * u_v + rho * v_v)
        weight = kept * (kept * self.weight - 2 * lr * w_d) + lr * lr * d_d
        return _Moments(weight, kept * w_v - lr * v_d, v_v)


def momentum_path(
    rule: str,
    step: ArrayLike,
    lr: ArrayLike,
    weight_decay: ArrayLike,
    momentum: ArrayLike,
    gradient: ArrayLike,
    size: float,
    start: float,
) -> Numbers:
    """Return |w| at the given ``step``s (ascending) of a run that begins with the first of them, with |w| = ``start``.

    Arguments as of ``norm_path``; between two of the steps they change steadily, and of ``gradient`` the square, by
    which gradients count. After the start NaN without theory, and from a gradient on that is not a number.
    """
    at = np.asarray(step, int)
    every = np.arange(at[0], at[-1])
    squares = np.square(np.asarray(gradient, float))
    columns = [np.broadcast_to(np.asarray(each, float), at.shape) for each in (lr, weight_decay, momentum, squares)]
    if rule not in RULES or (rule == "lars" and columns[1].any()):
        return np.asarray(np.where(at == at[0], start, np.nan))
    now, weights = _Moments(start**2, 0.0, 0.0), [start**2]
    settings = zip(*(np.interp(every, at, column).tolist() for column in columns), strict=True)
    for taken, (eta, alpha, rho, square) in enumerate(settings):
        now = _after(rule, now, taken, eta, alpha, rho, square, size)
        weights.append(now.weight)
    return np.asarray(np.sqrt(np.array(weights)[at - at[0]]))


def _after(
    rule: str, now: _Moments, taken: int, lr: float, weight_decay: float, rho: float, square: float, size: float
) -> _Moments:
    """Return the moments after a step of the rule, which ``taken`` others came before; ``square`` is gt^2."""
    nesterov, kept = RULES[rule].nesterov, 1 - lr * weight_decay
    if rule == "adamw":
        return now.after(lr * (1 - rho) / (1 - rho ** (taken + 1)), 0.0, kept, rho, size, nesterov)
    if rule == "lars":
        return now.after(lr, 0.0, 1.0, rho, now.weight, nesterov)
    square = square / now.weight if now.weight else math.nan
    if rule in ("sgdw", "sgdw_nesterov"):
        return now.after(lr, 0.0, kept, rho, square, nesterov)
    return now.after(lr, weight_decay, 1.0, rho, square, nesterov)
