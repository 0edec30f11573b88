"""Ranks against SciPy's."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import rankdata, spearmanr

from hpsearch.statistics.ranks import ranks, spearman

values = st.lists(st.integers(-5, 5), min_size=2, max_size=30)


@given(values)
def test_ranks_are_those_of_scipy_also_where_values_are_equal(some: list[int]) -> None:
    assert ranks(some).tolist() == rankdata(some).tolist()


@given(values, st.randoms())
def test_the_correlation_is_that_of_scipy(some: list[int], random) -> None:
    other = random.sample(some, len(some))
    assume(len({*some}) > 1)
    assert spearman(some, other) == pytest.approx(spearmanr(some, other).statistic, abs=1e-12)


def test_order_is_all_that_counts() -> None:
    x = np.array([3.0, 1.0, 2.0])
    assert spearman(x, np.exp(x)) == pytest.approx(1) and spearman(x, -x) == pytest.approx(-1)
