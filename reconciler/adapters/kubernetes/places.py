"""The server's books of an object (managedFields) as places: who owns which, in the books' own words and as dotted
paths. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .fields import labels


@dataclass(frozen=True, slots=True)
class Place:
    """What somebody owns of a live object: `elements` as the books write them (`f:spec`, `k:{"name":"web"}`), `path` as
    differences do. `whole`: it is owned as one thing, and nothing in it can belong to somebody else."""

    manager: str
    elements: tuple[str, ...]
    path: str
    whole: bool


def places(live: Mapping[str, Any]) -> Iterator[Place]:
    """Every place in the books of a live object, from the outermost inwards; what is not there any more is left out."""
    for entry in live["metadata"].get("managedFields") or ():
        if not entry.get("subresource"):
            yield from _below(str(entry.get("manager")), entry.get("fieldsV1") or {}, live, (), "")


def _below(manager: str, books: Mapping[str, Any], value: Any, elements: tuple[str, ...], path: str) -> Iterator[Place]:
    for name, inner in books.items():
        if name == ".":
            continue
        for at, item in _step(name, value, path):
            yield Place(manager, (*elements, name), at, not inner)
            yield from _below(manager, inner, item, (*elements, name), at)


def within(path: str, outer: str) -> bool:
    """Does `path` lie in `outer`, and is another place?"""
    return path.startswith(outer) and path != outer and path[len(outer)] in ".["


def _step(name: str, value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Where one element of a path leads; nowhere when the live object has no such thing any more."""
    how, _, rest = name.partition(":")
    if how == "f" and isinstance(value, Mapping) and rest in value:
        yield f"{path}.{rest}" if path else rest, value[rest]
    elif how == "k" and isinstance(value, list):
        yield from _items(rest, value, path)
    elif how == "v":  # a set of plain values is one field to us
        yield path, None
    elif how == "i" and isinstance(value, list) and rest.isdigit() and int(rest) < len(value):
        yield f"{path}[{rest}]", value[int(rest)]


def _items(keys: str, value: list[Any], path: str) -> Iterator[tuple[str, Any]]:
    try:
        meant = json.loads(keys)
    except (ValueError, RecursionError):
        return
    for label, item in zip(labels(value), value, strict=True):
        if isinstance(item, Mapping) and isinstance(meant, dict) and all(item.get(k) == v for k, v in meant.items()):
            yield f"{path}[{label}]", item
