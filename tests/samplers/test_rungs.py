"""Which settings run longer, and what a sampler is told of runs of several lengths."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.samplers.rungs import Rungs
from hpsearch.space.blocks import Fidelity, Objective
from hpsearch.trial import PendingTrial, Status
from tests.samplers.trials import finished

LENGTHS = (2, 6, 18)
RUNGS = Rungs(Fidelity(epochs=LENGTHS), Objective(metric="val_loss", mode="min"))


def ended(number, setting, rung, loss, status=Status.COMPLETED):
    schedule = None if rung == 2 else LENGTHS[rung]
    return finished(number, {"lr": float(setting)}, loss, status, schedule=schedule)


def short(losses, first=0):
    return [ended(first + number, number, 0, loss) for number, loss in enumerate(losses)]


def test_one_setting_of_three_is_promoted_the_best_first():
    assert RUNGS.promotion(short([3, 1]), [], left=99) is None
    assert RUNGS.promotion(short([3, 1, 2]), [], left=99) == ({"lr": 1.0}, 1)
    assert RUNGS.promotion(short([3, 1, 2, 9, 9]), [PendingTrial(5, {"lr": 1.0}, 0, schedule=6)], left=99) is None
    six = short([3, 1, 2, 9, 9, 9])
    assert RUNGS.promotion([*six, ended(6, 1, 1, 0.5)], [], left=99) == ({"lr": 2.0}, 1)


def test_the_highest_rung_promotes_first():
    trials = [*short([1, 2, 3, 4, 5, 6, 7, 8, 9]), *(ended(10 + s, s, 1, s) for s in range(3))]
    assert RUNGS.promotion(trials, [], left=99) == ({"lr": 0.0}, 2)


def test_a_search_climbs_before_it_ends():
    two = short([3, 1])
    assert RUNGS.promotion(two, [], left=3) is None
    assert RUNGS.promotion(two, [], left=2) == ({"lr": 1.0}, 1)
    assert RUNGS.promotion([*two, ended(2, 1, 1, 1)], [], left=1) == ({"lr": 1.0}, 2)


def test_what_diverged_or_failed_is_never_promoted():
    trials = [ended(0, 0, 0, math.nan, Status.DIVERGED), ended(1, 1, 0, None, Status.FAILED)]
    assert RUNGS.promotion(trials, [], left=1) is None


@given(st.permutations(range(9)), st.randoms())
def test_promotion_does_not_depend_on_the_order_of_the_history(losses, random):
    trials = [*short(losses), *(ended(10 + s, s, 1, losses[s]) for s in range(3))]
    shuffled = random.sample(trials, len(trials))
    assert RUNGS.promotion(shuffled, [], left=99) == RUNGS.promotion(trials, [], left=99)


def test_a_sampler_sees_each_setting_once_as_if_it_had_run_to_the_full_length():
    history = [*short([2.0, 1.8, 1.9]), ended(3, 1, 1, 1.2), ended(4, 2, 1, 1.5), ended(5, 1, 2, 1.0)]
    seen = RUNGS.comparable(history)
    # gains: -0.6 and -0.4 from 2 to 6 epochs, -0.2 from 6 to 18
    assert {(one.number, one.config["lr"]): one.final for one in seen} == pytest.approx(
        {(0, 0.0): 2.0 - 0.5 - 0.2, (2, 2.0): 1.5 - 0.2, (1, 1.0): 1.0}
    )
    assert all(one.schedule is None for one in seen)


def test_a_diverged_run_is_told_and_a_failed_one_too():
    seen = RUNGS.comparable([ended(0, 0, 0, math.inf, Status.DIVERGED), ended(1, 1, 0, None, Status.FAILED)])
    assert [one.status for one in seen] == [Status.DIVERGED, Status.FAILED]


def test_maximised_objectives_are_ranked_and_moved_the_other_way():
    rungs = Rungs(Fidelity(epochs=(1, 2)), Objective(metric="val_accuracy", mode="max"))
    trials = [finished(n, {"lr": float(n)}, value, schedule=1) for n, value in enumerate([0.5, 0.7])]
    assert rungs.promotion(trials, [], left=99) == ({"lr": 1.0}, 1)
    seen = rungs.comparable([*trials, finished(2, {"lr": 1.0}, 0.8)])
    assert [one.final for one in seen] == pytest.approx([0.6, 0.8])


def test_a_rung_that_ranks_backwards_is_left_out():
    losses = np.arange(8.0)
    good = [*short(losses), *(ended(10 + s, s, 1, losses[s]) for s in range(8))]
    assert RUNGS.lowest(good) == 0
    bad = [*short(losses), *(ended(10 + s, s, 1, -losses[s]) for s in range(8))]
    assert RUNGS.lowest(bad) == 1
    assert RUNGS.promotion(bad, [], left=99) == ({"lr": 7.0}, 2)  # of the second rung; the first promotes no more
