"""The prior's grade: how much better the results so far agree with it than with a uniform one.

x*  where the optimum is       D  the results so far       u  the uniform density, 1 on the unit cube

If component k of a prior says that x* is distributed as p_k, its Bayes factor against the uniform density is

    P(D | k) / P(D | u) = integral of p_k(x) P(D | x* = x) dx / integral of u(x) P(D | x* = x) dx = E[p_k(x*) | D, u]

because P(x* = x | D, u) is proportional to P(D | x* = x) u(x). The expectation is a mean over functions drawn from the
Gaussian process's posterior: x* is where a drawn function has its least value among points spread over the cube. The
mixture is then updated by Bayes' rule, so that a component which the results speak against loses its weight.
"""

from collections.abc import Sequence

import numpy as np
from scipy.stats.qmc import Sobol

from hpsearch.contract import Config
from hpsearch.samplers.model import Model
from hpsearch.samplers.protocol import Sampler
from hpsearch.samplers.surrogate import Surrogate
from hpsearch.seeds import stream
from hpsearch.space.axes import Floats
from hpsearch.space.priors import Prior
from hpsearch.trial import FinishedTrial, PendingTrial

POINTS = 256
"""Where the optimum may be, spread over the cube."""

DRAWS = 256
"""Functions that are drawn."""


class Grade:
    """Grades a prior by a history of trials, by the process that the sampler uses."""

    def __init__(self, prior: Prior, model: Model) -> None:
        self._prior = prior
        self._model = model
        seed = prior.space.seed
        spread = Sobol(len(model.cube.names), rng=stream(seed, "grade")).random(POINTS)
        self._points = model.cube.settled(spread)
        self._densities = np.exp(prior.log_densities(self._points))
        self._normals = stream(seed, "grade", 1).normal(size=(DRAWS, POINTS))

    def __call__(self, history: Sequence[FinishedTrial]) -> float | None:
        """Return the log Bayes factor of the informed components against the uniform one, None before it has one."""
        surrogate = self._model.fit(history)
        if surrogate is None:
            return None
        informed = self._prior.weights[1:] / self._prior.weights[1:].sum()
        return float(np.log(self._factors(surrogate)[1:] @ informed))

    def updated(self, surrogate: Surrogate) -> Prior:
        """Return the prior with the weights that its components have given the results."""
        return self._prior.reweighted(self._prior.weights * self._factors(surrogate))

    def _factors(self, surrogate: Surrogate) -> Floats:
        """Return the Bayes factor of each component, (K,); that of the uniform one is 1."""
        drawn = surrogate.draws(self._model.inputs(self._points), self._normals)
        factors: Floats = self._densities[drawn.argmin(axis=1)].mean(axis=0) / self._densities.mean(axis=0)
        return factors


class Graded(Sampler):
    """A sampler that does not grade its prior, with one who does."""

    def __init__(self, sampler: Sampler, grade: Grade) -> None:
        self._sampler = sampler
        self._grade = grade

    def suggest(self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial], number: int) -> Config:
        """Return what the sampler suggests."""
        return self._sampler.suggest(history, pending, number)

    def grade(self, history: Sequence[FinishedTrial]) -> float | None:
        """Return the grade of the prior."""
        return self._grade(history)
