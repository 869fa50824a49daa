"""Kubespray's variables for IPv4, IPv6, or both: `ipv4_stack`, `ipv6_stack` and what goes with them (Kubespray 2.31:
docs/ansible/vars.md)."""

from __future__ import annotations

from ...model.desired import Cluster
from ...model.resource import Resource
from .hosts import address

# A host that is gone still needs an address that is none (RFC 5737, RFC 3849).
_NOWHERE, _NOWHERE6 = "192.0.2.1", "2001:db8::1"


def stacks(cluster: Cluster) -> dict[str, object]:
    """What all hosts share. A cluster without IPv6 is told nothing, as before."""
    ipv6 = cluster.spec.kubernetes.ipv6
    if ipv6 is None:
        return {}
    return {
        "ipv4_stack": "IPv4" in cluster.spec.network.families,
        "ipv6_stack": True,
        "kube_pods_subnet_ipv6": ipv6.pod_cidr,
        "kube_service_addresses_ipv6": ipv6.service_cidr,
        "kube_network_node_prefix_ipv6": ipv6.node_prefix,
    }


def placed_at(cluster: Cluster, server: Resource | None) -> dict[str, object]:
    """Where a host listens and is reached by the others, for each family that the cluster has: at least one."""
    placed: dict[str, object] = {}
    if "IPv4" in cluster.spec.network.families:
        fixed = (address(server, "fixed_ip") if server else "") or _NOWHERE
        placed |= {"ip": fixed, "access_ip": fixed}
    if cluster.spec.kubernetes.ipv6:
        fixed6 = (address(server, "fixed_ip6") if server else "") or (_NOWHERE6 if not placed else "")
        placed |= {"ip6": fixed6, "access_ip6": fixed6} if fixed6 else {}
    return placed
