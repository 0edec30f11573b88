"""Natural scales: which parameter is on which, and that places and values undo each other."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.space.axes import axis, natural, scale_of, settled
from hpsearch.space.coordinate_spec import CoordinateSpec
from hpsearch.space.parameters import Choice, Constant, Integer, Parameter, Real
from tests.space.examples import parameters, units

SPEC = CoordinateSpec(momentum="beta1")
LINEAR = Real(low=0.0, high=0.9)


@pytest.mark.parametrize(
    ("name", "parameter", "scale"),
    [
        ("lr", Real(low=0.1, high=1.0), "log"),
        ("batch_size", Integer(low=16, high=2048), "log"),
        ("batch_size", Choice(values=(64, 128)), "log"),
        ("tau", None, "log"),
        ("rate", None, "log"),
        ("beta1", LINEAR, "log1m"),
        ("momentum", LINEAR, "linear"),
        ("width", Integer(low=1, high=8, scale="log"), "log"),
        ("drop", Real(low=0.0, high=0.9, scale="log1m"), "log1m"),
        ("depth", Choice(values=(1, 2)), "linear"),
    ],
)
def test_the_natural_scale(name: str, parameter: Parameter | None, scale: str) -> None:
    assert scale_of(name, parameter, SPEC) == scale


def test_natural_values() -> None:
    assert natural(0.9, "log1m") == pytest.approx(math.log(0.1))
    assert natural(100.0, "log") == pytest.approx(math.log(100))
    assert natural(3.0, "linear") == 3.0
    assert not math.isfinite(natural(1.0, "log1m")) and not math.isfinite(natural(0.0, "log"))
    assert not math.isfinite(natural(-1.0, "log")) and not math.isfinite(natural(2.0, "log1m"))


@pytest.mark.parametrize(
    "parameter",
    [
        Choice(values=("a", "b")),
        Choice(values=(True, False)),
        Choice(values=(1, "a")),
        Choice(values=(256, 64, 128)),
        Choice(values=(7,)),
        Constant(value=3),
        Real(low=0.1, high=0.1),
        Integer(low=3, high=3),
    ],
)
def test_what_has_no_order_or_no_width_has_no_axis(parameter: Parameter) -> None:
    assert axis("width", parameter, SPEC) is None


@pytest.mark.parametrize(
    ("name", "parameter"), [("lr", Real(low=0.0, high=1.0)), ("beta1", Real(low=0.5, high=1.0)),
                            ("batch_size", Choice(values=(0, 64))), ("beta1", Choice(values=(0.5, 1.0)))]
)  # fmt: skip
def test_what_leaves_its_natural_scale_has_no_axis(name: str, parameter: Parameter) -> None:
    assert axis(name, parameter, SPEC) is None


@given(st.sampled_from(["lr", "beta1", "width"]), parameters, units)
def test_the_value_of_a_place_is_that_of_the_parameter(name: str, parameter: Parameter, u: float) -> None:
    found = axis(name, parameter, SPEC)
    if found is None:
        return
    value = parameter.from_unit(u)
    expected = natural(float(value), scale_of(name, parameter, SPEC))
    width = abs(found.values[-1] - found.values[0])
    if isinstance(parameter, Choice) or width > 1e-6 * max(1.0, abs(expected)):
        near = found.value(np.array([parameter.to_unit(value)]))[0]
        assert near == pytest.approx(expected, abs=0.02 * width)


@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        ("width", Integer(low=1, high=4)),
        ("batch_size", Integer(low=16, high=64, step=16)),
        ("layers", Integer(low=1, high=40, scale="log")),
        ("drop", Real(low=0.0, high=0.6, step=0.1)),
        ("batch_size", Choice(values=(512, 256, 64))),
        ("beta1", Choice(values=(0.0, 0.9, 0.99))),
    ],
)
def test_a_discrete_value_has_its_place_in_the_middle_of_its_cell(name: str, parameter: Parameter) -> None:
    found = axis(name, parameter, SPEC)
    assert found is not None
    values = {parameter.from_unit(u) for u in np.linspace(0, 1, 2000, endpoint=False)}
    places = np.array([parameter.to_unit(value) for value in values])
    numbers = np.array([natural(float(value), scale_of(name, parameter, SPEC)) for value in values])
    np.testing.assert_allclose(found.unit(numbers), places, atol=1e-9)
    np.testing.assert_allclose(found.value(places), numbers, atol=1e-9)


@pytest.mark.parametrize("parameter", [Real(low=0.01, high=1.0, scale="log"), Choice(values=(1.0, 0.1, 0.01))])
def test_beyond_the_ends_the_scale_goes_on(parameter: Parameter) -> None:
    found = axis("lr", parameter, SPEC)
    assert found is not None
    below, low, high, above = found.unit(np.log([1e-3, 1e-2, 1.0, 10.0]))
    assert low - below == pytest.approx(found.slope * math.log(10))
    assert above - high == pytest.approx(found.slope * math.log(10))
    assert (above > high > low > below) == found.rising


def test_settled_places_are_those_of_the_values() -> None:
    places = np.array([0.0, 0.26, 0.6, 1.0])
    np.testing.assert_allclose(settled(Choice(values=(1, "a")), places), [0.25, 0.25, 0.75, 0.75])
    np.testing.assert_allclose(settled(Integer(low=1, high=4), places), [0.125, 0.375, 0.625, 0.875])
    np.testing.assert_allclose(settled(Real(low=1.0, high=9.0), places), places)


def test_the_slope_is_that_near_the_value() -> None:
    """On a linear range, a factor is a short way at its low end and a long one at its high end."""
    found = axis("batch_size", Real(low=16.0, high=2048.0), SPEC)
    assert found is not None
    near = found.slopes(np.log([50.0, 100.0, 1000.0, 2e9]))
    np.testing.assert_allclose(near, [50 / 2032, 100 / 2032, 1000 / 2032, 1 / np.log(128)], rtol=0.02)
