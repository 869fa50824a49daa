"""What of a cluster is live, as guards count it: a port is no machine, and a machine that is down runs nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ..model.naming import GROUP_KEY
from ..model.resource import Component, Known, Observed

# What guards count: kinds that hold something, under the words of a report. Ports, rules and members go with these.
FAMILIES: Mapping[str, str] = {
    "server": "servers",
    "network": "networks",
    "subnet": "networks",
    "router": "networks",
    "floating_ip": "floating IPs",
    "load_balancer": "load balancers",
    "Namespace": "namespaces",
    "PersistentVolumeClaim": "volumes",
    "PersistentVolume": "volumes",
}
_NO_WORKERS = ("cp", "etcd", "bastion")


def families(observed: Observed) -> dict[str, int]:
    """How many of each family are live."""
    found: Counter[str] = Counter()
    for component in Component:
        for kind in observed.kinds(component):
            if kind in FAMILIES:
                found[FAMILIES[kind]] += len(observed.resources(component, kind))
    return dict(found)


def workers(observed: Observed) -> frozenset[str]:
    """The machines that pods run on now: ACTIVE, and with a node that is Ready where nodes can be asked."""
    servers = observed.resources(Component.INFRASTRUCTURE, "server")
    active = {
        s.name
        for s in servers
        if s.fields.get("status") == "ACTIVE" and s.fields.get(f"metadata.{GROUP_KEY}") not in _NO_WORKERS
    }
    nodes = observed.kinds(Component.KUBERNETES).get("node")
    if isinstance(nodes, Known):
        active &= {n.name for n in nodes.resources if n.fields.get("ready")}
    return frozenset(active)
