"""What the Gaussian process is told of trials that did not run to their end."""

import numpy as np
import pytest

from hpsearch.samplers.model import Model
from hpsearch.trial import FinishedTrial, Status
from tests.samplers.trials import finished
from tests.space.examples import LR, make_space

LRS = (0.001, 0.01, 0.1, 1.0)
COMPLETED = [
    finished(n, {"lr": lr}, final, curve=((1, early), (2, final)))
    for n, (lr, early, final) in enumerate(zip(LRS, (2.0, 1.5, 1.2, 3.0), (1.0, 0.6, 0.5, 2.5), strict=True))
]


def told(*more: FinishedTrial) -> list[float]:
    """The standardised losses that the process is fitted to, in the order of the numbers."""
    surrogate = Model(make_space({"lr": LR})).fit([*more, *COMPLETED])
    assert surrogate is not None
    values: list[float] = surrogate.regressor._y_train.squeeze(-1).tolist()
    return values


@pytest.mark.parametrize(("early", "like"), [(1.9, 0), (1.45, 1), (0.1, 2), (9.0, 3)])
def test_a_stopped_trial_counts_as_the_one_that_it_was_like(early: float, like: int) -> None:
    stopped = finished(4, {"lr": 0.03}, early, Status.STOPPED, ((1, early),))
    values = told(stopped)
    assert values[4] == values[like]


def test_a_stopped_trial_that_nobody_can_be_compared_with_is_left_out() -> None:
    later = finished(4, {"lr": 0.03}, 0.1, Status.STOPPED, ((1, 0.3), (3, 0.1)))
    assert len(told(later)) == 4
    assert len(told(finished(4, {"lr": 0.03}, 0.1, Status.STOPPED, ()))) == 4


def test_a_diverged_trial_is_as_bad_as_the_worst_and_a_failed_one_says_nothing() -> None:
    values = told(
        finished(4, {"lr": 0.5}, None, Status.DIVERGED, ()), finished(5, {"lr": 0.5}, None, Status.FAILED, ())
    )
    assert len(values) == 5
    assert values[4] == values[3] == max(values)
    assert np.mean(values) == pytest.approx(0, abs=1e-12) and np.std(values) == pytest.approx(1)
