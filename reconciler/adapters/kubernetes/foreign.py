"""What of an object belongs to nobody of ours and to no controller known for it, by the server's books. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ...model.resource import Owner
from . import books, controllers
from .books import Entry, Place, Spot


@dataclass(frozen=True, slots=True)
class Foreign:
    """One field that others set: its place, where in the object that is, and the entries it is in."""

    place: Place
    spots: tuple[Spot, ...]
    entries: tuple[Entry, ...]

    def at(self, paths: Iterable[str]) -> bool:
        """Is one of `paths` this field, or in it?"""
        return any(spot.path == path or spot.holds(path) for spot in self.spots for path in paths)


@dataclass(frozen=True, slots=True)
class Found:
    """All of an object's foreign fields, and the places that others than these may not be cut out of."""

    fields: tuple[Foreign, ...]
    kept: frozenset[Place]

    def cut(self, place: Place) -> Place:
        """The largest part of the object that `place` is in and nothing that is kept: as server-side apply removes what
        nobody wants any more. Names among the metadata are each a thing of its own."""
        if place[:1] == ("f:metadata",):
            return place
        return next((part for part in books.prefixes(place) if part not in self.kept), place)


def foreign(obj: Mapping[str, Any], manager: str) -> Found:
    """`manager` is as whom the object is applied. Raises Permanent where the books can't be read."""
    entries = books.entries(obj)
    own = books.own_entry(entries, manager)
    ours = own.places if own else frozenset()
    ways = _ways(ours)
    claims: dict[Place, list[Entry]] = {}
    for entry in entries:
        if entry is not own:
            for place in entry.places - ours:
                if place not in ways:
                    claims.setdefault(place, []).append(entry)
    fields, others = [], set(ours)
    inner = _ways(claims)
    for place, mine in sorted(claims.items()):
        if place in inner or not (spots := tuple(books.spots(place, obj))):
            continue  # it stands for what is in it; or it is gone
        if any(controllers.known(str(obj.get("kind")), spot.path, entry) for spot in spots for entry in mine):
            others.add(place)
        else:
            fields.append(Foreign(place, spots, tuple(mine)))
    return Found(tuple(fields), _ways(others) | others)


def owner_of(entries: Iterable[Entry], own_names: Iterable[str], adopting: bool) -> Owner | None:
    """Of several the one that is least ours to overrule; None where it is only ourselves, in another way than by the
    apply that counts. What people applied before git did (`adopting`) is theirs no more than what they typed."""
    names = frozenset(own_names)
    owners = {entry.owner for entry in entries if entry.owner.manager not in names}
    seen = {Owner(o.manager) if adopting and o.typed else o for o in owners}
    return min(seen, key=lambda o: (o.by_hand, o.typed, o), default=None)


def _ways(places: Iterable[Place]) -> frozenset[Place]:
    """Every place on the way to one of them."""
    return frozenset(part for place in places for part in books.prefixes(place))
