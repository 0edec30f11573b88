"""Which configurations a training function is asked about before a study starts."""

import itertools

import pytest

from hpsearch.cli.plan import MOST_CHECKED, examples
from tests.space.examples import LR, make_space


def integer(low, high, **more):
    return {"type": "integer", "low": low, "high": high, **more}


def test_of_a_grid_it_is_every_combination_after_the_settings_to_start_with():
    parameters = {"a": {"type": "choice", "values": ["x", "y", "z"]}, "b": integer(1, 5), "c": integer(0, 4, step=2)}
    space = make_space(parameters, sampler={"name": "grid"}, start_with=[{"a": "z", "b": 4, "c": 0}])
    first, *others = [(config["a"], config["b"], config["c"]) for config in examples(space)]
    assert first == ("z", 4, 0)
    assert others == [*itertools.product("xyz", range(1, 6), (0, 2, 4))]


@pytest.mark.parametrize(("high", "asked"), [(MOST_CHECKED // 25, MOST_CHECKED), (MOST_CHECKED // 25 + 1, 12)])
def test_of_a_large_grid_it_is_the_corners(high, asked):
    parameters = {"a": integer(1, high), "b": integer(1, 5), "c": integer(1, 5)}
    assert len(list(examples(make_space(parameters, sampler={"name": "grid"})))) == asked


@pytest.mark.parametrize(
    ("parameter", "values"),
    [
        (integer(64, 1024), [64, 65, 1023, 1024]),
        (integer(64, 1024, step=16), [64, 80, 1008, 1024]),
        (integer(1, 9, scale="log"), [1, 2, 8, 9]),
        (integer(1, 3), [1, 2, 3]),
        (integer(4, 5), [4, 5]),
        (integer(4, 4), [4]),
        (LR, [1e-3, 1.0]),
        ({"type": "choice", "values": [3, 1, 2]}, [3, 1, 2]),
        ({"type": "constant", "value": 7}, [7]),
    ],
)
def test_what_is_tried_of_a_parameter(parameter, values):
    tried = [config["a"] for config in examples(make_space({"a": parameter}))]
    assert len(tried) == len(values) and set(tried) == set(values)
