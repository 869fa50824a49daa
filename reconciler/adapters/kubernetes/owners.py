"""To whom the fields of a live object belong, read from the server's own books (managedFields). Pure.

Structured merge diff writes a field as `f:name`, a list's item as `k:{"its":"keys"}`, `v:value` or `i:number`, and
`.` for the thing itself (sigs.k8s.io/structured-merge-diff, fieldpath/serialize-pe.go).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ...model.resource import Owner
from .fields import PART_OF, labels

_LABEL = f"metadata.labels.{PART_OF}"


def claimed(live: Mapping[str, Any], paths: Iterable[str], manager: str, part_of: str) -> dict[str, Owner]:
    """Who else than `manager` owns what lies at each of `paths`; of several the one that is least ours to overrule.
    What a controller wrote as status is nobody's claim. Our label's: whoever the whole object belongs to."""
    found: list[tuple[str, Owner]] = []
    for entry in live["metadata"].get("managedFields") or ():
        owner = Owner(str(entry.get("manager", "")), entry.get("operation") == "Apply")
        if owner.manager != manager and entry.get("subresource") != "status":
            found += ((path, owner) for path in _paths(entry.get("fieldsV1") or {}, live, ""))
    claims = ((path, [o for at, o in found if _within(path, at) or _within(at, path)]) for path in paths)
    said = {path: min(mine, key=lambda o: (o.by_hand, o)) for path, mine in claims if mine}
    if _LABEL in paths and _LABEL not in said and (whole := _whose(live, manager, part_of)):
        said[_LABEL] = whole
    return said


def _whose(live: Mapping[str, Any], manager: str, part_of: str) -> Owner | None:
    """To whom an object belongs that does not bear our label: to another ApplySet (which may be applied in our own
    name), to the controller that made it, or to whoever applied it while we never did."""
    metadata = live["metadata"]
    other = (metadata.get("labels") or {}).get(PART_OF)
    if other and other != part_of:
        return Owner(f"ApplySet {other}", applies=True)
    appliers = {str(e.get("manager")) for e in metadata.get("managedFields") or () if e.get("operation") == "Apply"}
    if manager in appliers:
        return None
    made_by = next((o for o in metadata.get("ownerReferences") or () if o.get("controller")), None)
    if made_by:
        return Owner(f"{made_by['kind']} {made_by['name']}")
    return Owner(min(appliers), applies=True) if appliers else None


def _within(path: str, outer: str) -> bool:
    return path == outer or (path.startswith(outer) and path[len(outer)] in ".[")


def _paths(books: Mapping[str, Any], value: Any, path: str) -> Iterator[str]:
    inner = {name: below for name, below in books.items() if name != "."}
    if path and not inner:
        yield path
    for name, below in inner.items():
        for at, item in step(name, value, path):
            yield from _paths(below, item, at)


def step(name: str, value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Where one element of a path leads; nowhere when the live object has no such thing any more."""
    how, _, rest = name.partition(":")
    if how == "f" and isinstance(value, Mapping) and rest in value:
        yield f"{path}.{rest}" if path else rest, value[rest]
    elif how == "k" and isinstance(value, list):
        keys = json.loads(rest)
        for label, item in zip(labels(value), value, strict=True):
            if isinstance(item, Mapping) and all(item.get(k) == v for k, v in keys.items()):
                yield f"{path}[{label}]", item
    elif how == "v":  # a set of plain values is one field to us
        yield path, None
    elif how == "i" and isinstance(value, list) and rest.isdigit() and int(rest) < len(value):
        yield f"{path}[{rest}]", value[int(rest)]
