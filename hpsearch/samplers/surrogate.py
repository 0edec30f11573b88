"""A Gaussian process with observation noise over the unit cube: Optuna's, behind one small door.

Optuna's own sampler has no place for a prior in its acquisition, so its regressor is used directly. The module it is in
is not public: pyproject.toml bounds the version, and nothing else in this project imports it.
"""

from copy import copy
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import optuna
import torch
from optuna._gp import gp, prior

from hpsearch.space.axes import Floats

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
            log_prior=prior.default_log_prior,
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
            values, vectors = torch.linalg.eigh(covariance)
            root = vectors * values.clamp_min(0).sqrt()
        functions: Floats = mean.numpy() + normals @ root.numpy().T
        return functions
