from pathlib import Path
from typing import Annotated, Literal, Self

import pytest
from pydantic import Field, model_validator

from hpsearch.errors import Problem, RecipeError, SpaceError
from hpsearch.typed_yaml import Document, Typed, loads, parse, wrong


class Round(Typed):
    type: Literal["round"]
    radius: float = Field(gt=0)


class Square(Typed):
    type: Literal["square"]
    side: float
    corners: int = 4


class Box(Typed):
    name: str
    colour: Literal["red", "green"] = "red"
    size: Literal["auto"] | Annotated[float, Field(ge=0)] = "auto"
    tag: bool | int | float | str = ""
    shapes: dict[str, Annotated[Round | Square, Field(discriminator="type")]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if "bad" in self.shapes:
            raise wrong("a shape may not be called bad", "shapes", "bad", got="bad", allowed="good", hint="try good")
        return self


def problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(SpaceError) as caught:
        parse(Box, loads(text, SpaceError, Path("b.yaml")), SpaceError)
    return caught.value.problems


def problem(text: str) -> Problem:
    (only,) = problems(text)
    return only


def test_a_valid_document_becomes_a_frozen_value() -> None:
    box = parse(Box, loads("name: x\nshapes: {a: {type: square, side: 1}}", SpaceError), SpaceError)
    assert box.shapes["a"] == Square(type="square", side=1.0)
    with pytest.raises(ValueError, match="frozen"):
        box.name = "y"


def test_an_unknown_key_is_named_with_the_nearest() -> None:
    found = problem("name: x\ncolor: red\n")
    assert found == Problem(
        "unknown key 'color'", Path("b.yaml"), 2, "color", allowed="name, colour, size, tag, shapes",
        hint="did you mean 'colour'?",
    )  # fmt: skip


def test_an_unknown_key_inside_a_union_lists_the_keys_of_the_member_that_was_chosen() -> None:
    found = problem("name: x\nshapes:\n  a: {type: round, radius: 1, radios: 2}\n")
    assert (found.key, found.line, found.allowed) == ("shapes.a.radios", 3, "type, radius")
    assert found.hint == "did you mean 'radius'?"


def test_a_missing_key_points_to_its_parent() -> None:
    assert problem("colour: red\n") == Problem("the key 'name' is missing", Path("b.yaml"), None, "name")
    found = problem("name: x\nshapes:\n  a:\n    type: square\n")
    assert (found.what, found.key, found.line) == ("the key 'side' is missing", "shapes.a.side", 3)


def test_a_missing_tag_lists_the_tags() -> None:
    found = problem("name: x\nshapes:\n  a: {side: 1}\n")
    assert (found.what, found.key, found.line) == ("the key 'type' is missing", "shapes.a.type", 3)
    assert found.allowed == "round, square"


def test_an_unknown_tag_is_named_with_the_nearest() -> None:
    found = problem("name: x\nshapes:\n  a:\n    type: squire\n    side: 1\n")
    assert (found.key, found.line, found.got) == ("shapes.a.type", 4, "squire")
    assert (found.allowed, found.hint) == ("round, square", "did you mean 'square'?")


class Oak(Typed):
    age: int
    name: Literal["oak"]
    bark: Literal["rough", "smooth"]
    acorns: int


class Birch(Typed):
    age: int
    name: Literal["birch", "weeping birch"]
    bark: Literal["rough", "smooth"]
    catkins: int


class Garden(Typed):
    tree: Annotated[Oak | Birch, Field(discriminator="name")]


@pytest.mark.parametrize(
    ("tree", "key", "what", "allowed", "hint"),
    [
        ("{age: 1, bark: rough}", "tree.name", "the key 'name' is missing", "oak, birch, weeping birch", None),
        (
            "{name: burch, age: 1, bark: rough}",
            "tree.name",
            "not one of the allowed values",
            "oak, birch, weeping birch",
            "did you mean 'birch'?",
        ),
        (
            "{name: weeping birch, age: 1, bark: rough, catkin: 1, catkins: 1}",
            "tree.catkin",
            "unknown key 'catkin'",
            "age, name, bark, catkins",
            "did you mean 'catkins'?",
        ),
        (
            "{name: oak, age: 1, bark: rogh, acorns: 1}",
            "tree.bark",
            "not one of the allowed values",
            "rough or smooth",
            "did you mean 'rough'?",
        ),
        ("{name: oak, age: 1, bark: rough}", "tree.acorns", "the key 'acorns' is missing", None, None),
    ],
)
def test_any_literal_field_may_be_the_tag_of_a_union(
    tree: str, key: str, what: str, allowed: str | None, hint: str | None
) -> None:
    with pytest.raises(SpaceError) as caught:
        parse(Garden, loads(f"# a garden\ntree: {tree}", SpaceError), SpaceError)
    (found,) = caught.value.problems
    assert (found.key, found.line, found.what) == (key, 2, what)
    assert (found.allowed, found.hint) == (allowed, hint)


def test_a_missing_union_is_missing_without_its_tags() -> None:
    with pytest.raises(SpaceError) as caught:
        parse(Garden, Document({}), SpaceError)
    assert caught.value.problems == (Problem("the key 'tree' is missing", key="tree"),)


def test_a_word_that_is_not_allowed_is_named_with_the_nearest() -> None:
    found = problem("name: x\ncolour: gren\n")
    assert (found.what, found.got) == ("not one of the allowed values", "gren")
    assert (found.allowed, found.hint) == ("red or green", "did you mean 'green'?")


def test_a_wrong_type_says_what_it_must_be() -> None:
    found = problem("name: 3\n")
    assert (found.what, found.got, found.line) == ("must be a valid string", "3", 1)
    assert problem("name: x\nshapes: {a: 5}\n").what == "must be a mapping of keys to values"


class Point(Typed):
    at: Annotated[tuple[int, int, int], Field(strict=False)]


@pytest.mark.parametrize(
    ("at", "key", "what"),
    [
        ("[]", "at", "the list is too short"),
        ("[1, 2]", "at", "the list is too short"),
        ("[1, 2, 3, 4]", "at", "the list should have at most 3 items, not 4"),
        ("[1, x, 3]", "at.1", "must be a valid integer"),
        ("7", "at", "must be a list"),
    ],
)
def test_a_list_of_a_fixed_length(at: str, key: str, what: str) -> None:
    with pytest.raises(SpaceError) as caught:
        parse(Point, loads(f"# a point\nat: {at}", SpaceError), SpaceError)
    (found,) = caught.value.problems
    assert (found.key, found.line, found.what) == (key, 2, what)


class Frame(Typed):
    corner: Point | None


def test_a_block_must_be_a_mapping() -> None:
    with pytest.raises(SpaceError, match="must be a mapping of keys to values"):
        parse(Frame, Document({"corner": 3}), SpaceError)


def test_numbers_are_not_words_and_words_are_not_numbers() -> None:
    assert "valid number" in problem("name: x\nshapes: {a: {type: square, side: '1'}}").what
    assert "valid integer" in problem("name: x\nshapes: {a: {type: square, side: 1, corners: 4.0}}").what
    assert "valid number" in problem("name: x\nshapes: {a: {type: square, side: true}}").what


def test_a_union_has_one_problem_for_one_key() -> None:
    found = problem("name: x\nsize: huge\n")
    assert (found.key, found.got, found.line) == ("size", "'huge'", 2)
    assert found.allowed == "'auto' or a valid number"
    assert problem("name: x\nsize: -1\n").allowed == "'auto' or greater than or equal to 0"
    found = problem("name: x\ntag: [1]\n")
    assert found.key == "tag"
    assert found.allowed == "a valid boolean or a valid integer or a valid number or a valid string"


def test_every_wrong_key_is_reported() -> None:
    assert [found.key for found in problems("name: 1\ncolour: blue\nsise: 2\n")] == ["name", "colour", "sise"]


def test_a_validator_points_below_its_value() -> None:
    found = problem("name: x\nshapes:\n  good: {type: round, radius: 1}\n  bad: {type: round, radius: 1}\n")
    assert found == Problem(
        "a shape may not be called bad", Path("b.yaml"), 4, "shapes.bad", "'bad'", "good", "try good"
    )


def test_the_prefix_is_put_before_every_key() -> None:
    with pytest.raises(RecipeError) as caught:
        parse(Round, Document({"type": "round"}), RecipeError, at=("model", 0))
    assert caught.value.problems[0].key == "model.0.radius"


def test_a_long_value_is_shortened() -> None:
    got = problem(f"name: [{'1, ' * 200}1]\n").got
    assert got is not None
    assert len(got) == 80


def test_braces_in_a_message_are_left_alone() -> None:
    class Refuses(Typed):
        x: int

        @model_validator(mode="after")
        def _check(self) -> Self:
            raise wrong("write {lr: 0.1}", "x", got={"a": 1})

    with pytest.raises(SpaceError, match=r"write \{lr: 0.1\}"):
        parse(Refuses, Document({"x": 1}), SpaceError)
