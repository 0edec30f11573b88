import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.runners.stopping import MIN_PEERS, RULES, Halving, Median, at, rule, rungs

LOSSES = st.lists(st.lists(st.floats(-10, 10), min_size=8, max_size=8), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("grace", "expected"), [(0.5, [0.5]), (0.25, [0.25, 0.5]), (1.0, []), (0.1, [0.1, 0.2, 0.4, 0.8])]
)
def test_rungs_double_from_the_grace_and_stay_below_the_end(grace, expected):
    assert rungs(grace) == expected


@pytest.mark.parametrize(("epochs", "first"), [(24, 17), (10, 7), (5, 4), (3, 3), (100, 70)])
def test_the_first_epoch_at_or_after_a_share_is_not_missed_by_rounding(epochs, first):
    assert next(epoch for epoch in range(1, epochs + 1) if epoch >= at(0.7, epochs)) == first


@pytest.mark.parametrize("name", ["median", "halving"])
def test_trials_of_different_lengths_are_compared_at_the_same_share(name):
    made = RULES[name](0.5)
    for number in range(MIN_PEERS):
        for epoch in range(1, 21):
            assert not made.stops(number, epoch, 1.0 - epoch / 20, 20)
    assert not made.stops(8, 1, 0.9, 4), "a quarter of its own schedule is before the grace"
    assert not made.stops(8, 2, 0.49, 4), "half-way it is better than the others were half-way"
    assert made.stops(9, 2, 0.51, 4)
    assert not made.stops(10, 4, 9.0, 4), "at its end nobody is stopped"


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
    history = [(number, 10, [(epoch, float(number)) for epoch in range(1, 6)]) for number in range(6)]
    for name in ("median", "halving"):
        assert rule(name, 0.5, history).stops(9, 5, 5.5, 10)
        assert not rule(name, 0.5, history).stops(9, 5, -1.0, 10)


def test_none_never_stops():
    made = rule("none", 0.5, [])
    assert not any(made.stops(number, 5, math.inf, 10) for number in range(20))
