"""Deletes live objects by uid, so that a namesake made in the meantime is never hit, and waits until they are gone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ... import interrupt
from ...errors import Transient
from ...model.naming import going
from ...model.resource import Resource
from .apply import rank
from .connection import Conflict, Connection, NotFound
from .kinds import Discovery, Kind
from .leaving import leaving
from .outliving import goes_with

_POLL = 0.3
_CLAIM = "PersistentVolumeClaim"
_TOLD = 5  # objects that stay, of one step, that are told one by one


@dataclass(frozen=True, slots=True)
class _Doomed:
    """What is to go, where it is, and whether it was being deleted before we came; of a claim also the path of the
    volume that goes with it."""

    resource: Resource
    path: str
    before: bool
    volume: str = ""


def prune(connection: Connection, discovery: Discovery, resources: Sequence[Resource], wait: float) -> None:
    """Delete in the reverse of apply's order. With a claim goes its volume in the cloud, where its class says so, and
    that takes longer. Raises Transient naming what is still there after `wait` seconds, and what holds it. What
    somebody deleted earlier is not waited for: that was done then."""
    ordered = sorted(resources, key=lambda r: (-rank(r.kind), r.kind, r.name))
    doomed = [one for r in ordered if (one := _delete(connection, discovery, r))]
    until = time.monotonic() + wait
    stays: list[str] = []
    for one in doomed:
        while live := _there(connection, one.resource, one.path):
            interrupt.check_own()
            if one.before or time.monotonic() > until:
                stays.append(_stays(one.resource, live))
                break
            time.sleep(_POLL)
    for path in (one.volume for one in doomed if one.volume):
        while _exists(connection, path):
            interrupt.check_own()
            if time.monotonic() > until:
                stays.append(f"volume {path.rpartition('/')[2]} is not gone: its driver deletes it in the cloud")
                break
            time.sleep(_POLL)
    if stays:
        more = f"; and {len(stays) - _TOLD} more" if len(stays) > _TOLD else ""
        raise Transient(
            "; ".join(stays[:_TOLD]) + more,
            hint="whoever owns a finalizer takes it off (is its controller running?); nobody waits for it again",
        )


def _stays(resource: Resource, live: dict[str, Any]) -> str:
    return f"{resource.key} {going(leaving(live['metadata'])) or 'was deleted, and is still there'}"


def _delete(connection: Connection, discovery: Discovery, resource: Resource) -> _Doomed | None:
    """None: it was gone already. Raises Transient where what is live is not ours to change any more."""
    interrupt.check_own()
    namespace, _, name = resource.name.rpartition("/")
    for kind in _kinds(discovery, resource):
        path = kind.path(name, namespace)
        live = _there(connection, resource, path)
        if not live:
            continue  # a kind of the same name in another group, or gone
        if live["metadata"].get("deletionTimestamp"):
            return _Doomed(resource, path, True)
        body = {"preconditions": {"uid": resource.id}, "propagationPolicy": "Background"}
        try:
            volume = goes_with(connection, path) if resource.kind == _CLAIM else ""
            connection.request("DELETE", path, body=body)
        except (NotFound, Conflict):
            return None
        return _Doomed(resource, path, False, volume or "")
    return None


def _kinds(discovery: Discovery, resource: Resource) -> Iterator[Kind]:
    """Where it may be: where its type says, or in any group that has a kind of the name."""
    api_version, _, name = resource.type.rpartition("/")
    if not api_version:
        yield from discovery.named(resource.kind)
    elif kind := discovery.kind(api_version, name):
        yield kind


def _exists(connection: Connection, path: str) -> bool:
    try:
        connection.get(path)
    except NotFound:
        return False
    return True


def _there(connection: Connection, resource: Resource, path: str) -> dict[str, Any]:
    """The very object that is meant, as it is live; empty when it is gone."""
    try:
        live: dict[str, Any] = connection.get(path)
    except NotFound:
        return {}
    return live if live["metadata"]["uid"] == resource.id else {}
