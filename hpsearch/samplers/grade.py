"""The prior's grade: how much better the results so far agree with it than with no prior.

f     the function that is searched, a priori a draw from the Gaussian process; its optimum is at x*(f)
p_k   component k of the prior, a density of x* relative to the uniform one
D     the results so far

A component weights the functions by where their optimum is: P(f | k) = p_k(x*(f)) P(f) / Z_k with Z_k = E[p_k(x*(f))].
So its Bayes factor against the process without a prior is

    P(D | k) / P(D) = E[p_k(x*(f)) P(D | f)] / (Z_k E[P(D | f)]) = E[p_k(x*(f)) | D] / E[p_k(x*(f))],

two means over functions that are drawn, with the results and without: x* is where a drawn function is least among
points spread over the cube. The mixture is then updated by Bayes' rule, so that a component which the results speak
against loses its weight.
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
        """Return the log Bayes factor of the informed components against no prior, None before there is one."""
        surrogate = self._model.fit(history)
        if surrogate is None:
            return None
        informed = self._prior.weights[1:] / self._prior.weights[1:].sum()
        return float(np.log(self._factors(surrogate)[1:] @ informed))

    def weights(self, surrogate: Surrogate) -> Floats:
        """Return the weights (K,) that the components of the prior have given the results."""
        weights: Floats = self._prior.weights * self._factors(surrogate)
        return weights / float(weights.sum())

    def _factors(self, surrogate: Surrogate) -> Floats:
        """Return the Bayes factor of each component, (K,); that of the uniform one is 1."""
        points = self._model.inputs(self._points)
        with_results = surrogate.draws(points, self._normals)
        without = surrogate.prior_draws(points, self._normals)
        factors: Floats = self._at_the_optimum(with_results) / self._at_the_optimum(without)
        return factors

    def _at_the_optimum(self, functions: Floats) -> Floats:
        """Return the mean density of each component where the functions (DRAWS, POINTS) are least, (K,)."""
        mean: Floats = self._densities[functions.argmin(axis=1)].mean(axis=0)
        return mean


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
