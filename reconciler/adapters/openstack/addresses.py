"""Addresses of both families. Neutron and Nova list them in an order that means nothing; here they have one."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from ...errors import Permanent
from ...model.resource import Value


def modes(subnet: Any) -> dict[str, Value]:
    """How machines on an IPv6 subnet get their addresses, and what its router announces; nothing of an IPv4 one."""
    if subnet.ip_version != 6:
        return {}
    return {"ipv6_address_mode": subnet.ipv6_address_mode, "ipv6_ra_mode": subnet.ipv6_ra_mode}


def of_port(port: Any, names: Mapping[str, str]) -> dict[str, Value]:
    """The subnets of a port by their names (`names` has them by id): the first of each family, and its address on each
    of all. A network may give ports addresses that nobody asked for (SLAAC), so which subnet is meant says git."""
    found = sorted(
        (":" in ip["ip_address"], names.get(ip["subnet_id"], ip["subnet_id"]), ip["ip_address"])
        for ip in port.fixed_ips or ()
    )
    ipv4, ipv6 = ([name for six, name, _ in found if six is family] for family in (False, True))
    first: dict[str, Value] = {"subnet": next(iter(ipv4), None)}
    if ipv6:
        first["ipv6_subnet"] = ipv6[0]
    return {**first, **{f"address.{name}": address for _, name, address in reversed(found)}}


def of_server(server: Any) -> dict[str, Value]:
    """Where a server is in its network, and where it is reached: by IPv4 where it can be."""
    told = [entry for entries in (server.addresses or {}).values() for entry in entries]

    def first(version: int, kind: str) -> str | None:
        fit = (e for e in told if e.get("version") == version and e.get("OS-EXT-IPS:type", "fixed") == kind)
        return next((str(e["addr"]) for e in sorted(fit, key=_plain)), None)

    fixed, floating, fixed6 = first(4, "fixed"), first(4, "floating"), first(6, "fixed")
    reached = server.access_ipv4 or floating or fixed or server.access_ipv6 or fixed6
    found: dict[str, Value] = {"fixed_ip": fixed, "address": reached or None}
    return {**found, "fixed_ip6": fixed6} if fixed6 else found


def allowed(port: Any) -> tuple[str, ...]:
    """The other addresses that a port may send from, as git writes them: 10.0.0.5 is 10.0.0.5/32."""
    return tuple(sorted(_network(str(pair["ip_address"])) for pair in port.allowed_address_pairs or ()))


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return text


def join(network: Any, port: str, subnet: str) -> None:
    """Give a port (by id) an address of a subnet of its network, and leave it those it has. Raises Permanent where
    there is no such subnet, and what the SDK raises."""
    found = network.get_port(port)
    there = next((s for s in network.subnets(network_id=found.network_id) if s.name == subnet), None)
    if there is None:
        raise Permanent(f"the network of port {found.name} has no subnet {subnet!r}", hint="the next cycle looks again")
    fixed = found.fixed_ips or []
    if all(ip["subnet_id"] != there.id for ip in fixed):  # SLAAC: it may have one since the subnet is there
        network.update_port(found, fixed_ips=[*fixed, {"subnet_id": there.id}])


def _plain(entry: Mapping[str, Any]) -> str:
    return str(entry.get("addr", ""))
