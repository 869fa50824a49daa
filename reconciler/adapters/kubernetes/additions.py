"""Which fields somebody added to an object of ours: whose they are is in the books, and whether taking them out would
change anything is asked of the server, in a dry run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import Permanent
from ...model.resource import Addition, Value
from . import books
from .connection import JSON_PATCH, Conflict, Connection, NotFound
from .fields import leaves, shown
from .fingerprint import same_but_status, version
from .foreign import Foreign, foreign, owner_of
from .kinds import Kind, path_of

# So many fields of an object are tried one by one where the server refuses to be without them all.
_MOST_ALONE = 12


@dataclass(frozen=True, slots=True)
class Added:
    """One field, by its path: what would be there without it (None: nothing), what is, and who set it and when.
    `dropped`: we applied it ourselves, as somebody else than who applies now, and git says it no longer."""

    wanted: Value
    live: Value
    addition: Addition
    dropped: bool = False


@dataclass(frozen=True, slots=True)
class Names:
    """As whom an object is applied, and all names under which we write."""

    manager: str
    ours: frozenset[str]

    @classmethod
    def of(cls, usual: str, manager: str = "") -> Names:
        """`usual` is our own name, `manager` another one to apply as, if any."""
        return cls(manager or usual, frozenset({usual, restarter(usual)}))


def restarter(name: str) -> str:
    """As whom we start anew what reads a Secret that we made."""
    return f"{name}-restart"


@dataclass(frozen=True, slots=True)
class Judged:
    """An object's foreign fields: without the `real` ones it would be another; the others are `idle`, for the server
    puts the same there by itself."""

    real: tuple[Foreign, ...] = ()
    idle: frozenset[books.Place] = frozenset()


def judged(
    connection: Connection,
    kind: Kind,
    made: Mapping[str, Any],
    live: Mapping[str, Any],
    names: Names,
    asked: Iterable[str] = (),
) -> Judged:
    """What others set in `live`. `made` is what an apply would make of it, or `live` itself where the server would not
    say; then `asked` are the paths that the manifest has. Raises Conflict when there is another version by now, and
    Permanent where the books can't be read."""
    found, wanted = foreign(made, names.manager), tuple(asked)
    fields = [field for field in found.fields if not field.at(wanted)]
    values = dict(leaves(made)) if fields else {}
    told = [f for f in fields if any(True for s in f.spots for _ in _paths(s, values))]  # not the server's own
    if not told:
        return Judged()

    def real_of(some: Sequence[Foreign]) -> list[Foreign]:
        without = _without(connection, kind, live, [found.cut(f.place) for f in some], names.manager)
        if without is None and 1 < len(some) <= _MOST_ALONE:  # one that must stay says nothing of the others
            return [f for each in some for f in real_of([each])]
        return [f for f in some if without is None or _matters(f, without)]

    real = tuple(real_of(told))
    return Judged(real, frozenset(f.place for f in told if f not in real))


def additions(judged: Judged, made: Mapping[str, Any], live: Mapping[str, Any], names: Names) -> dict[str, Added]:
    """What others added to `live`, by path."""
    if not judged.real:
        return {}
    adopting = books.own_entry(books.entries(live), names.manager) is None
    return _told(made, dict(leaves(made)), judged.real, names, adopting)


def removal(live: Mapping[str, Any], places: Iterable[books.Place]) -> list[dict[str, Any]]:
    """A JSON patch that takes these places out of this very object, items of lists from the last one on."""
    pointers = {spot.pointer for place in places for spot in books.spots(place, live)}
    outermost = [p for p in pointers if not any(p[:length] in pointers for length in range(1, len(p)))]
    ordered = sorted(outermost, key=lambda p: [(isinstance(step, int), step) for step in p], reverse=True)
    same = {"op": "test", "path": "/metadata/uid", "value": live["metadata"]["uid"]}
    return [same, *({"op": "remove", "path": _pointer(p)} for p in ordered)]


def _without(
    connection: Connection, kind: Kind, live: Mapping[str, Any], cuts: Sequence[books.Place], manager: str
) -> Any:
    """The object as it would be without what was added: what the server then puts there by itself was no addition.
    None where it would refuse that, so that nobody knows. Raises Conflict where it is of another version, in more than
    its status."""
    patch = removal(live, cuts)
    if len(patch) < 2:
        return None
    query, path = {"dryRun": "All", "fieldManager": manager}, path_of(live, kind)
    try:
        without = connection.request("PATCH", path, query=query, body=patch, content_type=JSON_PATCH)
    except (Conflict, NotFound):
        raise
    except Permanent:
        without = None
    if without is None or version(without) != version(live):
        now = connection.get(path)
        if version(now) != version(live) and not same_but_status(now, live):
            raise Conflict(f"{kind.name} {live['metadata']['name']} was changed meanwhile")
    return without


def _matters(field: Foreign, without: Any) -> bool:
    there = [spot.value for spot in books.spots(field.place, without)]
    return there != [spot.value for spot in field.spots]


def _told(
    made: Mapping[str, Any], values: Mapping[str, Value], fields: Sequence[Foreign], names: Names, adopting: bool
) -> dict[str, Added]:
    told: dict[str, Added] = {}
    for field in fields:
        time = max(entry.time for entry in field.entries)
        owner = owner_of(field.entries, names.ours, adopting)
        dropped = owner is None and any(entry.owner.applies for entry in field.entries)
        if dropped and made.get("kind") == "Namespace":  # applied by us and by Terraform, with what each needs there
            continue
        for spot in field.spots:
            item = field.place[-1].startswith("v:")
            for path in _paths(spot, values):
                before = told[path].wanted if path in told else values[path]
                wanted = _less(before, spot.value) if item else None
                told[path] = Added(
                    shown(made, path, wanted), shown(made, path, values[path]), Addition(owner, time), dropped
                )
    return told


def _paths(spot: books.Spot, values: Mapping[str, Value]) -> Iterator[str]:
    if spot.path in values:
        yield spot.path
    else:
        yield from (leaf for leaf in values if spot.holds(leaf))


def _less(values: Value, value: Any) -> Value:
    """A set without one of its values; nothing where that was the last one."""
    left = tuple(v for v in values if v != value) if isinstance(values, tuple) else ()
    return left or None


def _pointer(steps: Iterable[str | int]) -> str:
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)
