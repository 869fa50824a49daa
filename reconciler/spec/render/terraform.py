"""What terraform/openstack-cluster calls the resources, what it does to them, and the variables it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...model.change import Difference
from ...model.desired import Cluster
from ...model.naming import IMAGE_ID, tag
from ...model.resource import Fields, Resource, Value
from .infrastructure import infrastructure
from .subnets import IPV6

# What Terraform calls the resources of each kind; None where there is one of a kind in a cluster.
_ADDRESSES = {
    "network": "openstack_networking_network_v2.cluster[0]",
    "subnet": "openstack_networking_subnet_v2.cluster[0]",
    "router": "openstack_networking_router_v2.cluster[0]",
    "router_interface": "openstack_networking_router_interface_v2.cluster[0]",
    "keypair": "openstack_compute_keypair_v2.cluster",
    "server_group": 'openstack_compute_servergroup_v2.group["{}"]',
    "security_group": 'openstack_networking_secgroup_v2.group["{}"]',
    "security_group_rule": 'openstack_networking_secgroup_rule_v2.rule["{}"]',
    "port": 'openstack_networking_port_v2.server["{}"]',
    "server": 'openstack_compute_instance_v2.server["{}"]',
    "floating_ip": 'openstack_networking_floatingip_v2.server["{}"]',
    "load_balancer": "openstack_lb_loadbalancer_v2.api[0]",
    "listener": "openstack_lb_listener_v2.api[0]",
    "pool": "openstack_lb_pool_v2.api[0]",
    "monitor": "openstack_lb_monitor_v2.api[0]",
    "member": 'openstack_lb_member_v2.api["{}"]',
}
_IPV6_ADDRESSES = {
    "subnet": "openstack_networking_subnet_v2.ipv6[0]",
    "router_interface": "openstack_networking_router_interface_v2.ipv6[0]",
}
KINDS = tuple(_ADDRESSES)
# Fields of a server that say how Terraform is to make it, and that nobody compares: its flavor's id; and that it is not
# to be made now, while its port stays.
FLAVOR_ID = "flavor_id"
HELD = "held"

# A change of these makes Nova or Neutron build the resource anew, whatever the provider calls it
# (an image change shows as "in place" and rebuilds the VM: terraform-provider-openstack#1986).
REPLACING = frozenset(
    {
        ("server", "image"),
        ("server", "image_id"),
        ("server", "keypair"),
        ("server", "availability_zone"),
        ("server", "server_group"),
        ("server", "boot_volume.size"),
        ("server", "boot_volume.type"),
        ("server", "port"),  # a port can't be put back under a running server without its noticing
        ("port", "network"),
        ("port", "subnet"),
        ("subnet", "cidr"),
        ("subnet", "network"),
        ("subnet", "ipv6_address_mode"),
        ("subnet", "ipv6_ra_mode"),
        ("server_group", "policy"),
        ("keypair", "public_key"),
        ("floating_ip", "network"),
        ("load_balancer", "provider"),
        ("load_balancer", "subnet"),
        ("listener", "load_balancer"),
        ("listener", "protocol"),
        ("listener", "port"),
        ("pool", "load_balancer"),
        ("pool", "protocol"),
        ("monitor", "pool"),
        ("monitor", "type"),
        ("member", "pool"),
        ("member", "server"),
        ("member", "port"),
    }
)
# What is part of another resource and is made anew with it.
PARTS: Mapping[str, tuple[str, ...]] = {"load_balancer": ("listener", "pool", "monitor", "member")}


# What Terraform's provider never reads back: it says "no changes" while these differ.
UNREAD = frozenset({("port", "security_groups"), ("server", "metadata")})


def address(kind: str, name: str) -> str:
    """Terraform's address of a resource of terraform/openstack-cluster."""
    if name.endswith(IPV6) and kind in _IPV6_ADDRESSES:
        return _IPV6_ADDRESSES[kind]
    return _ADDRESSES[kind].format(name.replace("\\", "\\\\").replace('"', '\\"'))


def association(name: str) -> str:
    """Terraform's address of what ties a floating IP to its port; it is imported by the floating IP's id."""
    return f'openstack_networking_floatingip_associate_v2.server["{name}"]'


def variables(cluster: Cluster, resources: Sequence[Resource] | None = None) -> dict[str, object]:
    """Terraform's variables for terraform/openstack-cluster, as JSON-like values. `resources` are those of
    `infrastructure`, where a rule keeps some of their fields as they are live."""
    by_kind: dict[str, dict[str, Mapping[str, Value]]] = {kind: {} for kind in KINDS}
    for resource in infrastructure(cluster) if resources is None else resources:
        by_kind[resource.kind][resource.name] = resource.fields
    network = cluster.spec.network
    subnet, keypair = by_kind["subnet"].get(cluster.name, {}), by_kind["keypair"][cluster.name]
    return {
        "cloud": cluster.spec.cloud,
        "cluster": cluster.name,
        "tag": tag(cluster.name),
        "external_network": by_kind["router"].get(cluster.name, {}).get("external_network") or network.external_network,
        "cidr": subnet.get("cidr"),
        "dns_servers": list(_texts(subnet.get("dns_servers"))),
        "existing_network": network.existing.network if network.existing else None,
        "existing_subnet": network.existing.subnet if network.existing else None,
        "existing_router": network.router,
        **_ipv6(cluster, by_kind["subnet"].get(f"{cluster.name}{IPV6}")),
        "public_key": keypair["public_key"],
        "server_groups": {name: dict(fields) for name, fields in by_kind["server_group"].items()},
        "security_groups": {name: dict(fields) for name, fields in by_kind["security_group"].items()},
        "foreign_security_groups": _foreign(by_kind),
        "rules": {name: dict(fields) for name, fields in by_kind["security_group_rule"].items()},
        "servers": {
            name: _server_variables(fields, by_kind["port"][name]) for name, fields in by_kind["server"].items()
        },
        "floating_ips": list(by_kind["floating_ip"]),
        "api_load_balancer": _balancer_variables(by_kind, cluster.name),
    }


def _ipv6(cluster: Cluster, subnet: Fields | None) -> dict[str, object]:
    """Only where there is something to say: a module that is older than these variables knows none of them."""
    existing = cluster.spec.network.existing
    if existing and existing.ipv6:
        return {"existing_ipv6_subnet": existing.ipv6.subnet}
    if subnet is None:
        return {}
    told = {"cidr": "cidr", "address_mode": "ipv6_address_mode", "ra_mode": "ipv6_ra_mode"}
    servers = list(_texts(subnet["dns_servers"]))
    return {"ipv6": {**{word: subnet[field] for word, field in told.items()}, "dns_servers": servers}}


def _foreign(by_kind: Mapping[str, Mapping[str, Fields]]) -> list[str]:
    """The groups that some port joins and that are none of the cluster's own."""
    joined = {group for fields in by_kind["port"].values() for group in _texts(fields["security_groups"])}
    return sorted(joined - by_kind["security_group"].keys())


def _balancer_variables(by_kind: Mapping[str, Mapping[str, Fields]], name: str) -> dict[str, object] | None:
    if not by_kind["load_balancer"]:
        return None
    listener, monitor = by_kind["listener"][name], by_kind["monitor"][name]
    return {
        "provider": by_kind["load_balancer"][name]["provider"],
        "port": listener["port"],
        "allowed_cidrs": list(_texts(listener["allowed_cidrs"])),
        "algorithm": by_kind["pool"][name]["algorithm"],
        "monitor": {key: monitor[key] for key in ("type", "delay", "timeout", "max_retries")},
        "members": {member: fields["weight"] for member, fields in by_kind["member"].items()},
    }


def kept(resources: Sequence[Resource], ignored: Sequence[Difference]) -> tuple[Resource, ...]:
    """The resources with what a rule leaves alone as it is live: an ignored field keeps its value, and a rule or
    floating IP that is ignored and gone stays away."""
    gone = {d.key for d in ignored if not d.field and d.live is None and d.key.kind in _MAY_STAY_AWAY}
    live = {(d.key, d.field): d.live for d in ignored if d.field}

    def as_live(resource: Resource) -> Resource:
        fields = {**resource.fields, **{field: now for (key, field), now in live.items() if key == resource.key}}
        told = {field: now for field, now in fields.items() if now is not None or not field.startswith("metadata.")}
        return replace(resource, fields=told)

    return tuple(as_live(r) for r in resources if r.key not in gone)


_MAY_STAY_AWAY = ("security_group_rule", "floating_ip")


def _server_variables(server: Mapping[str, Value], port: Mapping[str, Value]) -> dict[str, object]:
    metadata = {key.removeprefix("metadata."): v for key, v in server.items() if key.startswith("metadata.")}
    return {
        "flavor": server["flavor"],
        "image": server["image"],
        "image_id": server.get(IMAGE_ID),
        "flavor_id": server.get(FLAVOR_ID),
        "held": bool(server.get(HELD)),
        "boot_volume": _boot_volume(server),
        "availability_zone": server.get("availability_zone"),
        "server_group": server["server_group"],
        "security_groups": list(_texts(port["security_groups"])),
        "allowed_addresses": list(_texts(port["allowed_address_pairs"])),
        "metadata": metadata,
    }


def _boot_volume(server: Fields) -> dict[str, object] | None:
    size = server.get("boot_volume.size")
    return {"size": size, "type": server.get("boot_volume.type")} if size else None


def _texts(value: Value) -> tuple[str, ...]:
    return tuple(str(v) for v in value) if isinstance(value, tuple) else ()
