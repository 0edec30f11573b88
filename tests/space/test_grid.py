"""The combinations of a grid, against all points of the product with what is absent struck out."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.contract import Config, Value
from hpsearch.errors import SpaceError
from hpsearch.space.grid import combinations
from hpsearch.space.spec import Space
from tests.space.examples import LR, make_space

NAMES = ["a", "b", "c", "d"]


def numbers(parameter: dict[str, Any]) -> list[Value]:
    if parameter["type"] == "integer":
        return list(range(parameter["low"], parameter["high"] + 1, parameter["step"]))
    return [parameter["value"]] if parameter["type"] == "constant" else parameter["values"]


@st.composite
def grids(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    """Up to four parameters; each may depend on those before it in an order that is not the declared one."""
    kinds = st.one_of(
        st.integers(1, 3).map(lambda n: {"type": "choice", "values": ["x", 2, False][:n]}),
        st.tuples(st.integers(-3, 3), st.integers(0, 2), st.integers(1, 2)).map(
            lambda t: {"type": "integer", "low": t[0], "high": t[0] + t[1] * t[2], "step": t[2]}
        ),
        st.just({"type": "constant", "value": 1.5}),
    )
    found: dict[str, dict[str, Any]] = {}
    for name in draw(st.permutations(NAMES[: draw(st.integers(1, 4))])):
        conditions = draw(st.lists(st.sampled_from(sorted(found)), unique=True, max_size=2)) if found else []
        some = {other: draw(st.lists(st.sampled_from(numbers(found[other])), min_size=1)) for other in conditions}
        found[name] = {**draw(kinds), "when": some}
    return {name: found[name] for name in sorted(found)}


def struck_out(space: Space, data: dict[str, dict[str, Any]]) -> list[tuple[tuple[str, Value], ...]]:
    """Every point of the product, last parameter fastest, without what is absent there, the first of equal ones."""
    points = [dict(zip(data, values, strict=True)) for values in product(*map(numbers, data.values()))]
    configs = [tuple((name, point[name]) for name in space.active(point)) for point in points]
    return list(dict.fromkeys(configs))


@given(grids())
def test_every_combination_is_there_once_and_in_the_order_of_the_file(data: dict[str, dict[str, Any]]) -> None:
    space = make_space(data, sampler={"name": "grid"})
    assert [tuple(config.items()) for config in combinations(space.parameters)] == struck_out(space, data)


def test_what_is_absent_does_not_multiply() -> None:
    """The networks of post 4: no layers at all, or one of 7 sets of one kind."""
    sets = ["none", "L1", "L2", "L3", "L1+L2", "L1+L3", "L2+L3", "L1+L2+L3"]
    space = make_space(
        {
            "residual": {"type": "choice", "values": sets},
            "extra": {"type": "choice", "values": sets, "when": {"residual": "none"}},
            "epochs": {"type": "choice", "values": [20, 22]},
        },
        sampler={"name": "grid"},
    )
    found = combinations(space.parameters)
    assert len(found) == 15 * 2
    expected: list[Config] = [
        *({"residual": "none", "extra": extra, "epochs": epochs} for extra in sets for epochs in (20, 22)),
        *({"residual": residual, "epochs": epochs} for residual in sets[1:] for epochs in (20, 22)),
    ]
    assert found == expected


FREE = {"type": "choice", "values": [1, 2]}


@pytest.mark.parametrize(
    ("parameters", "key", "words"),
    [
        ({"lr": LR}, "parameters.lr.type", "grid needs values to enumerate: choice, integer or constant"),
        ({"n": {"type": "integer", "low": 0, "high": 64}}, "parameters.n", "65 values"),
        ({f"p{n}": FREE for n in range(14)}, "parameters", "at most 10,000"),
        ({f"p{n}": FREE for n in range(500)}, "parameters", "too many combinations"),
    ],
)
def test_what_cannot_be_enumerated_is_refused(parameters: dict[str, Any], key: str, words: str) -> None:
    with pytest.raises(SpaceError, match=words) as refusal:
        make_space(parameters, sampler={"name": "grid"})
    assert [problem.key for problem in refusal.value.problems] == [key]
    make_space(parameters, sampler={"name": "random"})


def test_the_largest_grid_there_may_be() -> None:
    sizes = (64, 39, 4)  # 9,984 combinations
    parameters = {f"p{size}": {"type": "integer", "low": 1, "high": size} for size in sizes}
    assert len(combinations(make_space(parameters, sampler={"name": "grid"}).parameters)) == 9984
