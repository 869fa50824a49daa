"""The server's books rewritten, so that an apply lets go of what others set: as kubectl itself does when it turns from
its own way of applying to the server's (k8s.io/client-go, util/csaupgrade). No value changes by it. Pure.

What is to go becomes ours, and the apply that follows does not ask for it. What people's programs own beside us they
own no longer, so that it goes when git drops it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TypeAlias

from ...model.resource import Owner
from . import books
from .additions import Names
from .books import Entry, Place
from .foreign import Foreign, foreign, owner_of

ManagedFields: TypeAlias = "list[dict[str, Any]]"


def taken_over(
    live: Mapping[str, Any], names: Names, meant: Callable[[Foreign], bool], may: Callable[[Owner], bool]
) -> ManagedFields | None:
    """The books in which what others set is ours, as far as it is `meant` and we `may` take it from them; None where
    nothing of that is there. Raises Permanent where the books can't be read."""
    entries = books.entries(live)
    own = books.own_entry(entries, names.manager)
    chosen: dict[int, set[Place]] = {}
    for field in foreign(live, names.manager).fields:
        owner = owner_of(field.entries, names.ours, own is None)
        if meant(field) and (owner is None or may(owner)):
            for entry in field.entries:
                chosen.setdefault(entry.at, set()).add(field.place)
    version = own.api_version if own else str(live.get("apiVersion"))
    of_it = (e for e in entries if e.at in chosen and e.api_version == version)
    moved = {e: _with_ways(e, chosen[e.at] | {p for p in e.places if not books.spots(p, live)}) for e in of_it}
    if not moved:
        return None
    ours = frozenset().union(own.places if own else (), *moved.values())
    return _rewritten(live, {e.at: e.places - places for e, places in moved.items()}, _applied(live, own, names, ours))


def alone(
    live: Mapping[str, Any], names: Names, idle: Callable[[], Collection[Place]] = frozenset
) -> ManagedFields | None:
    """The books in which people's programs, and we in other ways than by apply, share no field with what we apply, and
    have none of the `idle` places, which are as the server would have them anyway: a probe that git drops stays where
    somebody owns its defaults. None where that is so already; then `idle` is not asked."""
    entries = books.entries(live)
    own = books.own_entry(entries, names.manager)
    if own is None:
        return None
    yielding = [e for e in entries if e is not own and _gives_way(e, live, names)]
    if not any(e.places & own.places for e in yielding):
        return None
    given = own.places | frozenset(idle())
    left = {e.at: e.places - _with_ways(e, e.places & given) for e in yielding if e.places & given}
    return _rewritten(live, left, None)


def _gives_way(entry: Entry, live: Mapping[str, Any], names: Names) -> bool:
    """A namespace of applications is applied by Terraform as well, which calls itself kubectl."""
    if live.get("kind") == "Namespace" and entry.owner.applies:
        return False
    return entry.owner.typed or entry.owner.manager in names.ours


def _with_ways(entry: Entry, chosen: Collection[Place]) -> frozenset[Place]:
    """The places, and those on the way to them that lead to nothing else of the entry."""
    left = entry.places - frozenset(chosen)
    ways = {part for place in chosen for part in books.prefixes(place)} & left
    for way in sorted(ways, key=len, reverse=True):
        if not any(place[: len(way)] == way for place in left if len(place) > len(way)):
            left -= {way}
    return entry.places - left


def _applied(live: Mapping[str, Any], own: Entry | None, names: Names, places: Iterable[Place]) -> dict[str, Any]:
    before = _listed(live)[own.at] if own else {}
    said = {"manager": names.manager, "operation": "Apply", "apiVersion": live.get("apiVersion")}
    return {**said, **before, "fieldsType": "FieldsV1", "fieldsV1": books.fields_of(places)}


def _rewritten(
    live: Mapping[str, Any], left: Mapping[int, frozenset[Place]], applied: dict[str, Any] | None
) -> ManagedFields:
    """All entries, those of `left` with just these places (none: no entry), and `applied` in the stead of our own."""
    written: ManagedFields = [applied] if applied else []
    for at, entry in enumerate(_listed(live)):
        if applied and _key(entry) == _key(applied):
            continue
        if at not in left:
            written.append(dict(entry))
        elif left[at]:
            written.append({**entry, "fieldsV1": books.fields_of(left[at])})
    return written


def _key(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    return entry.get("manager"), entry.get("operation"), entry.get("subresource") or ""


def _listed(live: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(live["metadata"].get("managedFields") or ())
