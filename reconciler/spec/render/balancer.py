"""The load balancer before the Kubernetes APIs: one listener, one pool, a member for each control-plane machine."""

from __future__ import annotations

from ...model.desired import Cluster
from ...model.naming import tag
from ...model.resource import Fields, Resource, Value
from .machines import machines

API_PORT = 6443
# OVN's driver balances by the connection's ends only, knows no allowed_cidrs, and leaves the clients' addresses as
# they are: there the security group's rules decide (Octavia's feature matrix for providers).
_ALGORITHM = {"amphora": "ROUND_ROBIN", "ovn": "SOURCE_IP_PORT"}


def balancer(cluster: Cluster) -> tuple[Resource, ...]:
    """Everything in Octavia that the cluster wants; nothing when it wants no load balancer."""
    wanted, name = cluster.spec.api_load_balancer, cluster.name
    if wanted is None:
        return ()
    at_work: dict[str, Value] = {"admin_state_up": True}
    described: dict[str, Value] = {**at_work, "description": tag(name)}
    existing = cluster.spec.network.existing
    found: dict[str, Fields] = {
        "load_balancer": {
            "provider": wanted.provider,
            "subnet": existing.subnet if existing else name,
            "tag": tag(name),
            **described,
        },
        "listener": {
            "load_balancer": name,
            "pool": name,
            "protocol": "TCP",
            "port": API_PORT,
            "allowed_cidrs": _allowed(cluster),
            "tag": tag(name),
            **described,
        },
        "pool": {"load_balancer": name, "protocol": "TCP", "algorithm": _ALGORITHM[wanted.provider], **described},
        "monitor": {"pool": name, "type": "TCP", "delay": 5, "timeout": 3, "max_retries": 3, **at_work},
    }
    return (*(Resource(kind, name, fields) for kind, fields in found.items()), *_members(cluster))


def _allowed(cluster: Cluster) -> tuple[str, ...]:
    """Who may reach the API, and the nodes, which reach it this way too. An empty list would let everybody in."""
    wanted, own = cluster.spec.api_load_balancer, cluster.spec.network.subnet_range
    if wanted is None or wanted.provider == "ovn":
        return ()
    return tuple(sorted({*cluster.spec.access.api, *([own] if own else [])}))


def _members(cluster: Cluster) -> tuple[Resource, ...]:
    masters = [m for m in machines(cluster) if m.role == "control-plane"]
    fields: Fields = {"pool": cluster.name, "port": API_PORT, "weight": 1, "admin_state_up": True}
    return tuple(Resource("member", m.name, {**fields, "server": m.name}) for m in masters)
