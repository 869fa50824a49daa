"""A kubeconfig that the API does not take any more: whether to fetch it again, and not to do that for ever."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..model.naming import CERTIFICATE, KUBECONFIG, TRUSTED
from ..model.resource import Expected, Kinds, Known, Listing, Resource, Unknown
from ..spec.load import DesiredCluster
from ..spec.render.machines import machines
from . import record
from .applied import remembered
from .installed import installed_on, lost
from .toolkit import Toolkit


def judged(
    desired: DesiredCluster,
    tools: Toolkit,
    applied: Expected,
    infrastructure: Kinds,
    nodes: Listing,
    certificates: Sequence[Resource],
) -> tuple[Resource, ...]:
    """The certificates; the kubeconfig's says that it is not trusted when it is refused and may be fetched again. It is
    told also without a certificate of its own, when it logs in by a token."""
    refused = isinstance(nodes, Unknown) and nodes.refused
    if not (refused and _may_fetch(desired, tools, applied, infrastructure)):
        return tuple(certificates)
    mine = next((c for c in certificates if c.name == KUBECONFIG), Resource(CERTIFICATE, KUBECONFIG))
    others = (c for c in certificates if c.name != KUBECONFIG)
    return (*others, replace(mine, fields={**mine.fields, TRUSTED: False}))


def _may_fetch(desired: DesiredCluster, tools: Toolkit, applied: Expected, infrastructure: Kinds) -> bool:
    """The machines of control plane and etcd must be the very ones they were installed on, and git must ask for those
    and for the version they had: else the playbook would change what nobody can see. Of that only a verified record or
    this machine has the say. And it must not be a kubeconfig that was just fetched."""
    if tools.given(desired.name):  # what a playbook fetches is another one
        return False
    before = installed_on(tools.state, desired.name)
    servers = infrastructure.get("server")
    if not (before and isinstance(servers, Known)) or lost(before, servers.resources):
        return False
    members = {m.name for m in machines(desired.cluster) if m.role in ("control-plane", "etcd")}
    said = applied if tools.repository.verified() else remembered(tools.state, desired.name)
    same = record.versions_applied(said) == (desired.cluster.spec.kubernetes.version,)
    return same and members == before.keys() and not _is_fetched(desired, tools)


def _is_fetched(desired: DesiredCluster, tools: Toolkit) -> bool:
    """Is this very kubeconfig what the last such fetch brought?"""
    try:
        return _file(tools.state, desired.name).read_text() == _digest(tools.api(desired.name).kubeconfig)
    except OSError:
        return False


def remember(state: Path, cluster: str, kubeconfig: Path) -> None:
    """Write down that this one was fetched. A kill before it means one more fetch."""
    if kubeconfig.exists():
        _file(state, cluster).write_text(_digest(kubeconfig))


def forget(state: Path, cluster: str) -> None:
    """The API answers: when it refuses once more, in a year, that is a new event."""
    _file(state, cluster).unlink(missing_ok=True)


def _digest(kubeconfig: Path) -> str:
    return hashlib.sha256(kubeconfig.read_bytes()).hexdigest()


def _file(state: Path, cluster: str) -> Path:
    return state / cluster / "fetched"
