"""Distributions of the samplers that do not learn. Each test fails by chance with probability FALSE_ALARM at most."""

import math
from collections import Counter

import numpy as np
import pytest
from scipy import stats
from scipy.stats import qmc

from hpsearch.samplers.by_name import make_sampler
from hpsearch.space.spec import Space
from tests.space.examples import LR, make_space

FALSE_ALARM = 1e-6
PARAMETERS = {
    "lr": LR,
    "other": LR,
    "mode": {"type": "choice", "values": ["a", "b", "c"]},
    "n": {"type": "integer", "low": 1, "high": 4},
}


def space_of(name: str, seed: int = 0) -> Space:
    return make_space(PARAMETERS, sampler={"name": name}, prior="uniform", seed=seed)


def points(name: str, count: int, seed: int = 0) -> np.ndarray:
    """Suggestions as numbers of the unit cube, shape (count, 4)."""
    space = space_of(name, seed)
    sampler = make_sampler(space)
    configs = [sampler.suggest([], [], number) for number in range(count)]
    return np.array([[space.parameters[key].to_unit(config[key]) for key in PARAMETERS] for config in configs])


@pytest.mark.parametrize("name", ["random", "sobol"])
def test_a_log_range_is_uniform_in_its_logarithm(name: str) -> None:
    for column in points(name, 2000)[:, :2].T:
        assert stats.kstest(column, "uniform").pvalue > FALSE_ALARM


@pytest.mark.parametrize("name", ["random", "sobol"])
def test_discrete_values_are_equally_likely(name: str) -> None:
    for column, values in zip(points(name, 1500)[:, 2:].T, (3, 4), strict=True):
        counts = Counter(column.tolist())
        assert len(counts) == values
        assert stats.chisquare(list(counts.values())).pvalue > FALSE_ALARM


def test_random_parameters_and_trials_are_independent() -> None:
    n = 2000
    drawn = points("random", n)
    bound = stats.norm.isf(FALSE_ALARM / 2) / math.sqrt(n)  # the correlation of independent draws is N(0, 1/n)
    for one in range(4):
        assert abs(np.corrcoef(drawn[:-1, one], drawn[1:, one])[0, 1]) < bound
        for other in range(one):
            assert abs(np.corrcoef(drawn[:, one], drawn[:, other])[0, 1]) < bound


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_sobol_points_are_balanced(seed: int) -> None:
    """The property that defines the sequence: each of 2^k equal intervals holds one of the first 2^k points."""
    drawn = points("sobol", 64, seed)
    for column in drawn[:, :2].T:
        for k in range(7):
            assert sorted((column[: 2**k] * 2**k).astype(int)) == list(range(2**k))


def test_sobol_is_more_even_than_random() -> None:
    sobol, random = (qmc.discrepancy(points(name, 128)[:, :2]) for name in ("sobol", "random"))
    assert sobol < random / 3


def test_a_late_sobol_point_is_the_same_as_in_sequence() -> None:
    sampler = make_sampler(space_of("sobol"))
    late = sampler.suggest([], [], 4999)
    assert late == make_sampler(space_of("sobol")).suggest([], [], 4999)
    configs = [sampler.suggest([], [], number) for number in (0, 1, 2, 4998, 4999, 5000)]
    assert configs[4] == late
    assert len({config["lr"] for config in configs}) == 6
