"""Data of a YAML file as typed, frozen values; everything wrong becomes a Problem that says where it stands.

Spaces and recipes are read here: ``load`` a file to a Document, ``parse`` the document to a model.
"""

import re
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, ClassVar, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from hpsearch.errors import InputError, Problem, listed, nearest
from hpsearch.yaml_document import Document, KeyPath, load, loads

__all__ = ["Document", "KeyPath", "Typed", "load", "loads", "parse", "wrong"]


class Typed(BaseModel):
    """Base of every value read from YAML: strict types, unknown keys refused, immutable."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True, strict=True)


M = TypeVar("M", bound=BaseModel)


def wrong(
    what: str, *path: str | int, got: object = None, allowed: str | None = None, hint: str | None = None
) -> PydanticCustomError:
    """Build the error that a validator raises to point to ``path`` below the value it validates."""
    shown = None if got is None else _short(got)
    details = {"what": what, "path": path, "got": shown, "allowed": allowed, "hint": hint}
    return PydanticCustomError("wrong", "{what}", details)


def parse(model: type[M], document: Document, error: type[InputError], at: KeyPath = ()) -> M:
    """Validate ``document`` as ``model``; every key path that is wrong becomes one entry of the raised ``error``.

    ``at`` is a prefix of the key paths, for a model that describes a part of the file.
    """
    try:
        return model.model_validate(document.data)
    except ValidationError as invalid:
        by_path: dict[KeyPath, list[ErrorDetails]] = {}
        for details in invalid.errors():
            by_path.setdefault(_key_path(details, document.data), []).append(details)
        problems = (_problem(model, document, (*at, *path), group) for path, group in by_path.items())
        raise error(*problems) from None


def _problem(model: type[BaseModel], document: Document, path: KeyPath, group: list[ErrorDetails]) -> Problem:
    """Turn what pydantic says about one key path into a Problem; a union says one thing for each alternative."""
    details, context = group[0], group[0].get("ctx", {})
    kind, value = details["type"], details["input"]
    got = None if isinstance(value, Mapping) else _short(value)
    if len(group) > 1:
        allowed = " or ".join(dict.fromkeys(one["msg"].removeprefix("Input should be ") for one in group))
        return document.problem("not one of the allowed kinds of value", path, got=got, allowed=allowed)
    if kind == "wrong":
        known = {name: context[name] for name in ("got", "allowed", "hint")}
        return document.problem(context["what"], path, **known)
    if kind == "extra_forbidden":
        names = _field_names(model, details["loc"][:-1])
        hint = nearest(str(path[-1]), names)
        return document.problem(f"unknown key '{path[-1]}'", path, allowed=listed(names), hint=hint)
    if kind in ("missing", "union_tag_not_found"):
        tags = [str(tag) for kind in _kinds_at(model, details["loc"]) for tag in _tags(kind)]
        return document.problem(f"the key '{path[-1]}' is missing", path, allowed=listed(tags) or None)
    if kind in ("union_tag_invalid", "literal_error"):
        allowed = str(context.get("expected_tags", context.get("expected"))).replace("'", "")
        text = str(context.get("tag", value))
        hint = nearest(text, re.split(r", | or ", allowed))
        return document.problem("not one of the allowed values", path, got=text, allowed=allowed, hint=hint)
    return document.problem(_plain(details["msg"]), path, got=got)


def _plain(message: str) -> str:
    """Return a message of pydantic in the words of this project."""
    message = message.removeprefix("Value error, ").replace("Input should be", "must be")
    message = message.replace("a valid dictionary or object to extract fields from", "a mapping of keys to values")
    message = message.replace("a valid tuple", "a list")
    return message[0].lower() + message[1:]


def _key_path(details: ErrorDetails, data: Any) -> KeyPath:
    """Return the keys of the file in an error's location, without the union tags that pydantic puts between them."""
    path: list[str | int] = []
    for part in details["loc"]:
        inside = part in data if isinstance(data, Mapping) else isinstance(data, list | tuple) and isinstance(part, int)
        if inside:
            data = data[part]
            path.append(part)
    if details["type"] == "missing":
        path.append(details["loc"][-1])
    if details["type"] in ("union_tag_invalid", "union_tag_not_found"):
        path.append(str(details["ctx"]["discriminator"]).strip("'"))
    if details["type"] == "wrong":
        path.extend(details["ctx"]["path"])
    return tuple(path)


def _field_names(model: type[BaseModel], loc: Sequence[str | int]) -> list[str]:
    """Return the field names of the model that stands at ``loc`` below ``model``; empty where it cannot be told."""
    models = [kind for kind in _kinds_at(model, loc) if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return list(dict.fromkeys(name for kind in models for name in kind.model_fields))


def _kinds_at(model: type[BaseModel], loc: Sequence[str | int]) -> list[Any]:
    """Return the types that the value at ``loc`` may have; a union tag in ``loc`` selects among the kinds at hand."""
    kinds: list[Any] = [model]
    for part in loc:
        kinds = [field for kind in kinds for field in _inner_kinds(kind, part)] or kinds
        kinds = [kind for kind in kinds if part in _tags(kind)] or kinds
    return kinds


def _inner_kinds(kind: Any, part: str | int) -> list[Any]:
    """Return the types that the value under key ``part`` of a ``kind`` may have."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _alternatives(kind.model_fields[part].annotation) if part in kind.model_fields else []
    arguments = [argument for argument in get_args(kind) if argument is not ...]
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
