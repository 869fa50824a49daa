"""Deletes live objects by uid, so that a namesake made in the meantime is never hit, and waits until they are gone."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ...errors import Transient
from ...model.resource import Resource
from .apply import rank
from .connection import Conflict, Connection, NotFound
from .kinds import Discovery

_POLL = 0.3


def prune(connection: Connection, discovery: Discovery, resources: Sequence[Resource], wait: float) -> None:
    """Delete in the reverse of apply's order. Raises Transient naming what is still there after `wait` seconds."""
    ordered = sorted(resources, key=lambda r: (-rank(r.kind), r.kind, r.name))
    deleted = [(r, path) for r in ordered if (path := _delete(connection, discovery, r))]
    until = time.monotonic() + wait
    for resource, path in deleted:
        while _uid(connection, path) == resource.id:
            if time.monotonic() > until:
                raise Transient(
                    f"{resource.key} is deleted, but not gone after {wait:g} s",
                    hint="something holds it: look at metadata.finalizers and at what it contains",
                )
            time.sleep(_POLL)


def _delete(connection: Connection, discovery: Discovery, resource: Resource) -> str:
    """Return the path it was deleted at; empty when it was gone already."""
    namespace, _, name = resource.name.rpartition("/")
    for kind in discovery.named(resource.kind):
        path = kind.path(name, namespace)
        if _uid(connection, path) != resource.id:
            continue  # a kind of the same name in another group, or gone
        body = {"preconditions": {"uid": resource.id}, "propagationPolicy": "Background"}
        try:
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
