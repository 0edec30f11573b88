"""YAML files as plain data, with the line of every key kept for the error messages.

Loading is safe: only mappings, lists and plain values are built, duplicate keys are errors, and plain values follow
the core schema of YAML 1.2, which is what people mean: ``1e-4`` is a number, ``on`` is a word, ``1:30`` is not 90.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from hpsearch.errors import InputError, Problem

KeyPath = tuple[str | int, ...]

_CORE = "tag:yaml.org,2002:"
_PLAIN = {
    "null": (r"~|null|Null|NULL|", [*"~nN", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    "int": (r"[-+]?(?:0|[1-9][0-9]*)", [*"-+0123456789"]),
    "float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        [*"-+0123456789."],
    ),
}
_TAGS = {_CORE + kind for kind in (*_PLAIN, "str", "seq", "map")}


@dataclass(frozen=True)
class Document:
    """Plain data of a YAML file and where each key stood in it."""

    data: dict[str, Any]
    file: Path | None = None
    lines: Mapping[KeyPath, int] = field(default_factory=dict)

    def line(self, path: KeyPath) -> int | None:
        """Return the 1-based line of ``path``, or of its nearest ancestor that is in the file."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return None

    def problem(self, what: str, path: KeyPath = (), **details: str | None) -> Problem:
        """Build a Problem that points to ``path`` in this document."""
        return Problem(what, file=self.file, line=self.line(path), key=dotted(path), **details)


def dotted(path: KeyPath) -> str | None:
    """Join a key path for a message; None for the root."""
    return ".".join(str(part) for part in path) or None


class _Loader(yaml.SafeLoader):
    """SafeLoader with the plain values of YAML 1.2's core schema."""


_Loader.yaml_implicit_resolvers = {"<": yaml.SafeLoader.yaml_implicit_resolvers["<"]}  # so that merge keys are seen
for _kind, (_rule, _first) in _PLAIN.items():
    _Loader.add_implicit_resolver(_CORE + _kind, re.compile(f"^(?:{_rule})$"), _first)


def load(file: Path, error: type[InputError]) -> Document:
    """Read a YAML mapping from ``file``.

    Raises ``error`` when the file cannot be read, is not YAML, repeats a key, uses a tag, or holds no mapping.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        raise error(Problem(f"cannot read the file: {cause}", file=file)) from None
    return loads(text, error, file)


def loads(text: str, error: type[InputError], file: Path | None = None) -> Document:
    """Read a YAML mapping from ``text``; ``file`` is only used in messages. Raises as ``load`` does."""
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if not isinstance(root, yaml.MappingNode):
            raise error(Problem("the file must hold a mapping of keys to values", file=file, line=1))
        lines: dict[KeyPath, int] = {}
        for problem in _index(root, (), lines, file):
            raise error(problem)
        data = loader.construct_document(root)
    except yaml.MarkedYAMLError as cause:
        mark = cause.problem_mark or cause.context_mark
        line = mark.line + 1 if mark else None
        raise error(Problem(f"not valid YAML: {cause.problem or cause.context}", file=file, line=line)) from None
    except RecursionError:
        raise error(Problem("not valid YAML: it is nested too deeply, or contains itself", file=file)) from None
    except (yaml.YAMLError, ValueError) as cause:
        raise error(Problem(f"not valid YAML: {cause}", file=file)) from None
    return Document(data, file, lines)


def scalar(text: str) -> Any:
    """Read ``text`` as one plain value, by the same rules as a file: ``1e-4`` a float, ``on`` a str, empty None."""
    loader = _Loader("")
    tag: str = loader.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    return loader.construct_object(yaml.ScalarNode(tag, text))


def _index(node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], file: Path | None) -> Iterator[Problem]:
    """Record the line of every key below ``node``; yield what is refused: tags, and keys that cannot be told apart."""
    if node.tag not in _TAGS:
        yield Problem("YAML tags are not used here", file, node.start_mark.line + 1, dotted(path), got=node.tag)
    if isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            lines[(*path, position)] = item.start_mark.line + 1
            yield from _index(item, (*path, position), lines, file)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            line, child = key.start_mark.line + 1, (*path, str(key.value))
            what = _refused_key(key, lines.get(child))
            if what:
                yield Problem(what, file, line, dotted(child))
            lines[child] = line
            yield from _index(value, child, lines, file)


def _refused_key(key: yaml.Node, first_line: int | None) -> str | None:
    if key.tag == _CORE + "merge":
        return "merge keys (<<) are not used here"
    if key.tag != _CORE + "str":
        return (
            f"a key must be text: write '{key.value}' in quotes"
            if isinstance(key, yaml.ScalarNode)
            else "a key must be text"
        )
    return f"the key '{key.value}' is given twice (first on line {first_line})" if first_line else None
