"""A view as a JSON-like document, for scripts: keys only ever get added, or the schema version changes."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from enum import Enum
from types import UnionType
from typing import Any, TypeAlias, cast, get_args, get_origin, get_type_hints

from ..model.change import Severity
from .view import View

SCHEMA_VERSION = 2

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

# field names of the view that are not the document's
_NAMES = {"cls": "class", "picture": "machines"}
_LEFT_OUT = ("orphans",)  # where there are none


def document(view: View) -> dict[str, Json]:
    """Return the view with camelCase keys in a stable order, ready for json.dumps."""
    said = {name: value for name, value in _record(view).items() if value or name not in _LEFT_OUT}
    return {"schemaVersion": SCHEMA_VERSION, **said}


def schema() -> dict[str, Json]:
    """The JSON Schema (2020-12) of what `reconciler drift -o json` prints: a list of documents."""
    report = _schema_of(View)
    properties = cast("dict[str, Json]", report["properties"])
    report["properties"] = {"schemaVersion": {"const": SCHEMA_VERSION}, **properties}
    report["required"] = ["schemaVersion", *(name for name in properties if name not in _LEFT_OUT)]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Drift reports, one for each cluster",
        "type": "array",
        "items": report,
    }


def _schema_of(kind: Any) -> dict[str, Json]:
    """What `_plain` makes of a value of this type."""
    arguments = get_args(kind)
    if isinstance(kind, UnionType):
        return {"anyOf": [_schema_of(one) for one in arguments]}
    if get_origin(kind) is tuple:
        return {"type": "array", "items": _schema_of(arguments[0])}
    if is_dataclass(kind):
        types = get_type_hints(kind)
        properties: dict[str, Json] = {key(f.name): _schema_of(types[f.name]) for f in fields(kind)}
        names: list[Json] = [*properties]
        return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}
    if kind is Severity:
        return {"enum": [str(level) for level in Severity]}
    if issubclass(kind, Enum):
        return {"enum": [one.value for one in kind]}
    return {"type": _TYPES[kind]}


_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def _record(value: Any) -> dict[str, Json]:
    return {key(f.name): _plain(getattr(value, f.name)) for f in fields(value)}


def _plain(value: Any) -> Json:
    if isinstance(value, Severity):
        return str(value)  # its value is a rank, good for sorting only
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if is_dataclass(value):
        return _record(value)
    return cast("Json", value.value if isinstance(value, Enum) else value)


def key(name: str) -> str:
    """What a field of a view is called in the document."""
    first, *rest = _NAMES.get(name, name).split("_")
    return first + "".join(part.capitalize() for part in rest)
