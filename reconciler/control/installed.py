"""Which machines a cluster's Kubernetes was installed on: what tells a dead control plane from a silent one, and a
member of etcd that has to be replaced from one that joins."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from .. import files
from ..model.desired import Cluster
from ..model.resource import Resource
from ..spec.render.machines import machines

_INSTALLED = "installed.json"
_BEGUN = "installing.json"


def installed_on(state: Path, cluster: str) -> dict[str, str]:
    """The server ids of control plane and etcd at the last installation, by host; empty when that was never written
    down."""
    return _read(state, cluster, _INSTALLED)


def members(cluster: Cluster, servers: Iterable[Resource]) -> list[Resource]:
    """The servers of control plane and etcd."""
    names = {m.name for m in machines(cluster) if m.role in ("control-plane", "etcd")}
    return [server for server in servers if server.name in names]


def remember(state: Path, cluster: str, servers: Iterable[Resource]) -> None:
    """Write it down in one step, so that a kill leaves the old answer or the new one. It is no beginning any more."""
    write(state, cluster, {server.name: server.id for server in servers})
    ended(state, cluster)


def begin(state: Path, cluster: str, servers: Iterable[Resource]) -> None:
    """Write down, before a first installation, on which servers it begins: what a kill leaves on them is ours."""
    write(state, cluster, {server.name: server.id for server in servers}, _BEGUN)


def begun(state: Path, cluster: str) -> frozenset[tuple[str, str]]:
    """Hosts and server ids of a first installation from here that never came to its end."""
    return frozenset(_read(state, cluster, _BEGUN).items())


def ended(state: Path, cluster: str) -> None:
    """The API answers: from now on it says what is there. Raises Transient where that can't be written."""
    note = _file(state, cluster, _BEGUN)
    try:
        note.unlink(missing_ok=True)
    except OSError as error:
        raise files.unwritable(note, error) from None


def forget(state: Path, cluster: str, hosts: Collection[str]) -> None:
    """These left as they should: who comes under their name later is new, and replaces nobody."""
    before = installed_on(state, cluster)
    if before.keys() & set(hosts):
        write(state, cluster, {name: id for name, id in before.items() if name not in hosts})


def lost(installed: Mapping[str, str], servers: Iterable[Resource]) -> frozenset[str]:
    """Hosts whose machine is gone, or another one now."""
    live = {server.name: server.id for server in servers}
    return frozenset(name for name, id in installed.items() if live.get(name) != id)


def write(state: Path, cluster: str, hosts: Mapping[str, str], name: str = _INSTALLED) -> None:
    """Write down server ids by host; an empty id is of a server that nobody knows any more. Raises Transient where that
    can't be written."""
    target = _file(state, cluster, name)
    fresh = target.with_suffix(".new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps(hosts, sort_keys=True))
        fresh.replace(target)
    except OSError as error:
        raise files.unwritable(target, error) from None


def _read(state: Path, cluster: str, name: str) -> dict[str, str]:
    try:
        hosts = json.loads(_file(state, cluster, name).read_text())
    except (OSError, ValueError):
        return {}
    return {str(name): str(id) for name, id in hosts.items()} if isinstance(hosts, dict) else {}


def _file(state: Path, cluster: str, name: str) -> Path:
    return state / cluster / name
