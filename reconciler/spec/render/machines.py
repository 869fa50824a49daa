"""Which servers a cluster wants, by name: the one list that infrastructure and Kubernetes both start from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ...model.desired import BootVolume, Cluster, Machines, Placed

CONTROL_PLANE_GROUP = "cp"
ETCD_GROUP = "etcd"
BASTION_GROUP = "bastion"
Role: TypeAlias = Literal["control-plane", "etcd", "node", "bastion"]
_ROLES: Mapping[str, Role] = {CONTROL_PLANE_GROUP: "control-plane", ETCD_GROUP: "etcd", BASTION_GROUP: "bastion"}


@dataclass(frozen=True, slots=True)
class Machine:
    """One server and the node on it; they share a name. `group` is `cp` or a node group's name."""

    name: str
    role: Role
    group: str
    flavor: str
    image: str
    boot_volume: BootVolume | None
    availability_zone: str | None
    floating_ip: bool
    security_groups: tuple[str, ...] = ()
    policy: str | None = None
    build: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[str, ...] = ()


def machines(cluster: Cluster) -> tuple[Machine, ...]:
    """Control plane first, then etcd's own, then node groups as written, then the bastion; numbered from 1, so that
    growing never renames."""
    spec = cluster.spec
    made = [
        _machine(cluster, CONTROL_PLANE_GROUP, n, spec.control_plane) for n in range(1, spec.control_plane.count + 1)
    ]
    if spec.etcd:
        made += [_machine(cluster, ETCD_GROUP, n, spec.etcd) for n in range(1, spec.etcd.count + 1)]
    for group in spec.node_groups:
        labels = {**group.labels, "research.moc/node-group": group.name}
        taints = tuple(sorted(str(t) for t in group.taints))
        made += [_machine(cluster, group.name, n, group, labels, taints) for n in group.numbers]
    if spec.bastion:
        made.append(_machine(cluster, BASTION_GROUP, 1, spec.bastion))
    return tuple(made)


def _machine(
    cluster: Cluster,
    group: str,
    number: int,
    machines: Machines,
    labels: Mapping[str, str] | None = None,
    taints: tuple[str, ...] = (),
) -> Machine:
    return Machine(
        name=f"{cluster.name}-{group}-{number}",
        role=_ROLES.get(group, "node"),
        group=group,
        flavor=machines.flavor,
        image=machines.image or cluster.spec.image,
        boot_volume=machines.boot_volume,
        availability_zone=_zone(machines, number),
        floating_ip=machines.floating_ips,
        security_groups=machines.security_groups,
        policy=machines.server_group_policy if isinstance(machines, Placed) else None,
        build=machines.build,
        labels=labels or {},
        taints=taints,
    )


def _zone(machines: Machines, number: int) -> str | None:
    """Zones take turns, so that growing a group moves nobody."""
    zones = machines.availability_zones
    return zones[(number - 1) % len(zones)] if zones else None


def kubespray_groups(cluster: Cluster, role: Role) -> tuple[str, ...]:
    """Kubespray's groups of a machine. A control plane without workers runs the pods itself."""
    if role == "control-plane":
        etcd = () if cluster.spec.etcd else ("etcd",)
        return ("kube_control_plane", *etcd, *(() if cluster.spec.node_groups else ("kube_node",)))
    return ({"etcd": "etcd", "node": "kube_node", "bastion": "bastion"}[role],)
