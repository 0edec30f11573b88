"""The prior's grade: against weighted draws from the process's own prior, and its sign."""

import math

import numpy as np
import pytest

from hpsearch.samplers.by_name import make_sampler
from hpsearch.samplers.grade import DRAWS, POINTS, Grade
from hpsearch.samplers.model import Model
from hpsearch.samplers.surrogate import Surrogate
from hpsearch.space.axes import Floats
from hpsearch.space.priors import Place, Prior
from hpsearch.trial import FinishedTrial, Status
from tests.samplers.trials import finished
from tests.space.examples import LR, make_space

SPACE = make_space({"lr": LR}, sampler={"name": "random"})
LEFT, RIGHT = ({"lr": Place(math.log(10**-decades), math.log(2))} for decades in (2.4, 0.6))  # at 0.2 and 0.8
PRIOR = Prior.of(SPACE, [LEFT, RIGHT])


def brute_force(surrogate: Surrogate, x: Floats, y: Floats) -> tuple[Floats, float]:
    """Bayes factors of the components of PRIOR, and how many of the draws they rest on.

    Functions are drawn without looking at the data, and each counts as much as the data are likely under it.
    """
    gp, grid = surrogate.regressor, (np.arange(200) + 0.5) / 200
    at = np.concatenate([grid, x])
    r = np.sqrt(5 * float(gp.inverse_squared_lengthscales[0])) * np.abs(at[:, None] - at)
    values, vectors = np.linalg.eigh(float(gp.kernel_scale) * (1 + r + r**2 / 3) * np.exp(-r))
    drawn = np.random.default_rng(0).normal(size=(60_000, len(at))) @ (vectors * np.sqrt(values.clip(0))).T
    weights = np.exp(-((drawn[:, 200:] - y) ** 2).sum(axis=1) / (2 * float(gp.noise_var)))
    at_optimum = np.exp(PRIOR.log_densities(grid[:, None]))[drawn[:, :200].argmin(axis=1)]
    found = weights @ at_optimum / weights.sum() / at_optimum.mean(axis=0)
    return found, float(weights.sum() ** 2 / (weights**2).sum())


@pytest.mark.parametrize("seed", range(3))
def test_the_bayes_factors_are_those_of_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.tile([0.1, 0.4, 0.6, 0.9], 3)
    y = 1.5 * (x - 0.3) + rng.normal(size=12)
    y = (y - y.mean()) / y.std()
    surrogate = Surrogate.fit(x[:, None], y, np.array([False]))
    expected, effective = brute_force(surrogate, x, y)
    assert effective > 300, "the reference itself must be exact enough"
    weights = Grade(PRIOR, Model(SPACE)).weights(surrogate)
    factors = weights / PRIOR.weights * PRIOR.weights[0] / weights[0]
    deviation = np.exp(PRIOR.log_densities(np.linspace(0, 1, 500)[:, None])).std(axis=0)  # of a single draw, at most
    error = 5 * deviation * (1 / math.sqrt(DRAWS) + 1 / math.sqrt(effective) + 5 / POINTS)
    assert (np.abs(factors - expected) <= error + 1e-9).all()
    assert weights.sum() == pytest.approx(1)


def bowl(best: float, status: Status = Status.COMPLETED) -> list[FinishedTrial]:
    """Ten trials of a parabola with its optimum at ``best``."""
    lrs = 10.0 ** np.linspace(-3, 0, 10)
    return [finished(n, {"lr": float(lr)}, math.log10(lr / best) ** 2, status) for n, lr in enumerate(lrs)]


def test_it_is_positive_where_the_prior_is_right_and_negative_where_it_is_wrong() -> None:
    grade = Grade(Prior.of(SPACE, [LEFT]), Model(SPACE))
    right, wrong = grade(bowl(10**-2.4)), grade(bowl(10**-0.6))
    assert right is not None and wrong is not None
    assert right > 0.7 and wrong < -0.7
    peak = Prior.of(SPACE, [LEFT]).log_densities(np.array([[0.2]]))[0, 1]
    assert right > peak - 0.3, "an optimum that is known gives the density there, over that where it is a priori"


def test_what_the_results_speak_against_loses_its_weight() -> None:
    model = Model(SPACE)
    surrogate = model.fit(bowl(10**-2.4))
    assert surrogate is not None
    flat, left, right = Grade(PRIOR, model).weights(surrogate) / PRIOR.weights
    assert left > flat > right


@pytest.mark.parametrize(
    "history", [[], bowl(0.1)[:1], [finished(n, {"lr": 0.1 + n / 10}, 1.0) for n in range(4)],
                bowl(0.1, Status.STOPPED), bowl(0.1, Status.FAILED)]
)  # fmt: skip
def test_there_is_no_grade_before_two_results_differ(history: list[FinishedTrial]) -> None:
    assert Grade(PRIOR, Model(SPACE))(history) is None


def test_the_order_of_the_results_plays_no_part() -> None:
    history = bowl(0.03)
    assert Grade(PRIOR, Model(SPACE))(history) == Grade(PRIOR, Model(SPACE))(history[::-1])


@pytest.mark.parametrize("name", ["random", "sobol", "doubling", "hpsearch"])
def test_every_sampler_that_takes_a_prior_grades_it(name: str) -> None:
    normal = {"normal": {"lr": {"centre": 10**-2.4, "spread": 2}}}
    space = make_space({"lr": LR}, sampler={"name": name}, prior=normal)
    expected = Grade(Prior.of(space, [LEFT]), Model(space))(bowl(10**-2.4))
    assert make_sampler(space).grade(bowl(10**-2.4)) == expected is not None
    uniform = make_space({"lr": LR}, sampler={"name": name}, prior="uniform")
    assert make_sampler(uniform).grade(bowl(10**-2.4)) is None


def test_a_sampler_without_a_prior_has_no_grade() -> None:
    assert make_sampler(make_space({"lr": LR}, sampler={"name": "tpe"})).grade(bowl(0.1)) is None
