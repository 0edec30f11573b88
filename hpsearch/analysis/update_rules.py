"""The update rules that theory knows, as terms of how the length of a weight tensor changes: see ``weight_decay``.

eta    learning rate of the mean loss       rho    momentum (AdamW: beta1)
alpha  weight decay                         gt     |g| |w|, the gradient's norm where |w| is 1
delta  share of its direction that w forgets in a step, also the share by which decay shortens w

==================  =====================  ======================================  =======================
rule                delta                  balance                                 rotation (radians, rms)
==================  =====================  ======================================  =======================
sgd                 eta alpha / (1-rho)    |w|^4 = eta gt^2 / (2 alpha (1-rho))    sqrt(2 delta T)
sgdw                eta alpha              |w|^4 = eta gt^2 / (2 alpha (1-rho)^2)  sqrt(2 delta T)
sgd(w)_nesterov     as without Nesterov    as without Nesterov                     sqrt(2 delta T N)
adamw               eta alpha              |w|^2 = eta size / (2 alpha)            sqrt(2 delta T)
lars without decay  eta^2 / (2 (1-rho)^2)  none: |w| grows by delta a step         sqrt(2 delta T N)
==================  =====================  ======================================  =======================

with T = (1-rho) / (1+rho) and N = (1-rho) (1+rho)^3 + rho^4. A gradient enters the steps as 1, rho, rho^2, ... of
itself, under Nesterov in the form of PyTorch as 1 + rho, rho^2, rho^3, ...: T and T N are the sum of the squares of
these shares over the square of their sum. Under AdamW the second moment is taken to follow the gradients at once.

The rows sgd and adamw: A. Kosson, B. Messmer, M. Jaggi, "Rotational Equilibrium", 2023; LARS in the place of decay:
D. Page, "How to Train Your ResNet 6", 2018; the others are derived here. Of all other rules, and of LARS with decay,
theory says nothing: NaN.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Rule:
    """How |w| changes: d|w|^power/dt = power * (push - delta |w|^power), of power 0 d log|w|/dt = push.

    ``delta``  of eta, alpha and rho
    ``push``   of eta, rho, gt and the size of w
    """

    power: float
    delta: Callable[[Numbers, Numbers, Numbers], Numbers]
    push: Callable[[Numbers, Numbers, Numbers, Numbers], Numbers]
    nesterov: bool = False

    def squares(self, momentum: Numbers) -> Numbers:
        """Return the sum of the squares of the shares in which a gradient enters the steps, over that of their sum."""
        plain = (1 - momentum) / (1 + momentum)
        return plain * ((1 - momentum) * (1 + momentum) ** 3 + momentum**4) if self.nesterov else plain


def _coupled(lr: Numbers, weight_decay: Numbers, momentum: Numbers) -> Numbers:
    return lr * weight_decay / (1 - momentum)


def _decoupled(lr: Numbers, weight_decay: Numbers, momentum: Numbers) -> Numbers:
    return lr * weight_decay + 0 * momentum


def _growth(lr: Numbers, weight_decay: Numbers, momentum: Numbers) -> Numbers:
    return np.where(weight_decay == 0, (lr / (1 - momentum)) ** 2 / 2, np.nan)


def _by_gradient(lr: Numbers, momentum: Numbers, gradient: Numbers, size: Numbers) -> Numbers:
    return (lr * gradient / (1 - momentum)) ** 2 / 2


def _by_size(lr: Numbers, momentum: Numbers, gradient: Numbers, size: Numbers) -> Numbers:
    return lr**2 * size / 2


def _by_rate(lr: Numbers, momentum: Numbers, gradient: Numbers, size: Numbers) -> Numbers:
    return (lr / (1 - momentum)) ** 2 / 2


def _unknown(lr: Numbers, *others: Numbers) -> Numbers:
    return np.nan * lr


RULES = {
    "sgd": Rule(4, _coupled, _by_gradient),
    "sgd_nesterov": Rule(4, _coupled, _by_gradient, nesterov=True),
    "sgdw": Rule(4, _decoupled, _by_gradient),
    "sgdw_nesterov": Rule(4, _decoupled, _by_gradient, nesterov=True),
    "adamw": Rule(2, _decoupled, _by_size),
    "lars": Rule(0, _growth, _by_rate, nesterov=True),
}
OTHER = Rule(1, _unknown, _unknown)
"""Any other rule: NaN."""
