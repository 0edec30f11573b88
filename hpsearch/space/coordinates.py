"""The coordinates in which a change of batch size or momentum leaves a run as it is: rate and tau.

eta    peak learning rate of the mean loss            rho    momentum (AdamW: beta1)
alpha  weight decay                                    D      training examples
N      batch size                                      E      epochs; a run has D E / N steps

==========  ==========================  ===================  =======================================================
coordinate  SGD, also with Nesterov     AdamW                meaning
==========  ==========================  ===================  =======================================================
rate        eta / ((1 - rho) N)         eta / sqrt(N)        how far the weights move per example
tau         (1 - rho) / (eta alpha s)   1 / (eta alpha s)    time in which the decay forgets, as a share of the run of
                                                             s = D E / N steps
==========  ==========================  ===================  =======================================================

Batch size and momentum stay as they are, so the map is invertible for rho < 1. For SGD it is the linear rule (P. Goyal
et al. 2017; post 5 of the series: hold eta/N, or eta/(1-rho)) and the time scale of weight decay (posts 5 and 6); for
AdamW the square-root rule (S. Malladi et al. 2022) and the averaging time of X. Wang and L. Aitchison, 2024.
All functions take numbers, or NumPy arrays that broadcast.
"""

import math
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt

from hpsearch.contract import Optimizer as Optimizer

Number = TypeVar("Number", float, npt.NDArray[np.float64])


@dataclass(frozen=True)
class Run:
    """What the coordinates need to know of a training beside its four hyperparameters.

    ``examples`` times ``epochs`` is the number of examples it sees; both are None where they are not known, and then
    there is no tau.
    """

    optimizer: Optimizer = "sgd"
    examples: int | None = None
    epochs: float | None = None

    @property
    def seen(self) -> float | None:
        """The examples of the whole run, each counted as often as it is seen."""
        return None if self.examples is None or self.epochs is None else self.examples * self.epochs


@dataclass(frozen=True)
class Raw:
    """The hyperparameters as an optimiser takes them."""

    lr: float
    weight_decay: float
    batch_size: float
    momentum: float


@dataclass(frozen=True)
class Coordinates:
    """The same in coordinates."""

    rate: float
    tau: float
    batch_size: float
    momentum: float


def to_coordinates(raw: Raw, run: Run) -> Coordinates:
    """Return the coordinates of a run; tau is infinite without weight decay. Raises ValueError as ``tau_of``."""
    rate = rate_of(raw.lr, raw.batch_size, raw.momentum, run)
    tau = float(tau_of(rate, raw.weight_decay, raw.batch_size, run))
    return Coordinates(rate, tau, raw.batch_size, raw.momentum)


def to_raw(point: Coordinates, run: Run) -> Raw:
    """Return the hyperparameters that have these coordinates. Raises ValueError as ``weight_decay_of``."""
    lr = lr_of(point.rate, point.batch_size, point.momentum, run)
    decay = weight_decay_of(point.rate, point.tau, point.batch_size, run)
    return Raw(lr, decay, point.batch_size, point.momentum)


def log_jacobian(raw: Raw, run: Run) -> float:
    """Return log |d(rate, tau, N, rho) / d(eta, alpha, N, rho)| at ``raw``, whose weight decay is above 0.

    The matrix is triangular: rate does not depend on alpha. In logarithms of eta and alpha the determinant is 1, so a
    density over (log rate, log tau) is one over (log eta, log alpha).
    """
    point = to_coordinates(raw, run)
    return math.log(point.rate / raw.lr) + math.log(point.tau / raw.weight_decay)


def rate_of(lr: Number, batch_size: Number, momentum: Number, run: Run) -> Number:
    """Return the rate of a learning rate."""
    return lr / _lr_per_rate(batch_size, momentum, run)


def lr_of(rate: Number, batch_size: Number, momentum: Number, run: Run) -> Number:
    """Return the learning rate that has this rate."""
    return rate * _lr_per_rate(batch_size, momentum, run)


def tau_of(rate: Number, weight_decay: Number, batch_size: Number, run: Run) -> Number:
    """Return tau, infinite where there is no weight decay. Raises ValueError where the length of the run is not known.

    For SGD momentum and batch size are in the rate already: tau = 1 / (rate alpha D E).
    """
    with np.errstate(divide="ignore"):
        return cast(Number, np.divide(1.0, weight_decay * _tau_times_decay(rate, batch_size, run)))


def weight_decay_of(rate: Number, tau: Number, batch_size: Number, run: Run) -> Number:
    """Return the weight decay that has this tau. Raises ValueError where the length of the run is not known."""
    return 1 / (tau * _tau_times_decay(rate, batch_size, run))


def _lr_per_rate(batch_size: Number, momentum: Number, run: Run) -> Number:
    return batch_size**0.5 if run.optimizer == "adamw" else (1 - momentum) * batch_size


def _tau_times_decay(rate: Number, batch_size: Number, run: Run) -> Number:
    """Return 1 / (tau alpha)."""
    if run.seen is None:
        raise ValueError("tau needs the number of training examples and of epochs")
    return rate * run.seen / (batch_size**0.5 if run.optimizer == "adamw" else 1)
