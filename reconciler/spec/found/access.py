"""Live security group rules as `access` of the desired state: the reverse of what the renderer makes of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...model.naming import ADDRESSES
from ...model.resource import Resource
from ...model.rules import plainly
from ..render.balancer import API_PORT
from ..render.subnets import ICMP6

_NODE_PORTS = (30000, 32767)
_TO = (("cluster", "all"), ("control-plane", "control-plane"), ("node", "nodes"))


def access(name: str, rules: Iterable[Resource], *, own: str | None) -> tuple[dict[str, Any], int]:
    """`access` and the port of SSH. `own` is the subnet's range where an API load balancer stands in it: the rule that
    lets it in comes by itself. What can't be said in `access` is left out; the comparison finds it."""
    found = [plainly(r) for r in rules]
    bastion = any(r.fields["security_group"] == f"{name}-bastion" for r in found)
    door = f"{name}-{'bastion' if bastion else 'cluster'}"
    open_ = {(r.fields["security_group"], *_way(r), r.fields["remote_ip_prefix"]) for r in found if _plain(r)}
    ports = sorted(
        {low for group, protocol, low, high, _ in open_ if (group, protocol) == (door, "tcp") and low == high}
    )
    ssh = 22 if 22 in ports or not ports else ports[0]
    said: dict[str, Any] = {
        "ssh": _take(open_, door, "tcp", (ssh, ssh)),
        "api": [c for c in _take(open_, f"{name}-control-plane", "tcp", (API_PORT, API_PORT)) if c != own],
    }
    both = [_from(open_, f"{name}-node", protocol, _NODE_PORTS) for protocol in ("tcp", "udp")]
    if said_both := sorted(set(both[0]) & set(both[1])):
        said["nodePorts"] = said_both
        for protocol in ("tcp", "udp"):
            open_ -= {(f"{name}-node", protocol, *_NODE_PORTS, cidr) for cidr in said_both}
    if more := [rule for suffix, to in _TO for rule in _rules(open_, f"{name}-{suffix}", to)]:
        said["rules"] = more
    return said, ssh


def _plain(r: Resource) -> bool:
    """A way in from a network, which is all that `access` is about."""
    f = r.fields
    from_a_network = f["remote_ip_prefix"] is not None and f["remote_group"] is None and ADDRESSES not in f
    return f["direction"] == "ingress" and from_a_network


def _way(r: Resource) -> tuple[Any, Any, Any]:
    """One ICMP for both families: which one a rule is for says the network it is from."""
    protocol = "icmp" if r.fields["protocol"] == ICMP6 else r.fields["protocol"]
    return protocol, r.fields["port_min"], r.fields["port_max"]


def _from(open_: set[tuple[Any, ...]], group: str, protocol: str, span: tuple[int, int]) -> list[str]:
    return sorted(o[-1] for o in open_ if o[:4] == (group, protocol, *span))


def _take(open_: set[tuple[Any, ...]], group: str, protocol: str, span: tuple[int, int]) -> list[str]:
    found = _from(open_, group, protocol, span)
    open_ -= {(group, protocol, *span, cidr) for cidr in found}
    return found


def _rules(open_: set[tuple[Any, ...]], group: str, to: str) -> Iterable[dict[str, Any]]:
    """The ways in that have no word of their own, with all networks of one way together."""
    ways = sorted({o[1:4] for o in open_ if o[0] == group and o[1] in ("tcp", "udp", "icmp")}, key=str)
    for protocol, low, high in ways:
        if (protocol == "icmp") != (low is None):
            continue  # of icmp all types, of the others a port or more
        span = "" if low is None else str(low) if low == high else f"{low}-{high}"
        rule: dict[str, Any] = {"name": f"{to}-{protocol}{f'-{span}' if span else ''}", "protocol": protocol}
        if span:
            rule["ports"] = span
        yield rule | {"from": _from(open_, group, protocol, (low, high)), "to": to}
