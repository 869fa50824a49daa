"""To whom the fields of a live object belong, read from the server's own books (managedFields). Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ...model.resource import Owner
from . import books
from .fields import PART_OF
from .foreign import owner_of

_LABEL = f"metadata.labels.{PART_OF}"


def claimed(
    live: Mapping[str, Any], paths: Collection[str], manager: str, part_of: str, ours: Collection[str] = ()
) -> dict[str, Owner]:
    """Who else than `manager`, and the others of `ours`, owns what lies at each of `paths`; of several the one that is
    least ours to overrule. What a controller wrote as status is nobody's claim. Our label's: whoever the whole object
    belongs to."""
    entries = books.entries(live)
    adopting = books.own_entry(entries, manager) is None
    others = [entry for entry in entries if entry.owner.manager not in {manager, *ours}]
    found = [(spot, entry) for entry in others for place in _leaf_places(entry) for spot in books.spots(place, live)]
    said: dict[str, Owner] = {}
    for path in paths:
        theirs = [entry for spot, entry in found if spot.about(path)]
        if (owner := owner_of(theirs, (), adopting)) is not None:
            said[path] = owner
    if _LABEL in paths and _LABEL not in said and (whole := _whose(live, manager, part_of)):
        said[_LABEL] = whole
    return said


def _leaf_places(entry: books.Entry) -> frozenset[books.Place]:
    """What it names that nothing else is in."""
    ways = {part for place in entry.places for part in books.prefixes(place)}
    return entry.places - ways


def _whose(live: Mapping[str, Any], manager: str, part_of: str) -> Owner | None:
    """To whom an object belongs that does not bear our label: to another ApplySet (which may be applied in our own
    name), to the controller that made it, or to whoever applied it while we never did. What a person applied by kubectl
    is adopted like what a person created."""
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
    others = {name for name in appliers if not Owner(name).by_hand}
    return Owner(min(others), applies=True) if others else None
