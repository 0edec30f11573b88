"""A Gaussian process with observation noise over the unit cube: Optuna's, behind one small door.

Optuna's own sampler has no place for a prior in its acquisition, so its regressor is used directly. The module it is in
is not public: pyproject.toml bounds the version, and nothing else in this project imports it.
"""

import math
from copy import copy
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import optuna
import torch
from optuna._gp import gp

from hpsearch.space.axes import Floats

LENGTH, LOG_SPREAD = 0.7, 0.7
"""Where length scales are expected, as a share of a range: the loss of a training is smooth in its hyperparameters."""

MINIMUM_NOISE = 1e-6
"""Variance of the noise, in units of the variance of the values."""


@dataclass(frozen=True)
class Surrogate:
    """The posterior of a function on the unit cube of d coordinates; ``best`` is its least mean where it was seen."""

    regressor: gp.GPRegressor
    seen: Floats
    best: float

    @classmethod
    def fit(cls, points: Floats, values: Floats, unordered: npt.NDArray[np.bool_]) -> "Surrogate":
        """Fit to ``values`` (n,), of mean 0 and variance 1, at ``points`` (n, d).

        Two values of an ``unordered`` coordinate (d,) are equal or not, and nothing between. The noise is one of the
        parameters that are fitted.
        """
        optuna.logging.set_verbosity(optuna.logging.ERROR)  # a fit that fails goes on with default parameters
        regressor = gp.fit_kernel_params(
            X=points,
            Y=values,
            is_categorical=unordered,
            log_prior=_log_prior,
            minimum_noise=MINIMUM_NOISE,
            deterministic_objective=False,
        )
        mean, _ = cls(regressor, points, 0.0).predict(points)
        return cls(regressor, points, float(mean.min()))

    @property
    def best_point(self) -> Floats:
        """The point (d,) that was seen and has the least mean: one lucky result does not make it the best."""
        point: Floats = self.seen[int(self.predict(self.seen)[0].argmin())]
        return point

    def assuming(self, points: Floats) -> "Surrogate":
        """Return the posterior if what is expected at ``points`` (m, d) were observed there."""
        mean, _ = self.predict(points)
        regressor = copy(self.regressor)  # it replaces its arrays when data are added, and changes none in place
        regressor.append_running_data(torch.from_numpy(points), torch.from_numpy(mean))
        return Surrogate(regressor, self.seen, self.best)

    def predict(self, points: Floats) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of the function, without noise, at ``points`` (m, d): (m,) each."""
        with torch.no_grad():
            mean, variance = self.regressor.posterior(torch.from_numpy(points))
        return mean.numpy(), np.sqrt(variance.numpy())

    def draws(self, points: Floats, normals: Floats) -> Floats:
        """Return functions drawn from the posterior at ``points`` (m, d): one for each row of ``normals`` (k, m)."""
        with torch.no_grad():
            mean, covariance = self.regressor.posterior(torch.from_numpy(points), joint=True)
        return mean.numpy() + _correlated(normals, covariance)

    def prior_draws(self, points: Floats, normals: Floats) -> Floats:
        """Return functions as ``draws`` does, from the process that has the same kernel and has seen nothing."""
        at = torch.from_numpy(points)
        with torch.no_grad():
            return _correlated(normals, self.regressor.kernel(at, at))


def _correlated(normals: Floats, covariance: torch.Tensor) -> Floats:
    """Return rows of this ``covariance`` (m, m), which may be singular, from independent ``normals`` (k, m)."""
    values, vectors = torch.linalg.eigh(covariance)
    root = vectors * values.clamp_min(0).sqrt()
    rows: Floats = normals @ root.numpy().T
    return rows


def _log_prior(regressor: gp.GPRegressor) -> torch.Tensor:
    """Return the log density of the kernel's parameters: length scales are log-normal, the rest is as Optuna has it.

    Without this, few results let a length scale become short, and the process then expects optima everywhere.
    """
    log_length = -0.5 * torch.log(regressor.inverse_squared_lengthscales)
    lengths = -(((log_length - math.log(LENGTH)) / LOG_SPREAD) ** 2).sum() / 2
    scale = torch.log(regressor.kernel_scale) - regressor.kernel_scale
    noise = 0.1 * torch.log(regressor.noise_var) - 30 * regressor.noise_var
    return lengths + scale + noise
