"""The noise of one run against the analysis of variance and simulated groups."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from hpsearch.statistics.seed_variance import SeedVariance, seed_variance

Groups = list[list[float]]


def drawn(settings: int, runs: int, growth: float, seed: int) -> Groups:
    """Losses with gaps from 0 to 200, and a std from 1 to 3^growth."""
    rng = np.random.default_rng(seed)
    return [(x * 100 + (1 + x) ** growth * rng.normal(size=runs)).tolist() for x in np.linspace(0, 2, settings)]


def found(groups: Groups) -> SeedVariance:
    noise = seed_variance(groups)
    assert noise is not None
    return noise


def test_without_repeats_it_is_unknown() -> None:
    assert seed_variance([[1.0], [2.0], [0.5]]) is None


def test_settings_alike_give_the_mean_square_within_groups() -> None:
    groups = [[0.0, 2.0], [1.0, 1.2, 0.8], [0.9, 1.1]]
    noise = found(groups)
    within = (2.0 + 0.08 + 0.02) / 4
    assert noise == SeedVariance(pytest.approx(np.sqrt(within)), 4.0, 0.0, pytest.approx(1.0, abs=1.0))
    assert noise.std_at([0.0, 5.0]).tolist() == [noise.std, noise.std]


def test_the_run_that_made_a_setting_worth_another_is_left_out() -> None:
    groups = [[-9.0, 0.1, 0.3, 0.2, 0.0], [4.0], [5.0]]
    assert found(groups).std == pytest.approx(np.std(groups[0][1:], ddof=1))
    assert found(groups).freedom == 3
    assert found(groups[:1]).std == pytest.approx(np.std(groups[0], ddof=1)), "all were repeated: none was chosen"
    few = [[-9.0, 0.1, 0.3], [4.0]]
    assert found(few).std == pytest.approx(np.std(few[0], ddof=1)), "too few runs would be left"


@pytest.mark.parametrize("growth", [0.0, 0.4, 0.8])
def test_growth_is_found_where_there_are_enough_runs(growth: float) -> None:
    noises = [found(drawn(60, 6, growth, seed)) for seed in range(20)]
    far = [float(noise.std_at(200.0)) for noise in noises]
    assert np.mean([noise.std for noise in noises]) == pytest.approx(1, abs=0.08)
    assert np.mean(far) == pytest.approx(3**growth, rel=0.08)


def test_few_runs_leave_it_nearly_constant() -> None:
    growths = [found(drawn(3, 2, 0.0, seed)).growth for seed in range(300)]
    assert np.mean(growths) < 0.3


@pytest.mark.parametrize("growth", [0.0, 0.25, 1.0])
def test_noise_is_seldom_understated_by_more_than_its_freedom_allows(growth: float) -> None:
    """That is, below the 5% point of its chi-square law in 5% of 1,000 estimates, and 3 points more at most."""
    noises = [found(drawn(20, 3, growth, seed)) for seed in range(1000)]
    ranks = np.array([chi2.cdf(noise.freedom * noise.std**2, noise.freedom) for noise in noises])
    assert (ranks < 0.05).mean() <= 0.08


def test_repeats_that_agree_leave_no_noise() -> None:
    noise = found([[1.0, 1.0], [2.0, 2.0, 2.0], [3.0]])
    assert (noise.std, noise.freedom) == (0.0, 3.0)
    assert noise.std_at([0.0, 9.0]).tolist() == [0.0, 0.0]


runs = st.lists(st.integers(-80, 80).map(lambda loss: loss / 8), min_size=1, max_size=4)


@given(st.lists(runs, min_size=1, max_size=8), st.sampled_from([0.25, 2.0, 1024.0]))
def test_it_scales_with_the_losses(groups: Groups, scale: float) -> None:
    noise, scaled = seed_variance(groups), seed_variance([[scale * loss for loss in group] for group in groups])
    if noise is None or scaled is None:
        assert noise is scaled
        return
    assert scaled.std == pytest.approx(scale * noise.std)
    assert (scaled.growth, scaled.freedom) == pytest.approx((noise.growth, noise.freedom))


@given(st.lists(runs, min_size=1, max_size=8))
def test_it_never_shrinks_away_from_the_optimum(groups: Groups) -> None:
    noise = seed_variance(groups)
    if noise is not None:
        assert (np.diff(noise.std_at(np.linspace(-1, 50, 20))) >= 0).all()
        assert 0 < noise.freedom <= sum(len(group) - 1 for group in groups)
