"""Compares manifests with live objects through the API server's own eyes: one list per kind, then dry runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ...errors import Permanent, Transient
from ...model.resource import Fields, Known, Listing, Resource, Unknown
from ...ports import Comparison, Manifest
from .connection import APPLY_PATCH, Conflict, Connection, Forbidden, NotFound, Rejected
from .fields import PART_OF, all_fields, differing, differing_as_asked, generated, prepared
from .kinds import Discovery, Kind
from .remembered import Remembered, token

_WORKERS = 8
_ATTEMPTS = 4

Object: TypeAlias = "dict[str, Any]"


@dataclass(slots=True)
class _Group:
    """One kind of one comparison: the manifests, and what listing it found."""

    api_version: str
    name: str
    manifests: list[Object] = field(default_factory=list)
    kind: Kind | None = None
    listed: dict[str, Object] = field(default_factory=dict)
    unknown: Unknown | None = None


@dataclass(frozen=True, slots=True)
class _Pair:
    """One manifest compared. `live` is None where there is no such object; `equal` is worth remembering."""

    expected: Resource
    live: Resource | None = None
    equal: str = ""


class Comparer:
    def __init__(self, connection: Connection, discovery: Discovery, manager: str, remembered: Remembered) -> None:
        self._connection = connection
        self._discovery = discovery
        self._manager = manager
        self._remembered = remembered

    def compare(self, part_of: str, manifests: Sequence[Manifest], known_kinds: Sequence[str]) -> Comparison:
        groups = _grouped((prepared(m, part_of) for m in manifests), known_kinds)
        with ThreadPoolExecutor(_WORKERS, thread_name_prefix="kubernetes") as pool:
            list(pool.map(lambda group: self._list(part_of, group), groups))
            asked = [(group, m) for group in groups for m in group.manifests]
            pairs = list(pool.map(lambda one: self._pair(part_of, *one), asked))
        self._remembered.replace(part_of, {p.live.id: p.equal for p in pairs if p.live and p.equal})
        live: dict[str, Listing] = {}
        for group in groups:
            mine = [p for (g, _), p in zip(asked, pairs, strict=True) if g is group]
            live[group.name] = _merged(live.get(group.name), _listing(group, mine))
        return Comparison(tuple(p.expected for p in pairs), live)

    def _list(self, part_of: str, group: _Group) -> None:
        try:
            group.kind = self._discovery.kind(group.api_version, group.name)
            if group.kind is None:
                return
            found = self._connection.items(group.kind.collection(), labelSelector=f"{PART_OF}={part_of}")
            group.listed = {name_of(o, group.kind): o for o in found}
        except NotFound:  # its definition went away between the two calls
            group.kind = None
        except (Transient, Permanent) as error:
            group.unknown = Unknown(error.message, error.hint)

    def _pair(self, part_of: str, group: _Group, manifest: Object) -> _Pair:
        name = name_of(manifest, group.kind)
        whole = Resource(group.name, name, all_fields(manifest))
        if group.unknown or group.kind is None:
            return _Pair(whole)
        try:
            live = group.listed.get(name) or self._connection.get(path_of(manifest, group.kind))
            return self._compared(part_of, group.kind, name, manifest, live)
        except NotFound:
            return _Pair(whole)
        except (Transient, Permanent) as error:
            group.unknown = Unknown(f"{group.name} {name}: {error.message}", error.hint)
            return _Pair(whole)

    def _compared(self, part_of: str, kind: Kind, name: str, manifest: Object, live: Object) -> _Pair:
        for _ in range(_ATTEMPTS):
            uid, pair = live["metadata"]["uid"], token(manifest, live)
            if generated(manifest) or self._remembered.holds(part_of, uid, pair):
                return _Pair(Resource(kind.name, name), Resource(kind.name, name, id=uid), pair)
            try:
                ours, theirs = self._differing(kind, manifest, live)
            except Conflict:
                live = self._connection.get(path_of(manifest, kind))
                continue
            expected, actual = Resource(kind.name, name, ours), Resource(kind.name, name, theirs, id=uid)
            return _Pair(expected, actual, "" if ours else pair)
        raise Transient("changes too fast to be compared", hint="the next cycle looks again")

    def _differing(self, kind: Kind, manifest: Object, live: Object) -> tuple[Fields, Fields]:
        live = {"apiVersion": kind.api_version, "kind": kind.name} | live  # items of a list don't say
        try:
            return differing(self._dry_run(kind, manifest, live), live)
        except (Rejected, Forbidden):
            # The server would refuse the change (a field that can't be changed in place, a mistake in the manifest, a
            # quota): it is a difference all the same, and apply will say why it can't be repaired.
            sides = differing_as_asked(manifest, live)
            if not sides[0]:
                raise
            return sides

    def _dry_run(self, kind: Kind, manifest: Object, live: Object) -> Object:
        # With the version we saw, so that a controller's write in between is a Conflict and not a difference.
        metadata = {**manifest["metadata"], "resourceVersion": live["metadata"]["resourceVersion"]}
        answer = self._connection.request(
            "PATCH",
            path_of(manifest, kind),
            query={"dryRun": "All", **apply_query(self._manager)},
            body={**manifest, "metadata": metadata},
            content_type=APPLY_PATCH,
        )
        return dict(answer)


def apply_query(manager: str) -> dict[str, str]:
    return {"fieldManager": manager, "force": "true", "fieldValidation": "Strict"}


def namespace_of(obj: Mapping[str, Any]) -> str:
    return str(obj["metadata"].get("namespace") or "default")


def path_of(obj: Mapping[str, Any], kind: Kind) -> str:
    return kind.path(obj["metadata"]["name"], namespace_of(obj))


def name_of(obj: Mapping[str, Any], kind: Kind | None) -> str:
    """`namespace/name`, or `name` alone for what belongs to the whole cluster."""
    namespaced = kind.namespaced if kind else "namespace" in obj["metadata"]
    name = str(obj["metadata"]["name"])
    return f"{namespace_of(obj)}/{name}" if namespaced else name


def _grouped(manifests: Iterable[Object], known_kinds: Sequence[str]) -> list[_Group]:
    groups: dict[tuple[str, str], _Group] = {}
    for manifest in manifests:
        at = (manifest["apiVersion"], manifest["kind"])
        groups.setdefault(at, _Group(*at)).manifests.append(manifest)
    for known in known_kinds:
        api_version, _, name = known.rpartition("/")
        groups.setdefault((api_version, name), _Group(api_version, name))
    return list(groups.values())


def _listing(group: _Group, pairs: Sequence[_Pair]) -> Listing:
    if group.unknown:
        return group.unknown
    desired = {p.expected.name for p in pairs}
    extra = [
        Resource(group.name, name, id=o["metadata"]["uid"])
        for name, o in group.listed.items()
        if name not in desired and not _made_by_a_controller(o)
    ]
    found = [p.live for p in pairs if p.live] + extra
    return Known(tuple(sorted(found, key=lambda r: r.name)))


def _made_by_a_controller(obj: Mapping[str, Any]) -> bool:
    """Some controllers copy labels to what they make (a Service's to its EndpointSlices): those are not ours."""
    return any(owner.get("controller") for owner in obj["metadata"].get("ownerReferences") or ())


def _merged(before: Listing | None, now: Listing) -> Listing:
    """Two groups may have a kind of the same name; what is unknown of one is unknown of both."""
    if before is None or isinstance(now, Unknown):
        return now
    return before if isinstance(before, Unknown) else Known(before.resources + now.resources)
