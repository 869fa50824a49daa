"""Who owns what of a live object, by the server's books: in their own words and as dotted paths. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import books


@dataclass(frozen=True, slots=True)
class Place:
    """What somebody owns of a live object: `elements` as the books write them (`f:spec`, `k:{"name":"web"}`), `path` as
    differences do. `whole`: it is owned as one thing, and nothing in it can belong to somebody else."""

    manager: str
    elements: books.Place
    path: str
    whole: bool


def places(live: Mapping[str, Any]) -> Iterator[Place]:
    """Every place in the books of a live object, from the outermost inwards; what is not there any more is left out.
    Raises Permanent where the books can't be read."""
    for entry in books.entries(live):
        if entry.subresource:
            continue
        ways = {part for place in entry.places for part in books.prefixes(place)}
        for place, spots in books.walked(entry.places, live):
            for spot in spots:
                yield Place(entry.owner.manager, place, spot.path, place not in ways)


def within(path: str, outer: str) -> bool:
    """Does `path` lie in `outer`, and is another place?"""
    return path.startswith(outer) and path != outer and path[len(outer)] in ".["
