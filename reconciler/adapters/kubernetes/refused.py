"""What a manifest would change where the server refuses it as it is: without what stands in its way, or, where nothing
helps, by the manifest's own fields as the server would spell them."""

from __future__ import annotations

import contextlib
import copy
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from ...errors import Permanent, Transient
from .connection import MERGE_PATCH, STRATEGIC_PATCH, Connection, Rejected, Unpatchable
from .fields import leaves
from .kinds import Kind, namespace_of, path_of
from .leftover import Leftover, claiming, guesses, without
from .places import places, within

Object: TypeAlias = "dict[str, Any]"

_ROUNDS, _TRIES = 5, 12  # members that stand in the way, one after another; dry runs for one object
_DRY = {"dryRun": "All"}
# What a server gives out once: a second object can't have it, also where that is only tried.
_GIVEN_OUT = ("clusterIP", "clusterIPs", "healthCheckNodePort", "loadBalancerIP")


def immutable(message: str) -> bool:
    """Does the server refuse any change of a field, whatever stands beside it?"""
    return "immutable" in message or "Forbidden: updates to" in message


def freed(
    connection: Connection, kind: Kind, manifest: Object, live: Object, error: Rejected
) -> tuple[Object, tuple[Leftover, ...]] | None:
    """What the object would become without what stands in the manifest's way, and what that is; each guess is tried in
    a dry run. None where no member of the live object is to blame."""
    if immutable(error.message):
        return None
    gone: tuple[Leftover, ...] = ()
    tries = 0
    for _ in range(_ROUNDS):
        nearer: tuple[tuple[Leftover, ...], Rejected] | None = None
        for guess in guesses(manifest, live, error.fields):
            if (tries := tries + 1) > _TRIES:
                return None
            tried = (*gone, *sorted(guess - set(gone), key=lambda one: one.path))
            try:
                return _tried(connection, kind, manifest, live, tried), tried
            except Permanent as other:
                if isinstance(other, Rejected) and not set(error.fields) <= set(other.fields):
                    nearer = nearer or (tried, other)
        if nearer is None:
            return None
        gone, error = nearer
    return None


def _tried(connection: Connection, kind: Kind, manifest: Object, live: Object, gone: Sequence[Leftover]) -> Object:
    """As a merge patch, which can take things away; a plain one where the server does not know how to merge lists."""
    metadata = {**manifest["metadata"], "uid": live["metadata"]["uid"]}
    body = without({**manifest, "metadata": metadata}, gone)
    path = path_of(manifest, kind)
    try:
        made = connection.request("PATCH", path, query=_DRY, body=body, content_type=STRATEGIC_PATCH)
    except Unpatchable:
        made = connection.request("PATCH", path, query=_DRY, body=body, content_type=MERGE_PATCH)
    return dict(made)


def dropped(manifest: Object, live: Object, manager: str) -> frozenset[str]:
    """The fields that we applied earlier and git no longer names: apply takes them away, and no merge patch says so."""
    wanted = [path for path, _ in leaves(manifest)]
    mine = [place.path for place in places(live) if place.manager == manager and place.whole]
    gone = [path for path in mine if not any(w == path or within(w, path) for w in wanted)]
    return frozenset(path for path, _ in leaves(live) if any(path == g or within(path, g) for g in gone))


def claim(
    connection: Connection, kind: Kind, manifest: Object, live: Object, gone: Sequence[Leftover], manager: str
) -> Object:
    """Make what stands in the way ours in the server's books, of the very version that was looked at; no value changes.
    Returns the object as it is then. Raises Conflict when it is another version by now."""
    books = claiming(live, gone, manager, manifest["apiVersion"])
    if books is None:
        names = ", ".join(one.path for one in gone)
        raise Permanent(f"{names} stands in the way", hint="take it away by hand: nobody is known to own it")
    metadata = {"resourceVersion": live["metadata"]["resourceVersion"], "managedFields": books}
    query = {"fieldManager": manager}
    path = path_of(manifest, kind)
    return dict(connection.request("PATCH", path, query=query, body={"metadata": metadata}, content_type=MERGE_PATCH))


def spelled(connection: Connection, kind: Kind, manifest: Object) -> Object:
    """The manifest as the server would write it (1000m is 1), tried as a new object of another name; as it is where
    the server refuses that too."""
    body = copy.deepcopy(manifest)
    digest = hashlib.sha256(str(manifest["metadata"]["name"]).encode()).hexdigest()[:8]
    body["metadata"] = {**body["metadata"], "name": f"reconciler-{digest}"}
    if manifest["kind"] == "Service" and isinstance(body.get("spec"), Mapping):
        body["spec"] = {k: v for k, v in body["spec"].items() if k not in _GIVEN_OUT or v == "None"}
        ports = body["spec"].get("ports")
        for port in ports if isinstance(ports, list) else ():
            if isinstance(port, dict):
                port.pop("nodePort", None)
    with contextlib.suppress(Permanent, Transient):
        path = kind.collection(namespace_of(manifest))
        return dict(connection.request("POST", path, query=_DRY, body=body))
    return manifest
