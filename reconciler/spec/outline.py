"""What a cluster claims that there can be only one of, small enough to be kept for every cluster of a fleet.

So a cluster that is loaded on its own is checked against all others, just as when all are loaded together.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

# An object that an application brings: its target, its namespace, its kind and name.
Object: TypeAlias = tuple[str, str, str]
Thing = TypeVar("Thing", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Outline:
    """The hosts and the applications' objects that a cluster claims, each with the place (file:line) that says so."""

    name: str
    hosts: tuple[tuple[str, str], ...] = ()
    objects: tuple[tuple[Object, str], ...] = ()


def first(claims: Iterable[tuple[str, Iterable[tuple[Thing, str]]]]) -> dict[Thing, str]:
    """Where each thing is claimed first. `claims` are those of each cluster, by its name, which says the order."""
    places: dict[Thing, str] = {}
    for _, pairs in sorted(claims, key=lambda claim: claim[0]):
        for thing, place in pairs:
            places.setdefault(thing, place)
    return places
