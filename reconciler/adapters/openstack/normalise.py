"""OpenStack's answers as resources: names instead of ids, sorted tuples instead of lists, only what we manage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...model.naming import ADDRESSES, IMAGE_NAMED, OWNER_KEY, described, rule_name
from ...model.resource import Resource, Value
from . import addresses, conditions

_ROUTER_PORTS = (
    "network:router_interface",
    "network:ha_router_replicated_interface",
    "network:router_interface_distributed",
)


# What Octavia writes into the device_id of a VIP's port, before the load balancer's id.
_BALANCER = "lb-"


@dataclass(frozen=True)
class Names:
    """Ids to names, for the references between resources."""

    networks: Mapping[str, str]
    subnets: Mapping[str, str]
    groups: Mapping[str, str]
    servers: Mapping[str, str]
    images: Mapping[str, str]


def tagged(resource: Any) -> str:
    """The cluster a Neutron resource's tag names, or its description; empty for none."""
    prefix = f"{OWNER_KEY}="
    by_tag = next((t.removeprefix(prefix) for t in resource.tags or () if t.startswith(prefix)), "")
    return by_tag or described(resource.description)[0]


def marks(resource: Any) -> dict[str, Value]:
    """How a Neutron resource says whose it is: its description, and our tag as far as it has it."""
    prefix = f"{OWNER_KEY}="
    tag = next((t for t in resource.tags or () if t.startswith(prefix)), None)
    return {"description": resource.description or "", "tag": tag}


def named(name: str, clusters: Sequence[str]) -> str:
    """The cluster a resource without tags belongs to by its name: the longest that fits."""
    fits = [c for c in clusters if name == c or name.startswith(f"{c}-")]
    return max(fits, key=len, default="")


def flavors(found: Iterable[Any]) -> Iterator[Resource]:
    """With what a machine of one has: virtual CPUs, MiB of memory, GiB of root disk, and the flavor's own words."""
    for flavor in found:
        sizes: dict[str, Value] = {"vcpus": flavor.vcpus, "ram": flavor.ram, "disk": flavor.disk}
        words = {f"extra_specs.{key}": str(value) for key, value in sorted((flavor.extra_specs or {}).items())}
        yield Resource("flavors", flavor.name, {**sizes, **words}, flavor.id)


def networks(found: Iterable[Any]) -> Iterator[Resource]:
    for network in found:
        fields: dict[str, Value] = {"admin_state_up": network.is_admin_state_up, **marks(network)}
        yield Resource("network", network.name, fields, network.id, tagged(network))


def subnets(found: Iterable[Any], names: Names) -> Iterator[Resource]:
    for subnet in found:
        fields: dict[str, Value] = {
            "network": names.networks.get(subnet.network_id, subnet.network_id),
            "cidr": subnet.cidr,
            "dns_servers": tuple(subnet.dns_nameservers or ()),
            "enable_dhcp": subnet.is_dhcp_enabled,
            **addresses.modes(subnet),
            **marks(subnet),
        }
        yield Resource("subnet", subnet.name, fields, subnet.id, tagged(subnet))


def routers(found: Iterable[Any], names: Names) -> Iterator[Resource]:
    for router in found:
        gateway = (router.external_gateway_info or {}).get("network_id")
        fields: dict[str, Value] = {
            "external_network": names.networks.get(gateway, gateway) if gateway else None,
            "admin_state_up": router.is_admin_state_up,
            **marks(router),
        }
        yield Resource("router", router.name, fields, router.id, tagged(router))


def router_interfaces(ports: Iterable[Any], routers: Iterable[Resource], names: Names) -> Iterator[Resource]:
    """An interface has no name: it is called by its router, and a second one by its subnet besides."""
    by_id = {router.id: router for router in routers}
    for port in ports:
        router = by_id.get(port.device_id)
        if router is None or port.device_owner not in _ROUTER_PORTS:
            continue
        subnet = next((names.subnets.get(ip["subnet_id"], ip["subnet_id"]) for ip in port.fixed_ips), None)
        name = router.name if subnet in (router.name, None) else f"{router.name}/{subnet}"
        yield Resource("router_interface", name, {"subnet": subnet}, port.id, router.owner)


def security_groups(found: Iterable[Any]) -> Iterator[Resource]:
    for group in found:
        yield Resource("security_group", group.name, marks(group), group.id, tagged(group))


def security_group_rules(found: Iterable[Any], names: Names) -> Iterator[Resource]:
    for group in found:
        for rule in group.security_group_rules or ():
            yield _rule(group, rule, names)


def _rule(group: Any, rule: Mapping[str, Any], names: Names) -> Resource:
    remote_id = rule.get("remote_group_id")
    fields: dict[str, Value] = {
        "security_group": group.name,
        "direction": rule["direction"],
        "ethertype": rule["ethertype"],
        "protocol": rule.get("protocol"),
        "port_min": rule.get("port_range_min"),
        "port_max": rule.get("port_range_max"),
        "remote_ip_prefix": rule.get("remote_ip_prefix"),
        "remote_group": names.groups.get(remote_id, remote_id) if remote_id else None,
    }
    if rule.get("remote_address_group_id"):
        fields[ADDRESSES] = rule["remote_address_group_id"]
    return Resource("security_group_rule", rule_name(fields), fields, rule["id"], tagged(group))


def ports(found: Iterable[Any], names: Names) -> Iterator[Resource]:
    for port in found:
        owner = tagged(port)
        if not owner and not _of_a_machine(port):
            continue  # DHCP's, the router's and other people's ports are not ours to judge
        fields: dict[str, Value] = {
            "network": names.networks.get(port.network_id, port.network_id),
            "security_groups": tuple(sorted(names.groups.get(g, g) for g in port.security_group_ids or ())),
            **addresses.of_port(port, names.subnets),
            "allowed_address_pairs": addresses.allowed(port),
            "port_security_enabled": port.is_port_security_enabled,
            "admin_state_up": port.is_admin_state_up,
            "server": names.servers.get(port.device_id, port.device_id or None),
            **marks(port),
        }
        yield Resource("port", port.name, fields, port.id, owner)


def _of_a_machine(port: Any) -> bool:
    return (port.device_owner or "").startswith("compute:")


def floating_ips(
    found: Iterable[Any], ports: Mapping[str, Any], names: Names, balancers: Mapping[str, Any]
) -> Iterator[Resource]:
    """`balancers` are load balancers by id."""
    for ip in found:
        port = ports.get(ip.port_id)
        balancer = _behind(port, balancers) if port else None
        fields: dict[str, Value] = {
            "network": names.networks.get(ip.floating_network_id, ip.floating_network_id),
            "server": names.servers.get(port.device_id, port.name) if port and not balancer else None,
            "load_balancer": balancer,
            "address": ip.floating_ip_address,
            **marks(ip),
        }
        name = described(ip.description)[1] or ip.floating_ip_address
        yield Resource("floating_ip", name, fields, ip.id, tagged(ip))


def with_a_balancer(found: Iterable[Any], ports: Iterable[Any]) -> set[str]:
    """The clusters that have a floating IP at a load balancer's port."""
    theirs = {port.id for port in ports if (port.device_id or "").startswith(_BALANCER)}
    return {tagged(ip) for ip in found if ip.port_id in theirs}


def _behind(port: Any, balancers: Mapping[str, Any]) -> str | None:
    """The name of the load balancer whose VIP a port is."""
    found = balancers.get((port.device_id or "").removeprefix(_BALANCER))
    return found.name if found else None


def keypairs(found: Iterable[Any], clusters: Sequence[str]) -> Iterator[Resource]:
    for pair in found:
        key = " ".join((pair.public_key or "").split()[:2])
        owner = pair.name if pair.name in clusters else ""
        yield Resource("keypair", pair.name, {"public_key": key}, pair.name, owner)


def server_groups(found: Iterable[Any], clusters: Sequence[str]) -> Iterator[Resource]:
    for group in found:
        policy = group.policy or next(iter(group.policies or ()), None)
        yield Resource("server_group", group.name, {"policy": policy}, group.id, named(group.name, clusters))


def on_a_volume(server: Any, clusters: Sequence[str]) -> str:
    """The cluster, by its mark or its name, of a machine whose root disk is a volume: Nova then names no image. Empty
    for any other."""
    if not server.attached_volumes or (server.image or {}).get("id"):
        return ""
    return (server.metadata or {}).get(OWNER_KEY) or named(server.name or "", clusters)


def servers(
    found: Iterable[Any], groups: Iterable[Any], ports: Iterable[Any], root_disks: Mapping[str, Any], names: Names
) -> Iterator[Resource]:
    """`root_disks` are the volumes that servers boot from, by the server's id."""
    # A server may have ports of other people's besides ours; one that lost its marks is better than none.
    ranked = sorted((p for p in ports if tagged(p) or _of_a_machine(p)), key=lambda p: bool(tagged(p)))
    port_of = {port.device_id: port.name for port in ranked}
    member_of = {member: group.name for group in groups for member in group.member_ids or ()}
    for server in found:
        metadata = server.metadata or {}
        image, disk = _root_disk(server, root_disks.get(server.id))
        fields: dict[str, Value] = {
            "flavor": server.flavor.get("original_name") or server.flavor.get("name") or server.flavor.get("id"),
            "image": names.images.get(image, image) if image else None,
            "keypair": server.key_name,
            "server_group": member_of.get(server.id),
            "port": port_of.get(server.id),
            "status": conditions.status(server),
            "availability_zone": server.availability_zone,
            **addresses.of_server(server),
            **conditions.of(server, image),
            **disk,
            **{f"metadata.{key}": value for key, value in metadata.items()},
        }
        yield Resource("server", server.name, fields, server.id, metadata.get(OWNER_KEY, ""))


def root_disks(servers: Iterable[Any], volumes: Iterable[Any]) -> dict[str, Any]:
    """The volume each of the servers boots from: of those attached the first one that can be booted from."""
    wanted = {server.id for server in servers}
    found: dict[str, tuple[str, Any]] = {}
    for volume in volumes if wanted else ():
        for place in volume.attachments or ():
            id, at = place["server_id"], (place["device"] or "", volume)
            if id in wanted and volume.is_bootable and (id not in found or at[0] < found[id][0]):
                found[id] = at
    return {id: volume for id, (_, volume) in found.items()}


def _root_disk(server: Any, volume: Any) -> tuple[str | None, dict[str, Value]]:
    """The image's id, and what there is to say of the volume that was made from it."""
    if volume is None:
        return (server.image or {}).get("id"), {}
    image = volume.volume_image_metadata or {}
    named: dict[str, Value] = {IMAGE_NAMED: image["image_name"]} if image.get("image_name") else {}
    return image.get("image_id"), {"boot_volume.size": volume.size, "boot_volume.type": volume.volume_type, **named}
