"""How a cluster's resources are told from everybody else's, on the desired and on the live side alike."""

from __future__ import annotations

from collections.abc import Mapping

from .resource import Value

OWNER_KEY = "reconciler.cluster"
GROUP_KEY = "reconciler.group"


def tag(cluster: str) -> str:
    """What every Neutron resource of a cluster carries; servers carry the same as metadata."""
    return f"{OWNER_KEY}={cluster}"


def rule_name(fields: Mapping[str, Value]) -> str:
    """A security group rule has no name in Neutron, so it is called what it says: equal rules have equal names."""
    low, high = fields["port_min"], fields["port_max"]
    span = "" if low is None else f" {low}" if low == high else f" {low}-{high}"
    way = "from" if fields["direction"] == "ingress" else "to"
    group = fields["remote_group"]
    remote = f"group {group}" if group else fields["remote_ip_prefix"] or "anywhere"
    said = (fields["security_group"], fields["direction"], fields["ethertype"], fields["protocol"] or "any")
    return f"{' '.join(str(s) for s in said)}{span} {way} {remote}"
