import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.runners.stopping import MIN_PEERS, RULES, Halving, Median, rule, rungs

LOSSES = st.lists(st.lists(st.floats(-10, 10), min_size=8, max_size=8), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("grace", "epochs", "expected"),
    [(0.5, 24, [12]), (0.25, 24, [6, 12]), (0.5, 5, [3]), (1.0, 24, []), (0.1, 10, [1, 2, 4, 8]), (0.5, 1, [])],
)
def test_rungs_double_from_the_grace_and_stay_below_the_end(grace, epochs, expected):
    assert rungs(grace, epochs) == expected


@given(st.floats(0.01, 1), st.integers(1, 200))
def test_no_rung_lies_before_the_grace_or_at_the_end(grace, epochs):
    assert all(grace * epochs <= rung < epochs for rung in rungs(grace, epochs))


@given(LOSSES, st.sampled_from(["median", "halving"]), st.floats(0.01, 1))
def test_nothing_stops_before_the_grace_at_the_end_or_without_peers(curves, name, grace):
    made = RULES[name](grace)
    for number, curve in enumerate(curves):
        for epoch, loss in enumerate(curve, start=1):
            stopped = made.stops(number, epoch, loss, len(curve))
            assert not (stopped and (epoch < grace * len(curve) or epoch == len(curve) or number < MIN_PEERS))


@given(LOSSES)
def test_median_agrees_with_its_definition(curves):
    made = Median(0.5)
    for number, curve in enumerate(curves):
        for epoch, loss in enumerate(curve, start=1):
            others = [other[epoch - 1] for other in curves[:number]]
            expected = 4 <= epoch < 8 and len(others) >= MIN_PEERS and loss > statistics.median(others)
            assert made.stops(number, epoch, loss, 8) == expected


@given(LOSSES)
def test_halving_agrees_with_its_definition(curves):
    made = Halving(0.25)
    for number, curve in enumerate(curves):
        for epoch, loss in enumerate(curve, start=1):
            better = sum(other[epoch - 1] < loss for other in curves[:number])
            expected = epoch in (2, 4) and number >= MIN_PEERS and better >= (number + 1) / 2
            assert made.stops(number, epoch, loss, 8) == expected


def test_halving_compares_once_when_a_report_jumps_over_its_rung():
    made = Halving(0.5)
    for number in range(MIN_PEERS):
        assert not made.stops(number, 7, 0.0, 10)
    assert not made.stops(9, 4, 1.0, 10)
    assert made.stops(9, 6, 1.0, 10)


def test_equal_losses_stop_nobody():
    for name in ("median", "halving"):
        made = RULES[name](0.5)
        assert not any(made.stops(number, 5, 1.0, 10) for number in range(20))


def test_an_unknown_schedule_stops_nobody():
    for name in ("median", "halving"):
        made = RULES[name](0.1)
        assert not any(made.stops(number, 5, float(number), None) for number in range(20))


def test_a_rule_with_a_history_goes_on_as_if_it_had_seen_it_live():
    curves = [(number, [(epoch, float(number)) for epoch in range(1, 6)]) for number in range(6)]
    for name in ("median", "halving"):
        assert rule(name, 0.5, curves, 10).stops(9, 5, 5.5, 10)
        assert not rule(name, 0.5, curves, 10).stops(9, 5, -1.0, 10)


def test_none_never_stops():
    made = rule("none", 0.5, [], 10)
    assert not any(made.stops(number, 5, math.inf, 10) for number in range(20))
