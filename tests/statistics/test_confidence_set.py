"""Tied sets against t-tests and Dunnett's test, and the laws they keep; how often they hold is in test_coverage."""

import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import dunnett, ttest_ind

from hpsearch.statistics.confidence_set import ConfidenceSet, confidence_set

Groups = list[list[float]]

losses = st.integers(-80, 80).map(lambda loss: loss / 8)
several = st.lists(st.lists(losses, min_size=1, max_size=4), min_size=1, max_size=8)


def found(groups: Groups, confidence: float = 0.95) -> ConfidenceSet:
    tied = confidence_set(groups, confidence)
    assert tied is not None
    return tied


def with_equal_spread(groups: Sequence[np.ndarray]) -> Groups:
    """The groups about their means with a std of 1, so that nothing says that the noise grows."""
    return [(group.mean() + (group - group.mean()) / group.std(ddof=1)).tolist() for group in groups]


def indices(groups: Groups, confidence: float = 0.95) -> list[int]:
    return [member.index for member in found(groups, confidence).members]


def test_without_repeats_there_is_none() -> None:
    assert confidence_set([[1.0], [2.0]]) is None


@pytest.mark.parametrize("seed", range(10))
def test_two_settings_are_compared_by_a_t_test(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = with_equal_spread([rng.normal(0, 1, 4), rng.normal(1, 1, 7)])
    first, second = sorted((0, 1), key=lambda i: float(np.mean(groups[i])))
    p_value = float(ttest_ind(groups[second], groups[first], alternative="greater").pvalue)
    for confidence in (1 - p_value - 0.002, 1 - p_value + 0.002):
        assert indices(groups, confidence) == ([first, second] if p_value > 1 - confidence else [first])


@pytest.mark.parametrize("seed", range(5))
def test_settings_with_equally_many_runs_are_compared_by_dunnetts_test(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.array(with_equal_spread(rng.normal(size=(6, 5)) + np.linspace(0, 1.5, 6)[:, None]))
    expected = {
        i
        for i in range(6)
        if dunnett(*np.delete(values, i, axis=0), control=values[i], alternative="less", rng=rng).pvalue.min() > 0.05
    }
    assert set(indices(values.tolist())) == expected


def test_hopeless_settings_do_not_compete() -> None:
    close = [[0.0, 0.2, -0.1, 0.1], [0.25, 0.3, 0.2, 0.35], [0.5, 0.45, 0.4, 0.6]]
    hopeless: Groups = [[50.0 + i] for i in range(200)]
    alone, among = found(close), found([*close, *hopeless])
    assert [member.index for member in among.members] == [member.index for member in alone.members]
    assert among.shows(4) == pytest.approx(alone.shows(4), rel=0.4)


def test_the_best_is_the_one_with_the_least_adjusted_loss_not_the_luckiest_run() -> None:
    steady = [0.2, -0.2, 0.1, -0.1, 0.15, -0.15]
    tied = found([[-0.05], steady, [0.1, 0.4], [0.3], [0.2, 0.5], [0.35]])
    lucky = tied.members[0]
    assert (lucky.index, tied.best.index) == (0, 1)
    assert lucky.adjusted > lucky.mean
    assert lucky.standard_error > tied.best.standard_error


def test_repeats_without_noise_leave_the_settings_with_the_least_mean() -> None:
    tied = found([[1.0, 1.0], [2.0], [1.0]])
    assert [member.index for member in tied.members] == [0, 2]
    assert (tied.best.adjusted, tied.best.standard_error, tied.shows(1)) == (1.0, 0.0, 0.0)


@pytest.mark.parametrize(("tied", "most"), [(1, 0.8), (4, 0.97)])
@pytest.mark.parametrize("runs", [1, 12])
def test_what_a_study_shows_is_left_out_four_times_of_five(tied: int, most: float, runs: int) -> None:
    """More often where many are tied, for it must only look worse than one; a share of 500 is known to 7 points."""
    rng, studies = np.random.default_rng(runs), 500
    close = [rng.normal(size=(tied, 12)) for _ in range(studies)]
    shown = [found([*groups.tolist(), [99.0]]) for groups in close[:50]]
    excess = float(np.mean([one.shows(runs) for one in shown]))
    left = [tied not in indices([*groups.tolist(), (excess + rng.normal(size=runs)).tolist()]) for groups in close]
    assert 0.8 - 0.07 <= np.mean(left) <= most + 0.07


@given(several, st.sampled_from([0.5, 2.0, 64.0]), st.integers(-64, 64), st.randoms(use_true_random=False))
def test_order_unit_and_zero_of_the_losses_do_not_matter(groups: Groups, scale: float, shift: int, random) -> None:
    tied = confidence_set(groups)
    order = list(range(len(groups)))
    random.shuffle(order)
    other = confidence_set([[scale * (loss + shift) for loss in groups[i]] for i in order])
    if tied is None or other is None:
        assert tied is other
        return
    assert {order[member.index] for member in other.members} == {member.index for member in tied.members}
    assert other.shows(1) == pytest.approx(scale * tied.shows(1), rel=1e-2, abs=1e-9)
    assert other.best.adjusted == pytest.approx(scale * (tied.best.adjusted + shift), abs=1e-6 * scale)


@given(several, st.floats(0.5, 0.98), st.floats(0, 0.9))
def test_more_confidence_keeps_more_and_the_best_always(groups: Groups, confidence: float, more: float) -> None:
    small, large = confidence_set(groups, confidence), confidence_set(groups, confidence + more * (1 - confidence))
    if small is None or large is None:
        return
    means = [member.mean for member in large.members]
    assert {member.index for member in small.members} <= {member.index for member in large.members}
    assert means == sorted(means)
    assert small.members[0].mean == pytest.approx(min(sum(group) / len(group) for group in groups))
    assert small.best in small.members
    assert small.shows(2) <= small.shows(1)


def test_two_hundred_settings_take_a_moment() -> None:
    rng = np.random.default_rng(0)
    groups = [rng.normal(size=1 + i % 4).tolist() for i in range(200)]
    start = time.process_time()
    found(groups)
    assert time.process_time() - start < 0.3
