from pathlib import Path

import pytest

from hpsearch.errors import SpaceError
from hpsearch.yaml_document import Document, load, loads, scalar


def refused(text: str) -> str:
    with pytest.raises(SpaceError) as caught:
        loads(text, SpaceError, Path("s.yaml"))
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("-12", -12), ("+3", 3), ("0", 0),
        ("1e-4", 1e-4), ("1.", 1.0), (".5", 0.5), ("-2.5E3", -2500.0), (".inf", float("inf")),
        ("true", True), ("False", False), ("null", None), ("~", None), ("", None),
        # words and notations that YAML 1.1 would turn into something else
        ("on", "on"), ("no", "no"), ("y", "y"), ("1:30", "1:30"), ("010", "010"), ("1_000", "1_000"),
        ("2020-01-01", "2020-01-01"), ("e5", "e5"), ("1e", "1e"), ("-", "-"), ("a: b", "a: b"), ("#1", "#1"),
    ],
)  # fmt: skip
def test_a_plain_value_follows_yaml_1_2(text: str, value: object) -> None:
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


@pytest.mark.parametrize("text", ["1", "1e-4", ".5", "true", "null", "on", "1:30", "010", "2020-01-01"])
def test_an_option_reads_as_the_file_does(text: str) -> None:
    assert loads(f"key: {text}", SpaceError).data["key"] == scalar(text)


def test_every_key_and_item_has_its_line() -> None:
    document = loads("a:\n  b: 1\n  c:\n  - x\n  - {d: 2}\n", SpaceError, Path("s.yaml"))
    assert document.lines == {
        ("a",): 1,
        ("a", "b"): 2,
        ("a", "c"): 3,
        ("a", "c", 0): 4,
        ("a", "c", 1): 5,
        ("a", "c", 1, "d"): 5,
    }
    assert document.line(("a", "c", 1, "missing")) == 5
    assert document.line(("nowhere",)) is None
    problem = document.problem("bad", ("a", "c", 0), got="x")
    assert str(problem) == "bad\n  where    s.yaml:4\n  key      a.c.0\n  got      x"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "the key 'a' is given twice (first on line 1)"),
        ("x:\n  a: 1\n  a: 1\n", 3, "given twice (first on line 2)"),
        ("a: !!python/object/apply:os.system [ls]\n", 1, "YAML tags are not used here"),
        ("a: 1\nb: !mine 2\n", 2, "YAML tags are not used here"),
        ("a: !!set {x}\n", 1, "YAML tags are not used here"),
        ("a: !!binary aGk=\n", 1, "YAML tags are not used here"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", 3, "merge keys (<<) are not used here"),
        ("a: 1\n2: b\n", 2, "a key must be text: write '2' in quotes"),
        ("a: 1\ntrue: b\n", 2, "a key must be text: write 'true' in quotes"),
        ("? [a, b]\n: 1\n", 1, "a key must be text"),
        ("a: 1\nb: [1, 2\n", 3, "not valid YAML"),
        ("- a\n- b\n", 1, "must hold a mapping"),
        ("", 1, "must hold a mapping"),
        ("a: 1\n---\nb: 1\n", 2, "not valid YAML"),
        ("a: *nobody\n", 1, "not valid YAML"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(text: str, line: int, words: str) -> None:
    message = refused(text)
    assert words in message
    assert f"s.yaml:{line}\n" in message + "\n"


def test_a_document_that_contains_itself_is_refused() -> None:
    assert "contains itself" in refused("a: &a [*a]\n")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for name, content in (("missing.yaml", None), ("binary.yaml", b"\xff\xfe\x00")):
        file = tmp_path / name
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(SpaceError, match="cannot read the file") as caught:
            load(file, SpaceError)
        assert caught.value.problems[0].file == file


def test_a_document_without_a_file_still_names_the_key() -> None:
    assert str(Document({}).problem("bad", ("a", 0))) == "bad\n  key      a.0"
