"""Which machines a cluster's Kubernetes was installed on: what tells a dead control plane from a silent one, and a
member of etcd that has to be replaced from one that joins."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from ..model.resource import Resource


def installed_on(state: Path, cluster: str) -> dict[str, str]:
    """The server ids of control plane and etcd at the last installation, by host; empty when that was never written
    down."""
    try:
        found = json.loads(_file(state, cluster).read_text())
    except (OSError, ValueError):
        return {}
    return {str(name): str(id) for name, id in found.items()} if isinstance(found, dict) else {}


def remember(state: Path, cluster: str, servers: Iterable[Resource]) -> None:
    """Write it down in one step, so that a kill leaves the old answer or the new one."""
    _write(state, cluster, {server.name: server.id for server in servers})


def forget(state: Path, cluster: str, hosts: Collection[str]) -> None:
    """These left as they should: who comes under their name later is new, and replaces nobody."""
    before = installed_on(state, cluster)
    if before.keys() & set(hosts):
        _write(state, cluster, {name: id for name, id in before.items() if name not in hosts})


def lost(installed: Mapping[str, str], servers: Iterable[Resource]) -> frozenset[str]:
    """Hosts whose machine is gone, or another one now."""
    live = {server.name: server.id for server in servers}
    return frozenset(name for name, id in installed.items() if live.get(name) != id)


def _write(state: Path, cluster: str, found: Mapping[str, str]) -> None:
    target = _file(state, cluster)
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_suffix(".new")
    fresh.write_text(json.dumps(found, sort_keys=True))
    fresh.replace(target)


def _file(state: Path, cluster: str) -> Path:
    return state / cluster / "installed.json"
