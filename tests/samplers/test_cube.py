"""Configurations as points, and back."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.samplers.cube import Cube
from hpsearch.space.parameters import Parameter
from tests.space.examples import CONDITIONAL, LR, make_space, parameters

places = st.lists(st.floats(0, 1), min_size=6, max_size=6).map(np.array)


@given(st.dictionaries(st.sampled_from("abcdef"), parameters, min_size=1), places)
def test_a_settled_point_is_that_of_its_configuration(found: dict[str, Parameter], place: np.ndarray) -> None:
    cube = Cube(make_space({"x": LR}).model_copy(update={"parameters": found}))
    point = cube.settled(place[None, : len(cube.names)])
    config = cube.config(point[0])
    assert config == cube.config(place[: len(cube.names)])
    np.testing.assert_allclose(cube.settled(point), point, atol=1e-12)
    assert cube.points([config]).shape == point.shape


@given(places)
def test_what_does_not_exist_is_nan(place: np.ndarray) -> None:
    cube = Cube(make_space(CONDITIONAL))
    point = cube.settled(place[None])[0]
    config = cube.config(place)
    assert {name for name, absent in zip(cube.names, np.isnan(point), strict=True) if not absent} == {
        name for name in config if name in cube.names
    }
    assert cube.config(point) == config
    np.testing.assert_allclose(cube.points([config])[0], point, atol=1e-9)


def test_choices_without_an_order() -> None:
    choices = {"a": ["x", "y"], "b": [1, 2, 4], "c": [True, False], "d": [4, 1, 2], "e": [8, 4]}
    cube = Cube(
        make_space({name: {"type": "choice", "values": values} for name, values in choices.items()} | {"f": LR})
    )
    assert cube.unordered.tolist() == [True, False, True, True, False, False]


def test_no_points_and_no_coordinates() -> None:
    assert Cube(make_space({"x": LR})).points([]).shape == (0, 1)
    assert Cube(make_space({"x": {"type": "constant", "value": 1}})).points([{"x": 1}]).shape == (1, 0)
