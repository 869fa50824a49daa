"""The subnets of a cluster's network, of one family or of both, and what of a machine lies in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ...model.desired import Cluster
from ...model.resource import Fields, Known, Listing, Resource, Value

# What a cluster's IPv6 subnet is called after its name. No cluster's name has a dot, so it is nobody else's.
IPV6 = ".ipv6"
# Neutron's word for ICMP in a rule of IPv6.
ICMP6 = "ipv6-icmp"
# Fields of a port that name the subnet its address of each family is from.
SUBNET, SUBNET6 = "subnet", "ipv6_subnet"
# The field of a server that has that address.
_FIXED = {SUBNET: "fixed_ip", SUBNET6: "fixed_ip6"}


def subnets(cluster: Cluster, marks: Fields) -> list[Resource]:
    """The subnets of a network of the cluster's own, and what puts each on the router."""
    name, network = cluster.name, cluster.spec.network
    shared: Mapping[str, Value] = {"network": name, "enable_dhcp": True, **marks}
    made = []
    if network.cidr:
        made.append(Resource("subnet", name, {"cidr": network.cidr, "dns_servers": network.dns_servers, **shared}))
        made.append(Resource("router_interface", name, {"subnet": name}))
    if network.ipv6:
        called, mode = f"{name}{IPV6}", network.ipv6.mode
        said: Fields = {
            "cidr": network.ipv6.cidr,
            "dns_servers": network.ipv6.dns_servers,
            "ipv6_address_mode": mode,
            "ipv6_ra_mode": mode,
        }
        made.append(Resource("subnet", called, {**said, **shared}))
        made.append(Resource("router_interface", f"{name}/{called}", {"subnet": called}))
    return made


def on_subnets(cluster: Cluster) -> Mapping[str, Value]:
    """The subnets in which a machine's port has its addresses, as fields of the port."""
    network = cluster.spec.network
    if network.existing:
        ipv6 = network.existing.ipv6
        named = {SUBNET: network.existing.subnet, SUBNET6: ipv6.subnet if ipv6 else None}
    else:
        named = {
            SUBNET: cluster.name if network.cidr else None,
            SUBNET6: f"{cluster.name}{IPV6}" if network.ipv6 else None,
        }
    return {field: name for field, name in named.items() if name}


def addressed(cluster: Cluster, kinds: Mapping[str, Listing]) -> dict[str, Listing]:
    """Live ports and servers with the addresses that are on the cluster's own subnets, whatever others a network gave
    them besides."""
    wanted, ports = on_subnets(cluster), kinds.get("port")
    if not isinstance(ports, Known):
        return dict(kinds)
    on = {port.name: _ours(wanted, port) for port in ports.resources}
    found = dict(kinds)
    found["port"] = Known(tuple(_with(p, {f: wanted[f] for f in _ours(wanted, p)}) for p in ports.resources))
    servers = kinds.get("server")
    if isinstance(servers, Known):
        found["server"] = Known(tuple(_placed(s, on.get(str(s.fields.get("port")), {})) for s in servers.resources))
    return found


def _ours(wanted: Mapping[str, Value], port: Resource) -> dict[str, Value]:
    """The port's addresses on the subnets that are wanted, by the field that names the subnet."""
    return {field: found for field, name in wanted.items() if (found := port.fields.get(f"address.{name}"))}


def _placed(server: Resource, addresses: Mapping[str, Value]) -> Resource:
    fields = server.fields
    now = {_FIXED[field]: address for field, address in addresses.items() if _FIXED[field] in fields}
    moved = next((now[f] for f in now if fields[f] == fields.get("address")), None)
    return _with(server, {**now, **({"address": moved} if moved else {})})


def _with(resource: Resource, fields: Fields) -> Resource:
    return replace(resource, fields={**resource.fields, **fields}) if fields else resource
