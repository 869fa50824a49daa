"""The IPv6 side of a live network, in the words of cluster.yaml."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ...model.resource import Resource
from ..render.subnets import IPV6, SUBNET6
from .members import Members

__all__ = ["IPV6", "existing_ipv6", "own_ipv6"]


def own_ipv6(subnet: Resource | None) -> dict[str, Any]:
    """`ipv6` of a network of the cluster's own; nothing where there is no such subnet."""
    if subnet is None:
        return {}
    said: dict[str, Any] = {"cidr": str(subnet.fields["cidr"])}
    if mode := subnet.fields.get("ipv6_address_mode"):
        said["mode"] = str(mode)
    if isinstance(servers := subnet.fields.get("dns_servers"), tuple) and servers:
        said["dnsServers"] = [str(server) for server in servers]
    return {"ipv6": said}


def existing_ipv6(subnets: Sequence[Resource], found: Members) -> dict[str, Any]:
    """`ipv6` of a network somebody else made: the subnet that most of the machines have an IPv6 address of."""
    used = Counter(str(name) for port in found.of("port") if (name := port.fields.get(SUBNET6)))
    name = next((name for name, _ in used.most_common(1)), None)
    subnet = next((s for s in subnets if s.name == name), None)
    return {"ipv6": {"subnet": subnet.name, "cidr": str(subnet.fields["cidr"])}} if subnet else {}
