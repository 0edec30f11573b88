"""YAML files as typed, frozen values, with the line of every key kept for the error messages.

Spaces and recipes are read here. Loading is safe: tags build nothing, duplicate keys are errors, numbers and booleans
follow YAML 1.2 (``1e-4`` is a number, ``on`` and ``no`` are words), which is what people mean.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, ClassVar, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from hpsearch.errors import InputError, Problem, listed, nearest

KeyPath = tuple[str | int, ...]


class Typed(BaseModel):
    """Base of every value read from YAML: strict types, unknown keys refused, immutable."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True, strict=True)


M = TypeVar("M", bound=BaseModel)


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
        key = ".".join(str(part) for part in path) or None
        return Problem(what, file=self.file, line=self.line(path), key=key, **details)


class _Loader(yaml.SafeLoader):
    """SafeLoader with the YAML 1.2 core rules for booleans and floats."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if tag not in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:float")]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), [*"tTfF"])
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    [*"-+0123456789."],
)


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
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if not isinstance(root, yaml.MappingNode):
            raise error(Problem("the file must hold a mapping of keys to values", file=file, line=1))
        lines: dict[KeyPath, int] = {}
        _index(root, (), lines, error, file)
        data = loader.construct_document(root)
    except yaml.MarkedYAMLError as cause:
        mark = cause.problem_mark or cause.context_mark
        line = mark.line + 1 if mark else None
        raise error(Problem(f"not valid YAML: {cause.problem or cause.context}", file=file, line=line)) from None
    except (yaml.YAMLError, RecursionError, ValueError) as cause:
        raise error(Problem(f"not valid YAML: {cause}", file=file)) from None
    finally:
        loader.dispose()
    return Document(data, file, lines)


def _index(
    node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], error: type[InputError], file: Path | None
) -> None:
    """Record the line of every key below ``node`` and refuse tags, aliases' recursion and duplicate keys."""
    if not node.tag.startswith("tag:yaml.org,2002:") or "python" in node.tag:
        raise error(
            Problem("YAML tags are not used here", file, node.start_mark.line + 1, _dotted(path), got=node.tag)
        )
    if isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            lines[(*path, position)] = item.start_mark.line + 1
            _index(item, (*path, position), lines, error, file)
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == "tag:yaml.org,2002:merge":
                raise error(Problem("merge keys (<<) are not used here", file, line, _dotted(path)))
            child = (*path, str(key_node.value))
            if child in lines:
                message = f"the key '{key_node.value}' is given twice (first on line {lines[child]})"
                raise error(Problem(message, file, line, _dotted(child)))
            lines[child] = line
            _index(value_node, child, lines, error, file)


def _dotted(path: KeyPath) -> str | None:
    return ".".join(str(part) for part in path) or None


def parse(model: type[M], document: Document, error: type[InputError], at: KeyPath = ()) -> M:
    """Validate ``document`` as ``model``; every problem becomes one entry of the raised ``error``.

    ``at`` is a prefix of the key paths, for a model that describes a part of the file.
    """
    try:
        return model.model_validate(document.data)
    except ValidationError as invalid:
        raise error(*(_problem(model, document, details, at) for details in invalid.errors())) from None


def _problem(model: type[BaseModel], document: Document, details: ErrorDetails, at: KeyPath) -> Problem:
    """Turn one pydantic error into a Problem with the place, the value and what would be allowed."""
    kind, context = details["type"], details.get("ctx", {})
    path = _key_path(details, document.data)
    what = details["msg"].removeprefix("Value error, ")
    what = what[0].lower() + what[1:]
    got: str | None = _short(details["input"])
    allowed = hint = None
    if kind == "extra_forbidden":
        names = _field_names(model, details["loc"][:-1])
        what, got, allowed, hint = f"unknown key '{path[-1]}'", None, listed(names), nearest(str(path[-1]), names)
    elif kind == "missing":
        what, got = f"the key '{path[-1]}' is missing", None
    elif kind in ("union_tag_invalid", "literal_error"):
        value = context.get("tag", details["input"])
        allowed = str(context.get("expected_tags", context.get("expected")))
        what, got, hint = "not one of the allowed values", str(value), nearest(str(value), re.findall(r"'([^']+)'", allowed))
    elif isinstance(details["input"], Mapping):
        got = None
    return document.problem(what, (*at, *path), got=got, allowed=allowed, hint=hint)


def _key_path(details: ErrorDetails, data: Any) -> KeyPath:
    """Return the keys of the file in an error's location, without the union tags that pydantic puts between them."""
    path: list[str | int] = []
    for part in details["loc"]:
        inside = part in data if isinstance(data, Mapping) else isinstance(data, Sequence) and isinstance(part, int)
        if inside:
            data = data[part]
            path.append(part)
    if details["type"] == "missing":
        path.append(details["loc"][-1])
    return tuple(path)


def _field_names(model: type[BaseModel], loc: Sequence[str | int]) -> list[str]:
    """Return the field names of the model that stands at ``loc`` below ``model``; empty where it cannot be told."""
    kinds: list[Any] = [model]
    for part in loc:
        inner = [field for kind in kinds for field in _inner_kinds(kind, part)]
        kinds = inner or kinds  # a union tag selects among the kinds at hand
        tagged = [kind for kind in kinds if part in _tags(kind)]
        kinds = tagged or kinds
    names = [name for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel) for name in kind.model_fields]
    return list(dict.fromkeys(names))


def _inner_kinds(kind: Any, part: str | int) -> list[Any]:
    """Return the types that the value under key ``part`` of a ``kind`` may have."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _alternatives(kind.model_fields[part].annotation) if part in kind.model_fields else []  # type: ignore[index]
    arguments = get_args(kind)
    return _alternatives(arguments[-1]) if get_origin(kind) in (dict, list, tuple, Mapping) and arguments else []


def _alternatives(annotation: Any) -> list[Any]:
    """Flatten unions and ``Annotated`` into the list of their member types."""
    if get_origin(annotation) is Annotated:
        return _alternatives(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [kind for member in get_args(annotation) for kind in _alternatives(member)]
    return [annotation]


def _tags(kind: Any) -> tuple[Any, ...]:
    """Return the values of the literal field ``type`` by which a member of a tagged union is chosen."""
    if isinstance(kind, type) and issubclass(kind, BaseModel) and "type" in kind.model_fields:
        return get_args(kind.model_fields["type"].annotation)
    return ()


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
