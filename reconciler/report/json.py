"""A view as a JSON-like document, for scripts: keys only ever get added, or the schema version changes."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, TypeAlias, cast

from ..model.change import Severity
from .view import View

SCHEMA_VERSION = 1

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

# field names of the view that are not the document's
_NAMES = {"cls": "class", "picture": "machines"}


def document(view: View) -> dict[str, Json]:
    """Return the view with camelCase keys in a stable order, ready for json.dumps."""
    return {"schemaVersion": SCHEMA_VERSION, **_record(view)}


def _record(value: Any) -> dict[str, Json]:
    return {_key(f.name): _plain(getattr(value, f.name)) for f in fields(value)}


def _plain(value: Any) -> Json:
    if isinstance(value, Severity):
        return str(value)  # its value is a rank, good for sorting only
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if is_dataclass(value):
        return _record(value)
    return cast("Json", value.value if isinstance(value, Enum) else value)


def _key(name: str) -> str:
    first, *rest = _NAMES.get(name, name).split("_")
    return first + "".join(part.capitalize() for part in rest)
