"""Rank correlations, also of pairs that were chosen by their first value."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from hpsearch.statistics.rank_correlation import LEAST, agreement


def drawn(rng, n, r):
    x = rng.normal(size=n)
    return x, r * x + np.sqrt(1 - r * r) * rng.normal(size=n)


def test_with_all_pairs_it_is_spearmans():
    x, y = drawn(np.random.default_rng(0), 40, 0.6)
    found = agreement(list(x), list(zip(x, y, strict=True)))
    assert found.value == pytest.approx(found.observed) == spearmanr(x, y).statistic
    assert found.low < found.value < found.high and found.n == 40


def test_nothing_is_said_of_few_pairs_or_of_equal_values():
    assert agreement([1, 2, 3], [(1, 1), (2, 2), (3, 3)][: LEAST - 1]) is None
    assert agreement([1, 2, 3, 4, 5], [(one, 1.0) for one in range(5)]) is None


@pytest.mark.parametrize("r", [0.0, 0.5, 0.9])
def test_pairs_chosen_by_their_first_value_say_what_all_pairs_would(r):
    """The best third of 60 settings is looked at twice: the plain correlation is too small, the restored one is not."""
    rng = np.random.default_rng(1)
    found, covered, plain, studies = [], 0, [], 400
    truth = 6 / np.pi * np.arcsin(r / 2)  # Spearman's of a bivariate normal (K. Pearson 1907)
    for _ in range(studies):
        x, y = drawn(rng, 60, r)
        chosen = np.argsort(x)[:20]
        one = agreement(list(x), list(zip(x[chosen], y[chosen], strict=True)))
        found.append(one.value)
        plain.append(one.observed)
        covered += one.low <= truth <= one.high
    assert np.mean(found) == pytest.approx(truth, abs=0.08)
    if r:
        assert np.mean(plain) < truth - 0.12
    # 90% nominal; 400 studies have a standard error of 1.5 points, and restoring ranks is an approximation
    assert 0.84 < covered / studies < 0.97


@pytest.mark.parametrize("n", [4, 5, 6])
def test_a_few_pairs_in_perfect_order_are_no_certainty(n):
    """The interval holds the truth in 90% of the studies; were a perfect order believed, in 57% of those of 4 pairs."""
    rng, truth, studies = np.random.default_rng(2), 6 / np.pi * np.arcsin(0.9 / 2), 400
    samples = [drawn(rng, n, 0.9) for _ in range(studies)]
    found = [agreement(list(x), list(zip(x, y, strict=True))) for x, y in samples]
    assert sum(one.low <= truth <= one.high for one in found) / studies > 0.9
    perfect = agreement(range(n), [(one, one) for one in range(n)])
    assert perfect.observed == pytest.approx(1)
    assert perfect.low < perfect.value < perfect.high < 1
