"""What changed in a project since a moment, for one request: Nova's `changes-since`, deleted servers included."""

from __future__ import annotations

import datetime
from typing import Any

from ...model.naming import OWNER_KEY
from ...ports import Touched


def touched(connection: Any, since: datetime.datetime) -> tuple[Touched, ...]:
    """The servers that Nova wrote to since then. An empty list, mostly, so the details cost nothing."""
    moment = since.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    found = connection.compute.servers(details=True, changes_since=moment)
    return tuple(_touched(server) for server in found)


def _touched(server: Any) -> Touched:
    stamp = f"{server.updated_at} {server.status} {server.task_state or ''}"
    return Touched(server.id, server.name or "", (server.metadata or {}).get(OWNER_KEY, ""), stamp)
