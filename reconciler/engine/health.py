"""What to do about a node that is not Ready though its server runs: reboot it, then replace it, a few at a time."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..model.change import Action, Class, Difference, Severity
from ..model.desired import Repair
from ..model.naming import REBOOTED
from ..model.resource import Component, Key, Observed, Resource
from .playbook import Roles

_INFRA, _KUBE = Component.INFRASTRUCTURE, Component.KUBERNETES


@dataclass(frozen=True, slots=True)
class Treatment:
    """`differences` are all, with a server's added where it is to be replaced; `reboot` names the servers to reboot."""

    differences: tuple[Difference, ...]
    reboot: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Patient:
    """A node that has been not Ready since `since`; `rebooted` is when its server was rebooted for that."""

    server: Resource
    since: datetime.datetime
    rebooted: datetime.datetime | None


def treated(
    differences: Sequence[Difference], observed: Observed, repair: Repair, roles: Roles, now: datetime.datetime
) -> Treatment:
    """Decide for each node that is not Ready. Until `repair.reboot_after` is over, Kubespray tries its best; a machine
    of the control plane or etcd is rebooted only while a majority of the others is Ready, and never replaced here: that
    is `recover-control-plane.yml`'s, behind a guard."""
    patients = sorted(_patients(differences, observed), key=lambda p: (p.rebooted is None, p.since, p.server.name))
    extra: list[Difference] = []
    reboot: set[str] = set()
    for patient in patients[: repair.at_once]:
        name = patient.server.name
        if patient.rebooted is None:
            late = _minutes(patient.since, now) >= repair.reboot_after
            if late and (name not in roles.members or _dispensable(name, observed, roles)):
                reboot.add(name)
        elif name not in roles.members and _minutes(patient.rebooted, now) >= repair.replace_after:
            extra.append(_replacement(patient))
    return Treatment((*differences, *extra), frozenset(reboot))


def _patients(differences: Iterable[Difference], observed: Observed) -> Iterable[_Patient]:
    nodes = {n.name: n for n in observed.resources(_KUBE, "node")}
    going = {d.key.name for d in differences if d.key.kind == "server" and d.action in (Action.REPLACE, Action.DELETE)}
    sick = {d.key.name for d in differences if d.key.kind == "node" and d.field == "ready" and d.actionable}
    for server in observed.resources(_INFRA, "server"):
        node = nodes.get(server.name)
        if node is None or server.name not in sick - going or server.fields.get("status") != "ACTIVE":
            continue
        since = _moment(node.fields.get("not_ready_since"))
        if since is None or node.fields.get("provider_id") != f"openstack:///{server.id}":
            continue  # the node is another machine's: it has to join first
        rebooted = _moment(server.fields.get(f"metadata.{REBOOTED}"))
        yield _Patient(server, since, rebooted if rebooted and rebooted > since else None)


def _dispensable(name: str, observed: Observed, roles: Roles) -> bool:
    """Does a majority of the members stay without this one?"""
    members = roles.control_plane if name in roles.control_plane else roles.etcd
    ready = {n.name for n in observed.resources(_KUBE, "node") if n.fields.get("ready")}
    return len((members & ready) - {name}) > len(members) // 2


def _replacement(patient: _Patient) -> Difference:
    why = f"its node is not Ready since {patient.since:%Y-%m-%d %H:%M} UTC, and a reboot did not help"
    key = Key("server", patient.server.name)
    id = patient.server.id
    return Difference(_INFRA, key, "ready", True, None, False, Class.DRIFT, Action.REPLACE, Severity.HIGH, why, id)


def _minutes(since: datetime.datetime, now: datetime.datetime) -> float:
    return (now - since).total_seconds() / 60


def _moment(text: object) -> datetime.datetime | None:
    """A time as Kubernetes writes it (RFC 3339); None for anything else."""
    try:
        found = datetime.datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else None
