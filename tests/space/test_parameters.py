"""Laws of every kind of parameter, and their distributions against closed forms."""

import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hpsearch.contract import Value
from hpsearch.space.parameters import Choice, Constant, Integer, Parameter, Real
from tests.space.examples import choices, integers, parameters, reals, stepped_reals, units

ALMOST_ONE = math.nextafter(1.0, 0.0)
FALSE_ALARM = 1e-6
"""Chance that a correct program fails a statistical test; the draws are fixed, so it happens never or always."""


@given(parameters, units)
def test_every_point_maps_to_a_value_of_the_parameter(parameter: Parameter, u: float) -> None:
    value = parameter.from_unit(u)
    assert type(value) in (bool, int, float, str)
    assert parameter.contains(value)
    assert parameter.canonical(value) == value


@given(parameters, units)
def test_a_value_maps_back_into_its_own_cell(parameter: Parameter, u: float) -> None:
    value = parameter.from_unit(u)
    back = parameter.to_unit(value)
    assert 0 <= back <= 1
    again = parameter.from_unit(back)
    assert again == (pytest.approx(value, rel=1e-6, abs=1e-9) if isinstance(value, float) else value)


@given(stepped_reals() | integers() | choices, units)
def test_a_discrete_value_maps_back_exactly(parameter: Parameter, u: float) -> None:
    value = parameter.from_unit(u)
    assert parameter.from_unit(parameter.to_unit(value)) == value


def rounding(parameter: Real | Integer) -> float:
    return 1e-12 * max(abs(parameter.low), abs(parameter.high))


@given(reals() | stepped_reals() | integers())
def test_both_ends_are_reached(parameter: Real | Integer) -> None:
    assert abs(parameter.from_unit(0.0) - parameter.low) <= rounding(parameter)
    assert abs(parameter.from_unit(ALMOST_ONE) - parameter.high) <= rounding(parameter)


@given(reals() | stepped_reals() | integers(), units, units)
def test_the_order_is_kept(parameter: Real | Integer, u: float, v: float) -> None:
    low, high = sorted((u, v))
    assert parameter.from_unit(low) <= parameter.from_unit(high) + rounding(parameter)


@given(stepped_reals(), units)
def test_a_stepped_real_is_the_decimal_that_a_person_would_write(parameter: Real, u: float) -> None:
    value = parameter.from_unit(u)
    assert parameter.step is not None
    steps = (Fraction(repr(value)) - Fraction(repr(parameter.low))) / Fraction(repr(parameter.step))
    assert steps.denominator == 1


def test_steps_of_a_tenth_have_no_tails() -> None:
    grid = Real(low=0.1, high=0.5, step=0.1)
    assert [grid.from_unit(u) for u in (0.0, 0.2, 0.4, 0.6, 0.8)] == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert grid.contains(0.1 + 0.2)  # 0.30000000000000004
    assert grid.canonical(0.1 + 0.2) == 0.3
    assert not grid.contains(0.25)


@pytest.mark.parametrize(
    ("parameter", "cdf"),
    [
        (Real(low=-2, high=3), lambda x: (x + 2) / 5),
        (Real(low=1e-5, high=1e-2, scale="log"), lambda x: np.log(x / 1e-5) / np.log(1e3)),
        (Real(low=0.5, high=0.999, scale="log1m"), lambda x: np.log((1 - x) / 0.5) / np.log(0.001 / 0.5)),
    ],
)
def test_a_real_is_uniform_on_its_scale(parameter: Real, cdf: object) -> None:
    draws = [parameter.from_unit(u) for u in np.random.default_rng(1).random(5000)]
    assert stats.kstest(draws, cdf).pvalue > FALSE_ALARM


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        (Real(low=0, high=1, step=0.25), dict.fromkeys((0.0, 0.25, 0.5, 0.75, 1.0), 1 / 5)),
        (Integer(low=2, high=8, step=3), dict.fromkeys((2, 5, 8), 1 / 3)),
        (Integer(low=1, high=6, scale="log"), {n: math.log((n + 0.5) / (n - 0.5)) / math.log(13) for n in range(1, 7)}),
        (Choice(values=("a", 2, 0.5, True)), dict.fromkeys(("a", 2, 0.5, True), 1 / 4)),
    ],
)
def test_discrete_values_have_the_stated_probabilities(parameter: Parameter, expected: dict[Value, float]) -> None:
    n = 20_000
    counts = Counter(parameter.from_unit(u) for u in np.random.default_rng(2).random(n))
    assert set(counts) == set(expected)
    frequencies, shares = [counts[value] for value in expected], [n * share for share in expected.values()]
    assert stats.chisquare(frequencies, shares).pvalue > FALSE_ALARM


@pytest.mark.parametrize(
    ("parameter", "inside", "outside"),
    [
        (Real(low=1, high=3), [1, 3, 1.0, 2.5], [0.999, 3.001, True, "2", math.nan, math.inf]),
        (Real(low=1, high=3, step=0.5), [1, 1.5, 3], [1.2, 3.5]),
        (Integer(low=1, high=9, step=4), [1, 5, 9], [2, 0, 13, 5.0, True, "5"]),
        (Choice(values=(1, 0.5, "a")), [1, 1.0, 0.5, "a"], [True, "b", 2]),
        (Choice(values=(True, "a")), [True], [1, False, 1.0]),
        (Constant(value=0.9), [0.9], [0.8, "0.9"]),
        (Constant(value=True), [True], [1]),
    ],
)
def test_what_a_parameter_contains(parameter: Parameter, inside: list[object], outside: list[object]) -> None:
    assert [value for value in inside if not parameter.contains(value)] == []  # type: ignore[arg-type]
    assert [value for value in outside if parameter.contains(value)] == []  # type: ignore[arg-type]


def test_canonical_values_have_the_type_of_the_parameter() -> None:
    assert type(Real(low=0, high=2).canonical(1)) is float
    assert type(Choice(values=(1, 2)).canonical(1.0)) is int


@given(st.sampled_from([Real(low=0.3, high=0.3), Integer(low=4, high=4), Choice(values=("x",))]), units)
def test_a_range_of_one_point_is_that_point(parameter: Parameter, u: float) -> None:
    value = parameter.from_unit(u)
    assert value in (0.3, 4, "x")
    assert parameter.from_unit(parameter.to_unit(value)) == value


@pytest.mark.parametrize(
    ("parameter", "text"),
    [
        (Real(low=0.05, high=3.2, scale="log"), "0.05 .. 3.2, log"),
        (Real(low=0.5, high=0.99, scale="log1m"), "0.5 .. 0.99, log1m"),
        (Real(low=0, high=1, step=0.1), "0 .. 1, linear, in steps of 0.1"),
        (Integer(low=2, high=12), "2 .. 12, linear"),
        (Integer(low=2, high=12, step=5), "2 .. 12, linear, in steps of 5"),
        (Choice(values=(128, "a", True)), "128, a, True"),
        (Constant(value=0.9), "0.9"),
    ],
)
def test_a_parameter_describes_itself(parameter: Parameter, text: str) -> None:
    assert parameter.describe() == text
