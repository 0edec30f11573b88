"""Shares of variance against the formulas of textbooks, and chance against simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpsearch.statistics.explained import design, explained, levels, shares

A = np.repeat([1.0, 10.0, 100.0], 4)
B = np.tile([2.0, 16.0], 6)


def drawn(seed: int, columns: int = 1) -> np.ndarray:
    """Values (12, columns) in which both A and B count."""
    rng = np.random.default_rng(seed)
    return (np.log(A) + 0.5 * np.log(B))[:, None] + rng.standard_normal((12, columns))


def within(values: np.ndarray, factor: np.ndarray) -> float:
    groups = [values[factor == one] for one in np.unique(factor)]
    return sum(float(((group - group.mean(axis=0)) ** 2).sum()) for group in groups)


def test_values_within_one_per_cent_are_one_level():
    assert levels([3.0, 1.0, 1.009, 3.02, 1.02]).tolist() == [2, 0, 0, 2, 1]
    assert levels([1e-9, 5.0]).tolist() == [0, 1]


def test_one_factor_in_groups_is_epsilon_squared():
    y = drawn(0)
    total = float(((y - y.mean()) ** 2).sum())
    expected = 1 - (within(y, A) / (12 - 3)) / (total / (12 - 1))
    found = explained(design([A]), y)
    assert found.share == pytest.approx(expected)
    assert found.freedom == 9


def test_a_continuous_factor_is_the_adjusted_r_squared_of_a_quadratic():
    rng = np.random.default_rng(1)
    x = np.exp(rng.uniform(0, 3, 20))
    y = 1 + np.log(x) - np.log(x) ** 2 + rng.standard_normal(20)
    residual = y - np.polyval(np.polyfit(np.log(x), y, 2), np.log(x))
    expected = 1 - (residual @ residual / 17) / y.var(ddof=1)
    # values within 1% count as one
    assert explained(design([x]), y[:, None]).share == pytest.approx(expected, abs=1e-3)


def test_settings_that_are_equal_to_one_per_cent_are_no_factor():
    x = np.array([1.0, 1.001, 1.002, 1.003, 5.0, 5.01, 5.02, 5.03])
    assert design([x]).rank == 1
    assert design([x[:4]]).rank == 0
    np.testing.assert_allclose(
        shares(design([x]), drawn(5)[:8]), shares(design([np.repeat([1.0, 5.0], 4)]), drawn(5)[:8]), rtol=1e-9
    )


def test_a_factor_beside_another_is_that_of_the_two_way_table():
    y = drawn(2)
    total = float(((y - y.mean()) ** 2).sum())
    of_a, of_b = total - within(y, A), total - within(y, B)
    error = (total - of_a - of_b) / (12 - 1 - 2 - 1)
    assert explained(design([A], beside=[B]), y).share == pytest.approx((of_a - 2 * error) / total)
    assert explained(design([B], beside=[A]), y).share == pytest.approx((of_b - error) / total)
    assert explained(design([A, B]), y).share == pytest.approx((of_a + of_b - 3 * error) / total)


def test_the_share_of_a_curve_is_that_of_its_columns_by_their_variances():
    y = drawn(3, columns=5) * [1, 2, 3, 4, 5]
    of = design([A], beside=[B])
    weights = y.var(axis=0)
    assert explained(of, y).share == pytest.approx(np.average(shares(of, y), weights=weights))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 99), st.floats(0.1, 10), st.floats(-10, 10))
def test_units_and_the_order_of_the_trials_do_not_matter(seed, scale, shift):
    y, order = drawn(seed), np.random.default_rng(seed).permutation(12)
    expected = shares(design([A], beside=[B]), y)
    moved = shares(design([3 * A[order]], beside=[B[order] / 7]), scale * y[order] + shift)
    np.testing.assert_allclose(moved, expected, rtol=1e-6, atol=1e-9)


def test_a_factor_that_does_nothing_has_a_share_of_zero_on_average_and_is_shown_once_in_twenty(monkeypatch):
    monkeypatch.setattr("hpsearch.statistics.explained.SHUFFLES", 199)
    rng = np.random.default_rng(4)
    of = design([B], beside=[A])
    found = [explained(of, np.log(A)[:, None] + rng.standard_normal((12, 1)), seed) for seed in range(300)]
    assert np.mean([one.share for one in found]) == pytest.approx(0, abs=0.02)
    assert np.mean([one.p_value <= 0.05 for one in found]) == pytest.approx(0.05, abs=0.035)
    assert np.mean([one.share > one.chance for one in found]) == pytest.approx(0.05, abs=0.035)


def test_a_factor_that_explains_everything_is_beyond_chance():
    found = explained(design([A]), np.log(A)[:, None])
    assert found.share == pytest.approx(1)
    assert found.p_value == pytest.approx(0.001)
    assert found.chance < 0.6


@pytest.mark.parametrize(
    ("factors", "beside", "values"),
    [
        ([np.ones(12)], [], drawn(0)),
        ([A], [A**2], drawn(0)),
        ([A], [B], np.full((12, 1), 0.6)),
        ([A[:5]], [], drawn(0)[:5][:, :0]),
        ([np.arange(1.0, 5)], [], drawn(0)[:4]),
    ],
    ids=["one value", "goes with the other", "nothing varies", "no columns", "too few"],
)
def test_where_nothing_can_be_said_nothing_is(factors, beside, values):
    of = design(factors, beside=beside)
    assert explained(of, values) is None
    assert np.isnan(shares(of, values)).all()


def test_others_that_explain_everything_leave_nothing():
    found = explained(design([B], beside=[A]), A[:, None])
    assert found.share == pytest.approx(0, abs=1e-12)
    assert found.p_value > 0.05
