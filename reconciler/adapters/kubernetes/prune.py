"""Deletes live objects by uid, so that a namesake made in the meantime is never hit, and waits until they are gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ...errors import Transient
from ...model.resource import Resource
from .apply import rank
from .connection import Conflict, Connection, NotFound
from .kinds import Discovery
from .outliving import goes_with

_POLL = 0.3
_CLAIM = "PersistentVolumeClaim"


def prune(connection: Connection, discovery: Discovery, resources: Sequence[Resource], wait: float) -> None:
    """Delete in the reverse of apply's order. With a claim goes its volume in the cloud, where its class says so, and
    that takes longer. Raises Transient naming what is still there after `wait` seconds."""
    ordered = sorted(resources, key=lambda r: (-rank(r.kind), r.kind, r.name))
    volumes: list[str] = []
    deleted = [(r, path) for r in ordered if (path := _delete(connection, discovery, r, volumes))]
    until = time.monotonic() + wait
    for resource, path in deleted:
        held = "something holds it: look at metadata.finalizers and at what it contains"
        _await(lambda at=path, r=resource: _uid(connection, at) != r.id, until, f"{resource.key}", wait, held)  # type: ignore[misc]
    for path in volumes:
        held = "its driver deletes it in the cloud: look at the driver's log, and at the volume's events"
        _await(lambda at=path: not _uid(connection, at), until, f"volume {path.rpartition('/')[2]}", wait, held)  # type: ignore[misc]


def _await(gone: Callable[[], bool], until: float, what: str, wait: float, hint: str) -> None:
    while not gone():
        if time.monotonic() > until:
            raise Transient(f"{what} is deleted, but not gone after {wait:g} s", hint=hint)
        time.sleep(_POLL)


def _delete(connection: Connection, discovery: Discovery, resource: Resource, volumes: list[str]) -> str:
    """Return the path it was deleted at; empty when it was gone already. The volume that goes with it is put to
    `volumes`."""
    namespace, _, name = resource.name.rpartition("/")
    for kind in discovery.named(resource.kind):
        path = kind.path(name, namespace)
        if _uid(connection, path) != resource.id:
            continue  # a kind of the same name in another group, or gone
        body = {"preconditions": {"uid": resource.id}, "propagationPolicy": "Background"}
        try:
            volumes += [v for v in (goes_with(connection, path),) if v] if resource.kind == _CLAIM else []
            connection.request("DELETE", path, body=body)
        except (NotFound, Conflict):
            return ""
        return path
    return ""


def _uid(connection: Connection, path: str) -> str:
    try:
        return str(connection.get(path)["metadata"]["uid"])
    except NotFound:
        return ""
