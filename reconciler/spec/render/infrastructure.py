"""The OpenStack resources a cluster wants: one list, from which drift is read and Terraform's variables are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...model.change import Difference
from ...model.desired import Cluster
from ...model.naming import GROUP_KEY, OWNER_KEY, rule_name, tag
from ...model.resource import Resource, Value
from .machines import Machine, machines

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
}
KINDS = tuple(_ADDRESSES)

# A change of these makes Nova or Neutron build the resource anew, whatever the provider calls it
# (an image change shows as "in place" and rebuilds the VM: terraform-provider-openstack#1986).
REPLACING = frozenset(
    {
        ("server", "image"),
        ("server", "keypair"),
        ("server", "availability_zone"),
        ("server", "server_group"),
        ("server", "port"),  # a port can't be put back under a running server without its noticing
        ("port", "network"),
        ("port", "subnet"),
        ("subnet", "cidr"),
        ("subnet", "network"),
        ("server_group", "policy"),
        ("keypair", "public_key"),
        ("floating_ip", "network"),
    }
)


# What Terraform's provider never reads back: it says "no changes" while these differ.
UNREAD = frozenset({("port", "security_groups"), ("server", "metadata")})


def address(kind: str, name: str) -> str:
    """Terraform's address of a resource of terraform/openstack-cluster."""
    return _ADDRESSES[kind].format(name.replace("\\", "\\\\").replace('"', '\\"'))


def infrastructure(cluster: Cluster) -> tuple[Resource, ...]:
    """Every OpenStack resource of the cluster, sorted by kind and name."""
    wanted = machines(cluster)
    made = [*_network(cluster), *_groups(cluster, wanted), *_rules(cluster)]
    for machine in wanted:
        made += _server(cluster, machine)
    return tuple(sorted(made, key=lambda r: r.key))


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
        "public_key": keypair["public_key"],
        "server_groups": {name: dict(fields) for name, fields in by_kind["server_group"].items()},
        "security_groups": {name: dict(fields) for name, fields in by_kind["security_group"].items()},
        "foreign_security_groups": sorted({g for m in machines(cluster) for g in m.security_groups}),
        "rules": {name: dict(fields) for name, fields in by_kind["security_group_rule"].items()},
        "servers": {
            name: _server_variables(fields, by_kind["port"][name]) for name, fields in by_kind["server"].items()
        },
        "floating_ips": list(by_kind["floating_ip"]),
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
        "availability_zone": server.get("availability_zone"),
        "server_group": server["server_group"],
        "security_groups": list(_texts(port["security_groups"])),
        "allowed_addresses": list(_texts(port["allowed_address_pairs"])),
        "metadata": metadata,
    }


def _texts(value: Value) -> tuple[str, ...]:
    return tuple(str(v) for v in value) if isinstance(value, tuple) else ()


def _network(cluster: Cluster) -> list[Resource]:
    """A network, subnet and router of its own; of what exists already only the way to it is ours."""
    name, network = cluster.name, cluster.spec.network
    made = [Resource("keypair", name, {"public_key": cluster.spec.ssh.public_key})]
    if network.existing:
        return made
    subnet: dict[str, Value] = {
        "network": name,
        "cidr": network.cidr,
        "dns_servers": network.dns_servers,
        "enable_dhcp": True,
        **_marks(cluster),
    }
    made.append(Resource("network", name, {"admin_state_up": True, **_marks(cluster)}))
    made.append(Resource("subnet", name, subnet))
    made.append(Resource("router_interface", name, {"subnet": name}))
    if not network.router:
        router: dict[str, Value] = {
            "external_network": network.external_network,
            "admin_state_up": True,
            **_marks(cluster),
        }
        made.append(Resource("router", name, {**router, **_marks(cluster)}))
    return made


def _marks(cluster: Cluster, name: str = "") -> dict[str, Value]:
    """How a Neutron resource says whose it is, twice: the description is there from the first moment."""
    return {"description": f"{tag(cluster.name)} {name}".rstrip(), "tag": tag(cluster.name)}


def _groups(cluster: Cluster, wanted: tuple[Machine, ...]) -> list[Resource]:
    name = cluster.name
    described = {
        f"{name}-cluster": f"{tag(name)} traffic between its own machines",
        f"{name}-control-plane": f"{tag(name)} who may reach the Kubernetes API",
        f"{name}-node": f"{tag(name)} who may reach NodePorts",
    }
    if cluster.spec.bastion:
        described[f"{name}-bastion"] = f"{tag(name)} who may reach SSH"
    groups = [Resource("security_group", g, {"description": text, "tag": tag(name)}) for g, text in described.items()]
    policies = {group: m.policy for m in wanted if (group := _server_group(cluster, m))}
    return groups + [Resource("server_group", g, {"policy": policy}) for g, policy in sorted(policies.items())]


def _rules(cluster: Cluster) -> list[Resource]:
    name, spec = cluster.name, cluster.spec
    everywhere, masters, nodes = f"{name}-cluster", f"{name}-control-plane", f"{name}-node"
    rules = [_rule(everywhere, "egress", ethertype=family) for family in ("IPv4", "IPv6")]
    rules.append(_rule(everywhere, "ingress", group=everywhere))
    door = f"{name}-bastion" if spec.bastion else everywhere
    rules += [_rule(door, "ingress", "tcp", (spec.ssh.port,) * 2, cidr=c) for c in spec.access.ssh]
    rules += [_rule(masters, "ingress", "tcp", (6443, 6443), cidr=c) for c in spec.access.api]
    for protocol in ("tcp", "udp"):
        rules += [_rule(nodes, "ingress", protocol, (30000, 32767), cidr=c) for c in spec.access.node_ports]
    to = {"all": everywhere, "control-plane": masters, "nodes": nodes}
    rules += [_rule(to[r.to], "ingress", r.protocol, r.span, cidr=c) for r in spec.access.rules for c in r.from_]
    return list({rule.name: rule for rule in rules}.values())


def _rule(
    security_group: str,
    direction: str,
    protocol: str | None = None,
    ports: tuple[int | None, int | None] = (None, None),
    *,
    cidr: str | None = None,
    group: str | None = None,
    ethertype: str | None = None,
) -> Resource:
    family = ethertype or ("IPv6" if cidr and ":" in cidr else "IPv4")
    fields: dict[str, Value] = {
        "security_group": security_group,
        "direction": direction,
        "ethertype": family,
        "protocol": protocol,
        "port_min": ports[0],
        "port_max": ports[1],
        "remote_ip_prefix": cidr,
        "remote_group": group,
    }
    return Resource("security_group_rule", rule_name(fields), fields)


def _server(cluster: Cluster, machine: Machine) -> list[Resource]:
    name, network = machine.name, cluster.spec.network
    server: dict[str, Value] = {
        "flavor": machine.flavor,
        "image": machine.image,
        "keypair": cluster.name,
        "server_group": _server_group(cluster, machine),
        "port": machine.name,
        "status": "ACTIVE",
        **{f"metadata.{key}": value for key, value in _metadata(cluster, machine).items()},
    }
    if machine.availability_zone:
        server["availability_zone"] = machine.availability_zone
    port: dict[str, Value] = {
        "network": network.existing.network if network.existing else cluster.name,
        "subnet": network.existing.subnet if network.existing else cluster.name,
        "security_groups": _security_groups(cluster, machine),
        "allowed_address_pairs": tuple(sorted(network.allowed_addresses)),
        "port_security_enabled": True,
        "admin_state_up": True,
        "server": name,
        **_marks(cluster),
    }
    made = [Resource("server", name, server), Resource("port", name, port)]
    if machine.floating_ip:
        floating: dict[str, Value] = {"network": network.external_network, "server": name, **_marks(cluster, name)}
        made.append(Resource("floating_ip", name, floating))
    return made


def _metadata(cluster: Cluster, machine: Machine) -> dict[str, str]:
    groups = {"control-plane": "kube_control_plane,etcd", "node": "kube_node", "bastion": "bastion"}
    return {OWNER_KEY: cluster.name, GROUP_KEY: machine.group, "kubespray_groups": groups[machine.role]}


def _server_group(cluster: Cluster, machine: Machine) -> str | None:
    """One for the control plane and one for each node group; a bastion is alone."""
    if machine.role == "bastion":
        return None
    return f"{cluster.name}-{'control-plane' if machine.role == 'control-plane' else machine.group}"


def _security_groups(cluster: Cluster, machine: Machine) -> tuple[str, ...]:
    own = (f"{cluster.name}-cluster", f"{cluster.name}-{machine.role}")
    return tuple(sorted({*own, *machine.security_groups}))
