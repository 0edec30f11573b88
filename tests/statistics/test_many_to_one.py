"""The multivariate t integral against tables, t-tests and random draws."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import dunnett
from scipy.stats import t as student

from hpsearch.statistics.many_to_one import critical, luck


@pytest.mark.parametrize("freedom", [1, 2, 3.5, 10, 100, 1000])
@pytest.mark.parametrize(("runs", "others"), [(1, 1), (1, 30), (30, 1), (2, 5)])
def test_one_other_is_a_t_test(freedom: float, runs: int, others: int) -> None:
    for t in (0.0, 0.5, 1.0, 2.0, 4.0, 12.0):
        assert luck(t, runs, {others: 1}, freedom) == pytest.approx(student.sf(t, freedom), abs=5e-4)
    assert critical(0.05, runs, {others: 1}, freedom) == pytest.approx(student.ppf(0.95, freedom), abs=1e-3)


@pytest.mark.parametrize(
    ("freedom", "published"),
    [
        (5, [2.02, 2.44, 2.68, 2.85, 2.98, 3.08, 3.16, 3.24, 3.30]),
        (10, [1.81, 2.15, 2.34, 2.47, 2.56, 2.64, 2.70, 2.76, 2.81]),
        (20, [1.72, 2.03, 2.19, 2.30, 2.39, 2.46, 2.51, 2.56, 2.60]),
        (60, [1.67, 1.95, 2.10, 2.21, 2.28, 2.35, 2.39, 2.44, 2.48]),
    ],
)
def test_dunnetts_table_for_equal_numbers_of_runs(freedom: int, published: list[float]) -> None:
    """Upper 5% points, one-sided, of 1 to 9 treatments against a control (Dunnett, JASA 50, 1955, table 1a)."""
    found = [critical(0.05, 4, {4: treatments}, freedom) for treatments in range(1, 10)]
    assert found == pytest.approx(published, abs=0.011)


@pytest.mark.parametrize(
    ("runs", "others", "freedom"),
    [(1, {1: 5, 30: 3}, 3.0), (1, {100: 4, 1: 100}, 200.0), (20, {1: 199}, 30.0), (3, {2: 4, 5: 1}, 1.0)],
)
def test_the_critical_value_is_passed_as_often_as_it_says(runs: int, others: Mapping[int, int], freedom: float) -> None:
    rng, draws, chance = np.random.default_rng(0), 100_000, 0.05
    own, s = rng.normal(size=draws) / np.sqrt(runs), np.sqrt(rng.chisquare(freedom, draws) / freedom)
    highest = np.full(draws, -np.inf)
    for each in (each for each, how_many in others.items() for _ in range(how_many)):
        ahead = own - rng.normal(size=draws) / np.sqrt(each)
        highest = np.maximum(highest, ahead / (s * np.sqrt(1 / runs + 1 / each)))
    passed = (highest > critical(chance, runs, others, freedom)).mean()
    assert passed == pytest.approx(chance, abs=4.5 * np.sqrt(chance * (1 - chance) / draws))  # 1 in 100,000 by chance


def test_scipys_test_of_many_against_one_gives_the_same_p_value() -> None:
    rng = np.random.default_rng(1)
    control, samples = rng.normal(0.8, 1, 6), [rng.normal(size=n) for n in (3, 3, 5, 8)]
    groups = [control, *samples]
    freedom = sum(len(group) - 1 for group in groups)
    std = np.sqrt(sum(((group - group.mean()) ** 2).sum() for group in groups) / freedom)
    t = max((control.mean() - one.mean()) / (std * np.sqrt(1 / 6 + 1 / len(one))) for one in samples)
    expected = dunnett(*samples, control=control, alternative="less", rng=np.random.default_rng(2)).pvalue.min()
    assert luck(t, 6, {3: 2, 5: 1, 8: 1}, freedom) == pytest.approx(expected, abs=1e-3)


@given(
    st.floats(0, 8), st.integers(1, 40), st.dictionaries(st.integers(1, 40), st.integers(1, 50), min_size=1, max_size=4)
)
def test_luck_lies_between_that_of_one_and_the_sum_over_all(t: float, runs: int, others: dict[int, int]) -> None:
    one = float(student.sf(t, 7))
    assert one - 5e-4 <= luck(t, runs, others, 7) <= min(1, one * sum(others.values())) + 5e-4
