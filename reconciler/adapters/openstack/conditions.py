"""The condition a server is in: what Nova knows of it that nobody in git asks for and every plan must respect."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ...model.naming import FAULT, IMAGE_ID, LOCKED, NEVER_RAN
from ...model.resource import Value

_LONGEST = 200
# How many servers are asked for by id in one look, at most: each costs a request.
_ASKED_AT_ONCE = 20
_MACHINE = "compute:"
# Tasks during which Nova still shows the status of before, as of a server that stays.
_LEAVING = ("deleting", "soft-deleting")


def status(server: Any) -> str:
    """Nova's status; DELETING of a server that is on its way out, which Nova goes on calling ACTIVE."""
    return "DELETING" if getattr(server, "task_state", None) in _LEAVING else str(server.status)


def of(server: Any, image: str | None) -> dict[str, Value]:
    """Fields of a server besides those git may ask for; each only where there is something to say. `image` is the id of
    the image it was made from."""
    fields: dict[str, Value] = {IMAGE_ID: image} if image else {}
    if getattr(server, "is_locked", None) is True:
        fields[LOCKED] = True
    if server.status != "ERROR":
        return fields
    fault = (getattr(server, "fault", None) or {}).get("message")
    if fault:
        fields[FAULT] = str(fault).splitlines()[0][:_LONGEST]
    # Nova writes the moment of a server's first start and never takes it away.
    if hasattr(server, "launched_at") and server.launched_at is None:
        fields[NEVER_RAN] = True
    return fields


def with_faults(servers: Sequence[Any], fetch: Callable[[str], Any]) -> list[Any]:
    """The servers, those in ERROR as Nova tells of each by itself: the fault of one that found no host is in no list
    (it lies in the database of another cell)."""
    silent = [s.id for s in servers if s.status == "ERROR" and not getattr(s, "fault", None)][:_ASKED_AT_ONCE]
    return [(fetch(s.id) or s) if s.id in silent else s for s in servers]


def unlisted(ports: Iterable[Any], servers: Sequence[Any], fetch: Callable[[str], Any]) -> list[Any]:
    """Servers that no list shows and that hold a port all the same: deleted, and restorable until Nova reclaims them.
    `fetch` gets a server by its id, None where there is none."""
    listed = {server.id for server in servers}
    held = sorted({p.device_id for p in ports if (p.device_owner or "").startswith(_MACHINE) and p.device_id})
    asked = [fetch(id) for id in [id for id in held if id not in listed][:_ASKED_AT_ONCE]]
    return [server for server in asked if server is not None and server.status == "SOFT_DELETED"]
