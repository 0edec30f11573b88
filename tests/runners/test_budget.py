"""What a budget will come to."""

from hpsearch.runners.budget import Budget
from tests.runners.scripted import Clock


def test_without_hours_the_trials_are_those_of_the_space():
    assert Budget(64).projected(10, 5) == 64


def test_with_hours_they_are_what_the_pace_of_this_session_allows():
    clock = Clock()
    budget = Budget(100, hours=1, clock=clock)
    assert budget.projected(20, 0) == 100, "nothing has ended yet: nothing is known of the pace"
    clock.seconds = 1800
    assert budget.projected(30, 10) == 40, "ten in the first half, so ten in the second"
    assert budget.projected(30, 60) == 90
    assert budget.projected(95, 60) == 100, "not more than the trials"
    clock.seconds = 3599
    assert budget.projected(50, 10) == 51, "the one that is about to start"
