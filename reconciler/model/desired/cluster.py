"""The Cluster kind: machines, network, Kubernetes, workloads and policy of one research cluster."""

from __future__ import annotations

import ipaddress
from typing import Literal, Self

from pydantic import model_validator

from .base import At, CloudName, Kind, Model, YamlPath, distinct
from .kubernetes import Kubernetes, Ssh, Workload, waves
from .machines import Autoscaling, Bastion, ControlPlane, Etcd, NodeGroup
from .network import Access, ApiLoadBalancer, Network
from .policy import Guards, Ignore, Maintenance

_HOST_NAME = 63  # RFC 1123
_RESERVED = {"cp": "the control plane", "etcd": "etcd", "bastion": "the bastion"}


class ClusterSpec(Model):
    """What a cluster is made of. `suspend` stops all changes to it; it is still looked at. With `mode: report` it is
    looked at and told of, drift and all, and never changed. `autoscaling: suspended` keeps all node groups as they are.
    `lifecycle: destroy` ends the cluster, behind an approval of its own; its volumes stay unless `destroyVolumes` says
    otherwise.
    """

    cloud: str
    image: CloudName
    ssh: Ssh
    network: Network
    control_plane: ControlPlane
    etcd: Etcd | None = None
    node_groups: tuple[NodeGroup, ...] = ()
    autoscaling: Autoscaling = "active"
    bastion: Bastion | None = None
    api_load_balancer: ApiLoadBalancer | None = None
    access: Access = Access()
    kubernetes: Kubernetes
    workloads: tuple[Workload, ...] = ()
    guards: Guards = Guards()
    ignore: tuple[Ignore, ...] = ()
    maintenance: Maintenance = Maintenance()
    suspend: bool = False
    mode: Literal["apply", "report"] = "apply"
    lifecycle: Literal["active", "destroy"] = "active"
    destroy_volumes: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _disjoint(self)
        if self.destroy_volumes and self.lifecycle != "destroy":
            raise At(("destroyVolumes",), "says what becomes of volumes with lifecycle: destroy; leave it out")
        names = [g.name for g in self.node_groups]
        distinct(("nodeGroups",), names)
        for index, name in enumerate(names):
            if name in _RESERVED:
                raise At(("nodeGroups", index, "name"), f"{name!r} is {_RESERVED[name]}'s own; choose another name")
        distinct(("workloads",), [w.name for w in self.workloads])
        waves(self.workloads)
        distinct(("access", "rules"), [r.name for r in self.access.rules])
        _families(self)
        if self.api_load_balancer and self.network.subnet_range is None:
            message = "cidr is missing: the rule that lets apiLoadBalancer reach the APIs names the subnet's range"
            raise At(("network", "existing", "cidr"), message)
        if self.kubernetes.certificates.renew and not self.maintenance.windows:
            message = "renewing restarts API servers: say when, under spec.maintenance.windows"
            raise At(("kubernetes", "certificates", "renew"), message)
        return self


class Cluster(Kind):
    """A research cluster: VMs and networks on OpenStack, Kubernetes on them, workloads on that."""

    kind: Literal["Cluster"]
    spec: ClusterSpec

    @model_validator(mode="after")
    def _short(self) -> Self:
        for index, group in enumerate(self.spec.node_groups):
            last = max((group.max or 0) + len(group.without), *group.numbers[-1:], 0)
            longest = f"{self.name}-{group.name}-{last}"
            if len(longest) > _HOST_NAME:
                message = f"{longest!r} would be longer than {_HOST_NAME} characters, the limit of a host's name"
                raise At(("spec", "nodeGroups", index, "name"), message)
        return self


def _families(spec: ClusterSpec) -> None:
    """What needs addresses of a family that the machines don't get."""
    families, ipv6 = spec.network.families, spec.kubernetes.ipv6
    if ipv6 and "IPv6" not in families:
        raise At(("kubernetes", "ipv6"), "the machines have no IPv6 addresses; network.ipv6 gives them some")
    if "IPv4" in families:
        return
    if ipv6 is None:
        raise At(("kubernetes",), "ipv6 is missing: the machines have no IPv4 addresses, so pods can't have any")
    if spec.api_load_balancer:
        raise At(("apiLoadBalancer",), "an API load balancer has an IPv4 address, and the network has none")
    groups = (
        (("controlPlane",), spec.control_plane),
        *((("nodeGroups", i), g) for i, g in enumerate(spec.node_groups)),
    )
    for path, group in groups:
        if group.floating_ips:
            raise At((*path, "floatingIps"), "floating IPs are of IPv4, and the network is not")


def _disjoint(spec: ClusterSpec) -> None:
    there: YamlPath = ("network", "existing") if spec.network.existing else ("network",)
    ipv6 = spec.kubernetes.ipv6
    networks: list[tuple[YamlPath, str | None]] = [
        ((*there, "cidr"), spec.network.subnet_range),
        ((*there, "ipv6", "cidr"), spec.network.ipv6_range),
        (("kubernetes", "podCidr"), spec.kubernetes.pod_cidr),
        (("kubernetes", "serviceCidr"), spec.kubernetes.service_cidr),
        (("kubernetes", "ipv6", "podCidr"), ipv6.pod_cidr if ipv6 else None),
        (("kubernetes", "ipv6", "serviceCidr"), ipv6.service_cidr if ipv6 else None),
    ]
    known = [(path, ipaddress.ip_network(cidr)) for path, cidr in networks if cidr]
    for i, (path, cidr) in enumerate(known):
        for other_path, other in known[i + 1 :]:
            if cidr.version == other.version and cidr.overlaps(other):
                other_name = ".".join(str(p) for p in other_path)
                raise At(path, f"{cidr} overlaps with {other} ({other_name}); the three networks must be apart")
