"""Data of a YAML file as typed, frozen values; everything wrong becomes a Problem that says where it stands.

Spaces and recipes are read here: ``load`` a file to a Document, ``parse`` the document to a model.
"""

import re
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from hpsearch.errors import InputError, Problem, listed, nearest
from hpsearch.yaml_document import Document, KeyPath, load, loads

__all__ = ["Document", "KeyPath", "Typed", "load", "loads", "parse", "wrong"]


class Typed(BaseModel):
    """Base of every value read from YAML: strict types, unknown keys refused, immutable."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True, strict=True)


M = TypeVar("M", bound=BaseModel)

_MAPPING = "a mapping of keys to values"


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
    if kind == "missing" and isinstance(details["loc"][-1], int):
        return document.problem("the list is too short", path, got=got)
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
        tags = _members_by_tag(_kinds_at(model, details["loc"])) if kind == "union_tag_not_found" else ()
        return document.problem(f"the key '{path[-1]}' is missing", path, allowed=listed([*tags]) or None)
    if kind in ("union_tag_invalid", "literal_error"):
        allowed = str(context.get("expected_tags", context.get("expected"))).replace("'", "")
        text = str(context.get("tag", value))
        hint = nearest(text, re.split(r", | or ", allowed))
        return document.problem("not one of the allowed values", path, got=text, allowed=allowed, hint=hint)
    return document.problem(_plain(details["msg"]), path, got=got)


def _plain(message: str) -> str:
    """Return a message of pydantic in the words of this project."""
    message = message.removeprefix("Value error, ").replace("Input should be", "must be")
    message = re.sub("a valid dictionary or (object to extract fields from|instance of \\w+)", _MAPPING, message)
    message = message.replace("a valid tuple", "a list").replace("Tuple should", "the list should")
    message = message.replace(" after validation", "")
    return message[0].lower() + message[1:]


def _key_path(details: ErrorDetails, data: Any) -> KeyPath:
    """Return the keys of the file in an error's location, without the union tags that pydantic puts between them."""
    path: list[str | int] = []
    for part in details["loc"]:
        keys = data if isinstance(data, Mapping) else range(len(data)) if isinstance(data, list | tuple) else ()
        if part in keys:
            data = data[part]
            path.append(part)
    if details["type"] == "missing" and isinstance(details["loc"][-1], str):
        path.append(details["loc"][-1])
    if details["type"] in ("union_tag_invalid", "union_tag_not_found"):
        path.append(str(details["ctx"]["discriminator"]).strip("'"))
    if details["type"] == "wrong":
        path.extend(details["ctx"]["path"])
    return tuple(path)


def _field_names(model: type[BaseModel], loc: Sequence[str | int]) -> list[str]:
    """Return the field names of the model that stands at ``loc`` below ``model``; empty where it cannot be told."""
    return list(dict.fromkeys(name for kind in _models(_kinds_at(model, loc)) for name in kind.model_fields))


def _kinds_at(model: type[BaseModel], loc: Sequence[str | int]) -> list[Any]:
    """Return the types that the value at ``loc`` may have; a union tag in ``loc`` selects among the kinds at hand."""
    kinds: list[Any] = [model]
    for part in loc:
        kinds = [field for kind in kinds for field in _inner_kinds(kind, part)] or kinds
        tagged = _members_by_tag(kinds)
        kinds = [tagged[part]] if part in tagged else kinds
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


def _models(kinds: Sequence[Any]) -> list[type[BaseModel]]:
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]


def _members_by_tag(kinds: Sequence[Any]) -> dict[Any, type[BaseModel]]:
    """Return the members of a tagged union by their tags: the values of a literal field that no two of them share."""
    members = _models(kinds)
    for name in members[0].model_fields if len(members) > 1 else ():
        values = [_literals(member, name) for member in members]
        tagged = {tag: member for member, tags in zip(members, values, strict=True) for tag in tags}
        if all(values) and len(tagged) == sum(map(len, values)):
            return tagged
    return {}


def _literals(model: type[BaseModel], name: str) -> tuple[Any, ...]:
    """Return the values that the field ``name`` may have, if it is there and they are listed."""
    annotation = model.model_fields[name].annotation if name in model.model_fields else None
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
