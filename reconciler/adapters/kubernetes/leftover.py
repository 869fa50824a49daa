"""What stands in the way of a manifest: a member of a union that a default or somebody else left in the live object
(rollingUpdate beside Recreate, a second handler of a probe). The server names a field and refuses the whole. Pure."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from .fields import labels
from .places import places

Object: TypeAlias = "dict[str, Any]"

# `spec.containers[0].env[1].valueFrom`; a mapping's key may stand in brackets, too: `metadata.labels[a.b/c]`.
_STEPS = re.compile(r"\[([^\]]*)\]|([^.\[\]]+)")


@dataclass(frozen=True, slots=True)
class Leftover:
    """A member that is live and not in git, though the mapping it lies in is: `path` as differences write it, `place`
    where it belongs in the manifest, as keys and numbers; whether it has members itself."""

    path: str
    place: tuple[str | int, ...]
    holds: bool


@dataclass(frozen=True, slots=True)
class _Spot:
    """One place on both sides."""

    path: str
    place: tuple[str | int, ...]
    ours: Any
    theirs: Any


def guesses(manifest: Object, live: Object, fields: Sequence[str]) -> Iterator[frozenset[Leftover]]:
    """What may have to go so that the server takes the manifest, by the `fields` that it names: the fewest first. It
    names the member that is too much, the one that comes in its stead, or what both are members of."""
    seen: set[frozenset[Leftover]] = set()
    for field in fields:
        for guess in _of(manifest, live, [a or b for a, b in _STEPS.findall(field)]):
            if guess and guess not in seen:
                seen.add(guess)
                yield guess


def _of(manifest: Object, live: Object, steps: Sequence[str]) -> Iterator[frozenset[Leftover]]:
    spots = [_Spot("", (), manifest, live)]
    for number, name in enumerate(steps):
        if too_much := frozenset(one for spot in spots for one in _members(spot) if _last(one) == name):
            yield too_much
        if number == len(steps) - 1:
            beside = frozenset(one for spot in spots for one in _members(spot))
            yield frozenset(one for one in beside if one.holds)
            yield beside
        spots = [below for spot in spots for below in _below(spot, name)]
    yield frozenset(one for spot in spots for one in _members(spot))


def _last(one: Leftover) -> str:
    return str(one.place[-1])


def _members(spot: _Spot) -> Iterator[Leftover]:
    """What the live side has at a spot, and git does not."""
    if not isinstance(spot.ours, Mapping) or not isinstance(spot.theirs, Mapping) or not spot.place:
        return
    for name, value in spot.theirs.items():
        if name not in spot.ours:
            yield Leftover(f"{spot.path}.{name}", (*spot.place, name), isinstance(value, Mapping))


def _below(spot: _Spot, name: str) -> Iterator[_Spot]:
    """Into a mapping by its key; into a list at every item that both have: the server counts what it merged."""
    if isinstance(spot.ours, Mapping) and isinstance(spot.theirs, Mapping) and name in spot.ours:
        path = f"{spot.path}.{name}" if spot.path else name
        yield _Spot(path, (*spot.place, name), spot.ours[name], spot.theirs.get(name))
    elif isinstance(spot.ours, list) and isinstance(spot.theirs, list):
        theirs = dict(zip(labels(spot.theirs), spot.theirs, strict=True))
        for number, (label, item) in enumerate(zip(labels(spot.ours), spot.ours, strict=True)):
            if label in theirs:
                yield _Spot(f"{spot.path}[{label}]", (*spot.place, number), item, theirs[label])


def without(manifest: Object, gone: Sequence[Leftover]) -> Object:
    """The manifest as a merge patch that takes these away as well."""
    patch = copy.deepcopy(manifest)
    for one in gone:
        at: Any = patch
        for step in one.place[:-1]:
            at = at[step]
        at[one.place[-1]] = None
    return patch


def claiming(live: Mapping[str, Any], gone: Sequence[Leftover], manager: str, api_version: str) -> list[Object] | None:
    """The books of the live object with these as ours and nobody else's: what we own and do not send, the server takes
    away in the same request that brings what comes in its stead. None where the books have no such place."""
    known = {place.path: place.elements for place in places(live)}
    books: list[Object] = copy.deepcopy(list(live["metadata"].get("managedFields") or ()))
    mine = next((e for e in books if _applies(e, manager)), None)
    if mine is None:
        how = {"operation": "Apply", "apiVersion": api_version, "fieldsType": "FieldsV1"}
        mine = {"manager": manager, **how, "fieldsV1": {}}
        books.append(mine)
    for one in gone:
        elements = _elements(one, known)
        if elements is None:
            return None
        for entry in books:
            if entry is not mine and not entry.get("subresource"):
                _forget(entry.get("fieldsV1") or {}, elements)
        _own(mine["fieldsV1"], elements)
    return [entry for entry in books if entry.get("fieldsV1")]


def _applies(entry: Mapping[str, Any], manager: str) -> bool:
    return entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource")


def _elements(one: Leftover, known: Mapping[str, tuple[str, ...]]) -> tuple[str, ...] | None:
    """Its place in the books' words: items of lists are told by their keys, which only the server knows."""
    head, bracket, _ = one.path.rpartition("]")
    item = head + bracket
    if item and item not in known:
        return None
    names = one.place[-_names_after_last_number(one.place) :]
    return (*known.get(item, ()), *(f"f:{name}" for name in names))


def _names_after_last_number(place: Sequence[str | int]) -> int:
    numbers = [n for n, step in enumerate(place) if isinstance(step, int)]
    return len(place) - (numbers[-1] + 1 if numbers else 0)


def _own(books: Object, elements: Sequence[str]) -> None:
    for element in elements[:-1]:
        books = books.setdefault(element, {})
    books[elements[-1]] = {}


def _forget(books: Object, elements: Sequence[str]) -> None:
    first, *rest = elements
    if first not in books:
        return
    if not rest:
        del books[first]
        return
    _forget(books[first], rest)
    if not books[first]:
        del books[first]
