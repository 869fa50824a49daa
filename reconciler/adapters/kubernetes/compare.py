"""Compares manifests with live objects through the API server's own eyes: what may have changed is found in lists of
metadata, and only that is fetched and tried in a dry run."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from ...errors import Permanent, Transient
from ...model.resource import Fields, Known, Listing, Resource, Unknown
from ...ports import Comparison, Manifest, goes_when_done
from .additions import Names
from .connection import Connection, Forbidden, NotFound
from .fields import PART_OF, all_fields, generated, prepared
from .fingerprint import fingerprint, settled
from .kinds import Discovery, Kind, name_of, namespace_of, path_of
from .leaving import leaving
from .ours import applied_by
from .owners import claimed
from .remembered import Equal, Remembered, digest
from .rights import Rights
from .spaces import Spaces
from .verdict import Verdict, verdict

_WORKERS = 8
# From how many objects of a kind on one list is cheaper than asking for each; and of how large a part of all.
_MANY, _SHARE = 8, 20

Object: TypeAlias = "dict[str, Any]"


@dataclass(slots=True)
class _Group:
    """One kind of one comparison: as whom we apply, which objects the record knows, what listing its metadata found,
    which objects were listed whole since many had changed, and which are certainly not there."""

    api_version: str
    name: str
    rights: Rights
    manager: str
    namespaces: set[str] = field(default_factory=set)
    recorded: set[str] = field(default_factory=set)
    kind: Kind | None = None
    listed: dict[str, Object] = field(default_factory=dict)
    at: datetime.datetime | None = None
    whole: dict[str, Object] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    unknown: Unknown | None = None


@dataclass(frozen=True, slots=True)
class _Pair:
    """One manifest compared. `live` is None where there is no such object; `equal` is worth remembering."""

    expected: Resource
    live: Resource | None = None
    equal: Equal | None = None


@dataclass(slots=True)
class _Asked:
    """One manifest, as it is sent, and what came of it."""

    group: _Group
    manifest: Object
    digest: str
    pair: _Pair | None = None

    @property
    def name(self) -> str:
        return name_of(self.manifest, self.group.kind)


class Comparer:
    """`manager` is as whom objects are applied where nobody says otherwise."""

    def __init__(self, connection: Connection, discovery: Discovery, manager: str, remembered: Remembered) -> None:
        self._connection = connection
        self._discovery = discovery
        self._manager = manager
        self._remembered = remembered

    def compare(
        self, part_of: str, manifests: Sequence[Manifest], before: Sequence[Resource], manager: str = ""
    ) -> Comparison:
        names = Names.of(self._manager, manager)
        groups = _grouped(manifests, before, Rights(self._connection, part_of, manifests), names.manager)
        equal = self._remembered.of(part_of)
        with ThreadPoolExecutor(_WORKERS, thread_name_prefix="kubernetes") as pool:
            lists = pool.map(self._list, groups.values())
            asked = [  # while the server makes its lists
                _Asked(groups[m["apiVersion"], m["kind"]], m, digest(m, names.manager))
                for m in (prepared(manifest, part_of) for manifest in manifests)
            ]
            list(lists)
            for one in asked:
                one.pair = _unchanged(one, equal)
            left = [one for one in asked if one.pair is None]
            self._fetch(left, pool)
            for one, pair in zip(left, pool.map(lambda one: self._pair(one, names), left), strict=True):
                one.pair = pair
        pairs = [(one.group, one.pair) for one in asked if one.pair]
        self._remembered.replace(part_of, {p.live.id: p.equal for _, p in pairs if p.live and p.equal})
        live: dict[str, Listing] = {}
        for group in groups.values():
            mine = [pair for of, pair in pairs if of is group]
            live[group.name] = _merged(live.get(group.name), self._listing(group, mine))
        spaces = Spaces(self._connection, {str(m["metadata"]["name"]) for m in manifests if m["kind"] == "Namespace"})
        return Comparison(tuple(_expected(one, one.pair, spaces) for one in asked if one.pair), live)

    def _list(self, group: _Group) -> None:
        try:
            group.kind = self._discovery.kind(group.api_version, group.name)
            if group.kind is None:
                return
            found = group.rights.metadata(group.kind, group.namespaces)
            group.listed, group.at = {name_of(o, group.kind): o for o in found.items}, found.at
        except NotFound:  # its definition went away between the two calls
            group.kind = None
        except (Transient, Permanent) as error:
            group.unknown = Unknown(error.message, error.hint)

    def _fetch(self, left: Sequence[_Asked], pool: Executor) -> None:
        """Where many may have changed, or are in no list, one list more spares asking for each."""
        changed: dict[int, list[_Asked]] = {}
        missing: dict[tuple[int, str], list[_Asked]] = {}
        for one in (one for one in left if one.group.kind and not one.group.unknown):
            if one.name in one.group.listed:
                changed.setdefault(id(one.group), []).append(one)
            else:
                missing.setdefault((id(one.group), namespace_of(one.manifest)), []).append(one)
        many = [of for of in changed.values() if len(of) > _MANY and len(of) * _SHARE >= len(of[0].group.listed)]
        waiting = [pool.submit(self._list_whole, of[0].group) for of in many]
        waiting += [pool.submit(self._list_absent, of) for of in missing.values() if len(of) > _MANY]
        for one_of in waiting:
            one_of.result()

    def _listing(self, group: _Group, pairs: Sequence[_Pair]) -> Listing:
        desired = {p.expected.name for p in pairs}
        try:
            extra = {name: o for name, o in group.listed.items() if name not in desired and _ours(group, name, o)}
        except Permanent as error:  # whose something is can't be read
            return group.unknown or Unknown(f"{group.name}: {error.message}", error.hint)
        if extra and group.name == "RoleBinding" and not group.whole:  # what becomes of one depends on what it gives
            self._list_whole(group)
        if group.unknown:
            return group.unknown
        left = [_left(group, name, o["metadata"]) for name, o in extra.items()]
        found = [p.live for p in pairs if p.live] + left
        return Known(tuple(sorted(found, key=lambda r: r.name)))

    def _list_whole(self, group: _Group) -> None:
        if group.kind is None:
            return
        try:
            found = group.rights.items(group.kind, group.namespaces)
            group.whole = {name_of(o, group.kind): o for o in found}
        except (Transient, Permanent) as error:
            group.unknown = Unknown(error.message, error.hint)

    def _list_absent(self, missing: Sequence[_Asked]) -> None:
        """Many of one namespace that are not labelled as ours: mostly they are not there at all. A collection too
        large for one list is not read for that, and neither is one that is not ours to list."""
        group = missing[0].group
        if group.kind is None:
            return
        try:
            there = self._connection.few(group.kind.collection(namespace_of(missing[0].manifest)))
        except (Transient, Permanent):
            return
        if there is not None:
            group.absent |= {one.name for one in missing} - {name_of(o, group.kind) for o in there}

    def _pair(self, one: _Asked, names: Names) -> _Pair:
        group = one.group
        whole = Resource(group.name, one.name, all_fields(one.manifest))
        if group.unknown or group.kind is None or one.name in group.absent:
            return _Pair(whole)
        try:
            live = group.whole.get(one.name) or self._connection.get(path_of(one.manifest, group.kind))
            return self._seen(one, group.kind, live, names)
        except NotFound:
            return _Pair(whole)
        except (Transient, Permanent, RecursionError) as error:
            mine = isinstance(error, Forbidden) and group.kind.namespaced
            if mine and group.rights.to_come(namespace_of(one.manifest)):
                return _Pair(whole)
            why = Permanent("nests too deeply to be compared") if isinstance(error, RecursionError) else error
            group.unknown = Unknown(f"{group.name} {one.name}: {why.message}", why.hint)
            return _Pair(whole)

    def _seen(self, one: _Asked, kind: Kind, live: Object, names: Names) -> _Pair:
        if since := _leaving(one, live["metadata"]):
            there = Resource(kind.name, one.name, since, id=live["metadata"]["uid"])
            return _Pair(Resource(kind.name, one.name), there)
        if generated(one.manifest):
            return _equal(one, live)
        return self._compared(one, verdict(self._connection, kind, one.manifest, live, names), names)

    def _compared(self, one: _Asked, found: Verdict, names: Names) -> _Pair:
        kind, metadata = one.group.name, found.live["metadata"]
        more = {path: added for path, added in found.added.items() if path not in found.ours}
        expected = Resource(kind, one.name, {**found.ours, **{path: a.wanted for path, a in more.items()}})
        theirs = {**found.theirs, **{path: a.live for path, a in more.items()}}
        actual = Resource(kind, one.name, theirs, id=metadata["uid"])
        if theirs:
            group = one.manifest["metadata"]["labels"][PART_OF]
            owners = claimed(found.live, found.ours, names.manager, group, names.ours)
            added = {path: a.addition for path, a in more.items() if not a.dropped}
            return _Pair(expected, replace(actual, owners=owners, added=added))
        known = fingerprint(metadata) if settled(metadata, one.group.at) else ""
        return _Pair(expected, actual, Equal(one.digest, metadata["resourceVersion"], known))


def _expected(one: _Asked, pair: _Pair, spaces: Spaces) -> Resource:
    missing = pair.live is None and not one.group.unknown
    return spaces.placed(pair.expected, one.manifest, one.group.kind, missing=missing)


def _unchanged(one: _Asked, before: Mapping[str, Equal]) -> _Pair | None:
    """What was equal and is still the same costs nothing more. None: it has to be looked at."""
    live = one.group.listed.get(one.name) if one.group.kind and not one.group.unknown else None
    if live is None or _leaving(one, live["metadata"]):
        return None
    if generated(one.manifest):
        return _equal(one, live)
    metadata = live["metadata"]
    known = before.get(metadata["uid"])
    if known is None or known.digest != one.digest:
        return None
    if known.version == metadata["resourceVersion"]:
        if not known.print and settled(metadata, one.group.at):
            known = replace(known, print=fingerprint(metadata))
        return _equal(one, live, known)
    return _equal(one, live, known) if known.print and known.print == fingerprint(metadata) else None


def _leaving(one: _Asked, metadata: Mapping[str, Any]) -> Fields:
    """What is said of an object that is wanted and on its way out. A Job that goes when it is done is meant to."""
    return {} if goes_when_done(one.manifest) else leaving(metadata)


def _equal(one: _Asked, live: Object, known: Equal | None = None) -> _Pair:
    kind = one.group.name
    return _Pair(Resource(kind, one.name), Resource(kind, one.name, id=live["metadata"]["uid"]), known)


def _grouped(
    manifests: Sequence[Manifest], before: Sequence[Resource], rights: Rights, manager: str
) -> dict[tuple[str, str], _Group]:
    """Each with the namespaces where some are wanted or were applied. A Namespace is in itself, as for the server."""
    groups: dict[tuple[str, str], _Group] = {}
    for m in manifests:
        group = groups.setdefault((m["apiVersion"], m["kind"]), _Group(m["apiVersion"], m["kind"], rights, manager))
        group.namespaces.add(str(m["metadata"]["name"]) if m["kind"] == "Namespace" else namespace_of(m))
    for resource in before:
        api_version, _, name = resource.type.rpartition("/")
        group = groups.setdefault((api_version, name), _Group(api_version, name, rights, manager))
        group.recorded.add(resource.name)
        space = resource.name if name == "Namespace" else resource.name.rpartition("/")[0]
        group.namespaces |= {space} - {""}
    return groups


def _given(obj: Mapping[str, Any]) -> Fields:
    """Of a RoleBinding, which role it gives and to whom; of others, and of what is gone meanwhile, nothing."""
    if "roleRef" not in obj:
        return {}
    to = (
        f"{s['kind']} {'/'.join(s[at] for at in ('namespace', 'name') if at in s)}" for s in obj.get("subjects") or ()
    )
    return {"roleRef.name": obj["roleRef"]["name"], "subjects": tuple(sorted(to))}


def _ours(group: _Group, name: str, obj: Object) -> bool:
    return applied_by(obj["metadata"], group.manager, recorded=name in group.recorded)


def _left(group: _Group, name: str, metadata: Mapping[str, Any]) -> Resource:
    """An object of ours that no manifest asks for."""
    fields = {**_given(group.whole.get(name, {})), **leaving(metadata)}
    return Resource(group.name, name, fields, id=metadata["uid"], type=f"{group.api_version}/{group.name}")


def _merged(before: Listing | None, now: Listing) -> Listing:
    """Two groups may have a kind of the same name; what is unknown of one is unknown of both."""
    if before is None or isinstance(now, Unknown):
        return now
    return before if isinstance(before, Unknown) else Known(before.resources + now.resources)
