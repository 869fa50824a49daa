"""The server's books of who set which field (managedFields), read within bounds and written again. Pure.

Structured merge diff writes a field as `f:name`, a list's item as `k:{"its":"keys"}`, `v:value` or `i:number`, and
`.` for the thing itself (sigs.k8s.io/structured-merge-diff, fieldpath/serialize-pe.go). A *place* is the way to one
field in these words; where it leads in an object is a *spot*.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from ...errors import Permanent
from ...model.resource import Owner
from .fields import labels

Place: TypeAlias = "tuple[str, ...]"

# No object of Kubernetes' own nests by half as much, or has a tenth as many fields.
_DEEPEST, _MOST = 100, 200_000
_SELF = "."
_KINDS_OF_STEP = ("f", "k", "v", "i")


@dataclass(frozen=True, slots=True)
class Entry:
    """What one manager set: through which subresource, in which version of the kind, when it last changed any of it
    (ISO 8601 in UTC, empty where the server does not say), and all its places. `at` is its number among the entries."""

    owner: Owner
    subresource: str
    api_version: str
    time: str
    places: frozenset[Place]
    at: int


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a place leads in an object: the path as differences name it, the keys and numbers on the way, and what is
    there; `way` are the paths of what it is in. An item of a set of plain values has the path of its set."""

    path: str
    pointer: tuple[str | int, ...]
    value: Any
    way: tuple[str, ...] = ()

    def about(self, path: str) -> bool:
        """Is `path` this field, in it, or what it is in? Names may hold dots: the label `app` holds nothing of
        `app.kubernetes.io/name`."""
        return path == self.path or path in self.way or self.holds(path)

    def holds(self, path: str) -> bool:
        """Is `path` in what is here?"""
        inside = isinstance(self.value, (Mapping, list)) and path.startswith(self.path)
        return inside and path[len(self.path) :][:1] in (".", "[")


def entries(obj: Mapping[str, Any]) -> tuple[Entry, ...]:
    """Every entry but those of a status. Raises Permanent where the books are not in the shape they should have: then
    nobody knows who set what."""
    listed = obj["metadata"].get("managedFields") or ()
    if not isinstance(listed, (list, tuple)):
        raise odd("they are no list")
    return tuple(_entry(item, at) for at, item in enumerate(listed) if _counts(item))


def own_entry(found: Iterable[Entry], manager: str) -> Entry | None:
    """What `manager` applied; what was written in its name in another way is nobody's apply."""
    mine = Owner(manager, applies=True)
    return next((entry for entry in found if entry.owner == mine and not entry.subresource), None)


def fields_of(places: Iterable[Place]) -> dict[str, Any]:
    """The places as the server writes them (FieldsV1)."""
    tree: dict[str, Any] = {}
    for place in sorted(places, key=len, reverse=True):
        node = tree
        for step in place:
            node = node.setdefault(step, {})
        if node:
            node[_SELF] = {}
    return tree


def spots(place: Place, obj: Any) -> list[Spot]:
    """Where a place leads; nowhere when the object has no such thing."""
    found = [Spot("", (), obj)]
    for step in place:
        found = [further for spot in found for further in _step(step, spot)]
    return found


def walked(places: Iterable[Place], obj: Any) -> Iterator[tuple[Place, list[Spot]]]:
    """Each of the places that the object has, and those on the way to them, from the outermost inwards."""
    chosen = set(places)
    known: dict[Place, list[Spot]] = {(): [Spot("", (), obj)]}
    for place in sorted(chosen.union(*map(prefixes, chosen))):
        known[place] = [further for spot in known[place[:-1]] for further in _step(place[-1], spot)]
        if known[place]:
            yield place, known[place]


def prefixes(place: Place) -> Iterator[Place]:
    """Every place on the way, the shortest first, the place itself excepted."""
    return (place[:length] for length in range(1, len(place)))


def _counts(item: Any) -> bool:
    if not isinstance(item, Mapping):
        raise odd("an entry is no mapping")
    return item.get("subresource") != "status"


def _entry(item: Mapping[str, Any], at: int) -> Entry:
    names = [item.get(key) or "" for key in ("manager", "subresource", "apiVersion", "time")]
    if not all(isinstance(name, str) for name in names):
        raise odd("an entry has no text where its manager stands")
    manager, subresource, api_version, time = names
    owner = Owner(manager, item.get("operation") == "Apply")
    return Entry(owner, subresource, api_version, time, _places(item.get("fieldsV1") or {}), at)


def _places(fields: Any) -> frozenset[Place]:
    found: set[Place] = set()
    open_: list[tuple[Place, Any]] = [((), fields)]
    while open_:
        place, node = open_.pop()
        if not isinstance(node, Mapping):
            raise odd("a field has a value there")
        if place and (not node or _SELF in node):
            found.add(place)
        below = [name for name in node if name != _SELF]
        if len(place) >= _DEEPEST or len(found) + len(open_) + len(below) > _MOST:
            raise odd("they nest too deeply or name too many fields")
        for name in below:
            if not isinstance(name, str) or name[:1] not in _KINDS_OF_STEP or name[1:2] != ":":
                raise odd("a field is written in a way that is not known")
            open_.append(((*place, name), node[name]))
    return frozenset(found)


def _step(name: str, spot: Spot) -> Iterator[Spot]:
    how, rest = name[0], name[2:]
    value, path = spot.value, spot.path
    way = (*spot.way, path) if path else ()
    if how == "f" and isinstance(value, Mapping) and rest in value:
        yield Spot(f"{path}.{rest}" if path else rest, (*spot.pointer, rest), value[rest], way)
    elif isinstance(value, list):
        names = labels(value)
        for number in _items(how, rest, value):
            within = path if how == "v" else f"{path}[{names[number]}]"
            yield Spot(within, (*spot.pointer, number), value[number], way)


def _items(how: str, rest: str, value: list[Any]) -> list[int]:
    """The numbers of the items that are meant; none where nobody could say which."""
    try:
        meant = json.loads(rest)
    except (ValueError, RecursionError):
        return []
    if how == "k" and isinstance(meant, dict):
        return [
            n
            for n, item in enumerate(value)
            if isinstance(item, Mapping) and all(_same(item.get(key), wanted) for key, wanted in meant.items())
        ]
    if how == "v":
        return [n for n, item in enumerate(value) if _same(item, meant)]
    return [meant] if how == "i" and type(meant) is int and 0 <= meant < len(value) else []


def _same(one: Any, other: Any) -> bool:
    """Equal, and true is not 1."""
    return one == other and isinstance(one, bool) is isinstance(other, bool)


def odd(why: str) -> Permanent:
    """What is raised where the books are not as they should be."""
    return Permanent(
        f"its managedFields can't be read: {why}",
        hint="the API server's books say who set what; without them nobody can tell what was added by hand",
    )
