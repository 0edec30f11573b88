"""A log1m scale in Optuna's samplers: told and asked as 1 - x on a log scale, without leaving the range."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution

from hpsearch.samplers.optuna_samplers import OptunaSampler
from hpsearch.samplers.optuna_study import MirroredStudy, asked, distribution, told
from hpsearch.space.numeric import Real
from hpsearch.trial import FinishedTrial
from tests.samplers.trials import finished
from tests.space.examples import make_space, units

MOMENTUM = {"type": "real", "low": 0.5, "high": 0.999, "scale": "log1m"}

ranges = st.tuples(*[st.floats(0, 1, exclude_max=True)] * 2).map(
    lambda ends: Real(low=min(ends), high=max(ends), scale="log1m")
)


@given(ranges, units)
def test_what_is_told_is_in_the_distribution_and_what_is_asked_in_the_range(parameter: Real, u: float) -> None:
    known = distribution(parameter)
    assert isinstance(known, FloatDistribution)
    assert known.log and 0 < known.low <= known.high <= 1
    value = parameter.from_unit(u)
    there = told(parameter, value)
    assert known.low <= there <= known.high
    back = asked(parameter, float(there))
    assert parameter.contains(back)
    assert back == pytest.approx(value, abs=2**-53)
    assert told(parameter, back) == there, "a suggestion that is told is told the same each time"


@given(ranges, units)
def test_what_optuna_asks_is_in_the_range(parameter: Real, u: float) -> None:
    known = distribution(parameter)
    assert isinstance(known, FloatDistribution)
    value = math.exp(math.log(known.low) * (1 - u) + math.log(known.high) * u)
    assert parameter.contains(asked(parameter, min(max(value, known.low), known.high)))


def test_the_study_is_told_the_distance_from_one() -> None:
    study = MirroredStudy(make_space({"momentum": MOMENTUM})).sync([finished(0, {"momentum": 0.9}, 1.0)], [])
    (trial,) = study.trials
    assert trial.params == {"momentum": 1 - 0.9}
    assert trial.distributions["momentum"] == FloatDistribution(1 - 0.999, 0.5, log=True)


@pytest.mark.parametrize("name", ["tpe", "gp"])
def test_the_samplers_find_an_optimum_near_one(name: str) -> None:
    """The best lies in the last hundredth of the range, which is a seventh of its scale."""
    space = make_space({"momentum": MOMENTUM}, sampler={"name": name, "startup_trials": 4})
    loss: Callable[[float], float] = lambda x: abs(math.log((1 - x) / 0.003))  # noqa: E731
    history: list[FinishedTrial] = []
    for number in range(16):
        config = OptunaSampler(space).suggest(history, [], number)
        assert space.parameters["momentum"].contains(config["momentum"])
        history.append(finished(number, config, loss(float(config["momentum"]))))
    assert np.min([trial.objective for trial in history]) < 0.3
