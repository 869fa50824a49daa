"""Fields that are left to others, in what is sent: a live value that nobody else owns, or that lies in something the
server replaces as a whole (a NetworkPolicy's ports, the rules of a role), is lost unless it is sent too."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ...errors import Permanent, Transient
from ...model.resource import Key, Unknown
from ...ports import Manifest
from .connection import Connection
from .fields import encoded, labels, leaves
from .kinds import Discovery
from .lookup import lookup
from .places import places, within

Object: TypeAlias = "dict[str, Any]"

_GONE: Any = object()


def kept(
    connection: Connection,
    discovery: Discovery,
    manifests: Sequence[Manifest],
    fields: Mapping[Key, Collection[str]],
    manager: str,
) -> tuple[Manifest, ...]:
    """The manifests as `manager` may apply them, so that what lies at `fields` stays as it is live.

    Raises Transient where that can't be seen now, Permanent where it can't be read.
    """
    asked = [m for m in manifests if fields.get(_key(m))]
    seen = dict(zip((_key(m) for m in asked), lookup(connection, discovery, asked), strict=True))
    return tuple(_kept(m, seen.get(_key(m)), fields.get(_key(m), ()), manager) for m in manifests)


def _kept(manifest: Manifest, live: Manifest | Unknown | None, fields: Collection[str], manager: str) -> Manifest:
    if isinstance(live, Unknown):
        raise Transient(f"{_key(manifest)} can't be read, so what is ignored of it can't be kept: {live.reason}")
    try:
        return keeping(manifest, live, fields, manager) if live else manifest
    except (Permanent, RecursionError) as error:
        why = "it nests too deeply" if isinstance(error, RecursionError) else error.message
        raise Permanent(f"{_key(manifest)} can't be applied with what is ignored of it: {why}") from None


def keeping(manifest: Manifest, live: Manifest, fields: Collection[str], manager: str) -> Object:
    """The manifest with what lies at `fields` as it is live: sent, or where somebody else owns it by itself, left out.

    An item of a list that is only in git, or only live, is as git says, unless all of it is to stay.
    """
    owned = list(places(live))
    sent = frozenset(path for path in fields if _has_to_be_sent(path, owned, manager))
    merged = _Merge(sent, frozenset(fields) - sent).merge(encoded(copy.deepcopy(dict(manifest))), live, "")
    return dict(merged)


def _has_to_be_sent(path: str, owned: Sequence[Any], manager: str) -> bool:
    """Is it part of something that is replaced as a whole, or would the server take away what only we own?"""
    if any(place.whole and within(path, place.path) for place in owned):
        return True
    owners = {p.manager for p in owned if p.whole and (p.path == path or within(p.path, path))}
    return owners == {manager}


@dataclass(frozen=True, slots=True)
class _Merge:
    """`sent` are the paths that take the live value, `omitted` those that are left out."""

    sent: frozenset[str]
    omitted: frozenset[str]

    def merge(self, ours: Any, theirs: Any, path: str) -> Any:
        """What is sent at `path`; _GONE stands for nothing, on either side and as the answer."""
        if path in self.omitted:
            return _GONE
        if path in self.sent:
            return theirs if theirs is _GONE else copy.deepcopy(theirs)
        if isinstance(theirs, Mapping) and (isinstance(ours, Mapping) or ours is _GONE):
            return self._mapping({} if ours is _GONE else ours, theirs, path, made=ours is _GONE)
        if isinstance(theirs, list) and (isinstance(ours, list) or ours is _GONE):
            return self._list([] if ours is _GONE else ours, theirs, path, made=ours is _GONE)
        if isinstance(ours, Mapping):  # the live side has none of it
            return {k: v for k, v in ours.items() if f"{path}.{k}" not in self.omitted | self.sent}
        return ours

    def _mapping(self, ours: Mapping[str, Any], theirs: Mapping[str, Any], path: str, *, made: bool) -> Any:
        merged: Object = {}
        for key in (*ours, *(key for key in theirs if key not in ours)):
            at = f"{path}.{key}" if path else str(key)
            if key not in ours and not self._touches(at):
                continue
            value = self.merge(ours.get(key, _GONE), theirs.get(key, _GONE), at)
            if value is not _GONE:
                merged[key] = value
        return _GONE if made and not merged else merged

    def _list(self, ours: Sequence[Any], theirs: Sequence[Any], path: str, *, made: bool) -> Any:
        live = dict(zip(labels(theirs), theirs, strict=True))
        mine = dict(zip(labels(ours), ours, strict=True))
        merged = []
        for label, item in mine.items():
            at = f"{path}[{label}]"
            if label in live:
                merged.append(self.merge(item, live[label], at))
            elif not _paths(item, at) <= self.sent | self.omitted:
                merged.append(item)
        more = {label: item for label, item in live.items() if label not in mine}
        merged += [copy.deepcopy(item) for label, item in more.items() if _paths(item, f"{path}[{label}]") <= self.sent]
        kept_items = [item for item in merged if item is not _GONE]
        return _GONE if made and not kept_items else kept_items

    def _touches(self, path: str) -> bool:
        return any(sent == path or within(sent, path) for sent in self.sent)


def _paths(item: Any, path: str) -> frozenset[str]:
    return frozenset(at for at, _ in leaves(item, path))


def _key(manifest: Manifest) -> Key:
    """What git calls the object."""
    namespace, name = manifest["metadata"].get("namespace"), manifest["metadata"]["name"]
    return Key(manifest["kind"], f"{namespace}/{name}" if namespace else name)
