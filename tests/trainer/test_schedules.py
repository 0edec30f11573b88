import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from trainer.schedules import Schedule, Schedules

KNOTS = st.lists(st.integers(1, 1000), min_size=0, max_size=6, unique=True).map(lambda later: [0, *sorted(later)])
VALUES = st.floats(0, 100, allow_subnormal=False).map(lambda value: round(value, 6))


@st.composite
def schedules(draw: st.DrawFn, least_knots: int = 1) -> Schedule:
    epochs = draw(KNOTS.filter(lambda knots: len(knots) >= least_knots))
    values = [draw(VALUES) for _ in epochs]
    return Schedule(epochs=[float(epoch) for epoch in epochs], values=values)


def by_hand(schedule: Schedule, at: float) -> float:
    """The definition: the straight line between the neighbouring knots, constant outside."""
    knots = list(zip(schedule.epochs, schedule.values, strict=True))
    for (left, low), (right, high) in itertools.pairwise(knots):
        if left <= at <= right:
            return low + (high - low) * (at - left) / (right - left)
    return knots[-1][1]


def test_post_4_learning_rates() -> None:
    lr = Schedule(epochs=(0, 5, 24), values=(0, 0.4, 0))
    assert [lr.at(epoch) for epoch in (0, 2.5, 5, 14.5, 24, 30)] == pytest.approx([0, 0.2, 0.4, 0.2, 0, 0])


@given(schedules(), st.floats(0, 1200))
def test_is_piecewise_linear(schedule: Schedule, at: float) -> None:
    assert schedule.at(at) == pytest.approx(by_hand(schedule, at), abs=1e-9)


@given(schedules(), st.floats(1e-3, 10), st.floats(0, 1200))
def test_a_new_peak_scales_every_value(schedule: Schedule, peak: float, at: float) -> None:
    scaled = schedule.with_peak(peak)
    assert scaled.peak == peak
    expected = schedule.at(at) / schedule.peak * peak if schedule.peak else peak
    assert scaled.at(at) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(schedules(), st.floats(0.01, 100), st.floats(0, 1200))
def test_stretching_is_a_change_of_the_unit_of_time(schedule: Schedule, factor: float, at: float) -> None:
    assert schedule.stretched(factor).at(at * factor) == pytest.approx(schedule.at(at), rel=1e-6, abs=1e-6)


@given(st.floats(0.1, 23.9))
def test_the_peak_moves_and_the_ends_stay(at: float) -> None:
    moved = Schedule(epochs=(0, 2.5, 5, 24), values=(0, 0.3, 0.4, 0)).with_peak_at(at)
    assert (moved.peak_epochs, moved.epochs[0], moved.epochs[-1]) == (pytest.approx(at), 0, 24)
    assert moved.epochs[1] == pytest.approx(at / 2)
    assert moved.values == (0, 0.3, 0.4, 0)


@pytest.mark.parametrize("knots", [((0,), (0.9,)), ((0, 5), (1, 0)), ((0, 5), (0, 1))])
def test_a_peak_at_an_end_cannot_be_moved(knots: tuple[tuple[float, ...], tuple[float, ...]]) -> None:
    assert Schedule(epochs=knots[0], values=knots[1]).peak_epochs is None


@pytest.mark.parametrize(
    ("epochs", "values", "said"),
    [
        ([0, 5], [0], "one value for each knot"),
        ([1, 5], [0, 1], "ascend from 0"),
        ([0, 5, 5], [0, 1, 2], "ascend from 0"),
        ([0, 5, 4], [0, 1, 2], "ascend from 0"),
        ([], [], "at least 1"),
        ([0], [-1], "greater than or equal to 0"),
        ([0], [np.nan], "finite"),
        ([0], ["1"], "valid number"),
    ],
)
def test_refuses_what_is_no_schedule(epochs: list[float], values: list[float], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Schedule(epochs=epochs, values=values)


def test_the_three_schedules_have_their_ranges() -> None:
    one, zero = Schedule(epochs=(0,), values=(1,)), Schedule(epochs=(0,), values=(0,))
    Schedules(lr=one, weight_decay=zero, momentum=zero)
    with pytest.raises(ValidationError, match="rise above 0"):
        Schedules(lr=zero, weight_decay=zero, momentum=zero)
    with pytest.raises(ValidationError, match="below 1"):
        Schedules(lr=one, weight_decay=zero, momentum=one)
