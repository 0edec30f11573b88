"""The default sampler: what is known first, then steps that pay, then a model of the results and the prior together."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain

import numpy as np

from hpsearch.contract import Config
from hpsearch.samplers.acquisition import candidates, log_expected_improvement, refined
from hpsearch.samplers.descent import descend, losses, moves
from hpsearch.samplers.grade import Grade
from hpsearch.samplers.model import Model
from hpsearch.samplers.protocol import Sampler
from hpsearch.samplers.surrogate import Surrogate
from hpsearch.seeds import stream
from hpsearch.space.axes import Floats
from hpsearch.space.beliefs import prior_of, settings_of
from hpsearch.space.spec import Space
from hpsearch.trial import FinishedTrial, Key, PendingTrial, key

BETA = 3.0
"""Strength of the prior, which counts as prior^(BETA / n) after n results."""

RESULTS = 3
"""Results that the model needs; until then, what follows the steps are draws from the prior."""

OPENING = 3
"""Settings of a learnt prior that are tried before anything else."""

IDLE = 1
"""Steps that do not pay, after which the model takes over."""

DRAWS = 256
"""Draws from the prior, of which the first that has not run is proposed where the model has nothing to say."""


class InformedSampler(Sampler):
    """Proposes what is known, then what pays, then what is expected to.

    1. the prior's best settings, or its centre (``start_with`` came before);
    2. steps of doubling and halving from the best of these, while they pay (``descent``);
    3. where the expected improvement under a Gaussian process, weighted by the prior, is largest (``acquisition``).

    A setting that is running or has run is not proposed again while there are others.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._prior = prior_of(space)
        self._opening = settings_of(space)[:OPENING]
        self._model = Model(space)
        self._grade = Grade(self._prior, self._model) if self._prior.informed else None

    def suggest(self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial], number: int) -> Config:
        """Return the proposal for trial ``number``."""
        values = losses(history, self._space.objective)
        taken = {*values, *(trial.key for trial in pending)}
        for config in self._before_the_model(history, values, taken):
            return config
        surrogate = self._model.fit(history, pending)
        enough = sum(math.isfinite(loss) for loss in values.values()) >= RESULTS
        modelled = iter(()) if surrogate is None or not enough else self._by_model(surrogate, number)
        new = (config for config in chain(modelled, self._draws(number)) if key(config) not in taken)
        return next(chain(new, self._draws(number)))

    def grade(self, history: Sequence[FinishedTrial]) -> float | None:
        """Return the grade of the prior, by the process that proposes."""
        return None if self._grade is None else self._grade(history)

    def _before_the_model(
        self, history: Sequence[FinishedTrial], values: Mapping[Key, float], taken: Collection[Key]
    ) -> Iterator[Config]:
        """Yield what needs no model: the opening, and the steps from its best as long as they pay."""
        first = sorted(history, key=lambda trial: trial.number)
        entries = [trial.config for trial in first if trial.number < len(self._space.start_with)]
        starts = [*self._opening, *entries]
        untried = [config for config in starts if key(config) not in taken]
        running = len(taken) - len(values)
        if untried or (starts and descend(self._space, starts, values).idle + running < IDLE):
            yield from moves(self._space, starts, values, [one for one in taken if one not in values])

    def _by_model(self, surrogate: Surrogate, number: int) -> Iterator[Config]:
        """Yield the configurations of the largest acquisition first."""
        weights = None if self._grade is None else self._grade.weights(surrogate)
        cube = self._model.cube

        def score(points: Floats) -> Floats:
            improvement = log_expected_improvement(surrogate, self._model.inputs(points))
            return improvement + BETA / len(surrogate.seen) * self._prior.log_density(points, weights)

        rng = stream(self._space.seed, "model", number)
        points = cube.settled(candidates(surrogate.best_point, rng))
        scores = score(points)
        for point in chain(refined(points, scores, score, cube.settled, rng), points[np.argsort(-scores)]):
            yield cube.config(point)

    def _draws(self, number: int) -> Iterator[Config]:
        """Yield draws from the prior: more than one, as a space of few settings may have run the first."""
        uniforms = stream(self._space.seed, "sampler", number).random((DRAWS, len(self._space.searched)))
        for point in self._prior.quantile(uniforms):
            yield self._model.cube.config(point)
