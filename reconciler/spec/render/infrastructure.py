"""The OpenStack resources a cluster wants: one list, from which drift is read and Terraform's variables are made."""

from __future__ import annotations

from collections.abc import Mapping

from ...model.desired import Cluster
from ...model.naming import GROUP_KEY, OWNER_KEY, rule_name, tag
from ...model.resource import Resource, Value
from .machines import Machine, machines

# What Terraform calls the resources of each kind; None where there is one of a kind in a cluster.
_ADDRESSES = {
    "network": "openstack_networking_network_v2.cluster",
    "subnet": "openstack_networking_subnet_v2.cluster",
    "router": "openstack_networking_router_v2.cluster",
    "router_interface": "openstack_networking_router_interface_v2.cluster",
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


def variables(cluster: Cluster) -> dict[str, object]:
    """Terraform's variables for terraform/openstack-cluster, as JSON-like values."""
    by_kind: dict[str, dict[str, Mapping[str, Value]]] = {kind: {} for kind in KINDS}
    for resource in infrastructure(cluster):
        by_kind[resource.kind][resource.name] = resource.fields
    spec = cluster.spec
    return {
        "cloud": spec.cloud,
        "cluster": cluster.name,
        "tag": tag(cluster.name),
        "external_network": spec.network.external_network,
        "cidr": spec.network.cidr,
        "dns_servers": list(spec.network.dns_servers),
        "public_key": spec.ssh.public_key,
        "server_groups": {name: dict(fields) for name, fields in by_kind["server_group"].items()},
        "security_groups": {name: dict(fields) for name, fields in by_kind["security_group"].items()},
        "rules": {name: dict(fields) for name, fields in by_kind["security_group_rule"].items()},
        "servers": {m.name: _server_variables(cluster, m) for m in machines(cluster)},
        "floating_ips": list(by_kind["floating_ip"]),
    }


def _server_variables(cluster: Cluster, machine: Machine) -> dict[str, object]:
    return {
        "flavor": machine.flavor,
        "image": machine.image,
        "availability_zone": machine.availability_zone,
        "server_group": _server_group(cluster, machine),
        "security_groups": list(_security_groups(cluster, machine)),
        "metadata": _metadata(cluster, machine),
    }


def _network(cluster: Cluster) -> list[Resource]:
    name, network = cluster.name, cluster.spec.network
    return [
        Resource("network", name, {"admin_state_up": True}),
        Resource(
            "subnet",
            name,
            {"network": name, "cidr": network.cidr, "dns_servers": network.dns_servers, "enable_dhcp": True},
        ),
        Resource("router", name, {"external_network": network.external_network, "admin_state_up": True}),
        Resource("router_interface", name, {"subnet": name}),
        Resource("keypair", name, {"public_key": cluster.spec.ssh.public_key}),
    ]


def _groups(cluster: Cluster, wanted: tuple[Machine, ...]) -> list[Resource]:
    name = cluster.name
    described = {
        f"{name}-cluster": f"{tag(name)} traffic between its own machines",
        f"{name}-control-plane": f"{tag(name)} who may reach the Kubernetes API",
        f"{name}-node": f"{tag(name)} who may reach NodePorts",
    }
    groups = [Resource("security_group", g, {"description": text}) for g, text in described.items()]
    names = sorted({_server_group(cluster, m) for m in wanted})
    return groups + [Resource("server_group", g, {"policy": "soft-anti-affinity"}) for g in names]


def _rules(cluster: Cluster) -> list[Resource]:
    name, spec = cluster.name, cluster.spec
    everywhere, masters, nodes = f"{name}-cluster", f"{name}-control-plane", f"{name}-node"
    rules = [_rule(everywhere, "egress", ethertype=family) for family in ("IPv4", "IPv6")]
    rules.append(_rule(everywhere, "ingress", group=everywhere))
    rules += [_rule(everywhere, "ingress", "tcp", (spec.ssh.port,) * 2, cidr=c) for c in spec.access.ssh]
    rules += [_rule(masters, "ingress", "tcp", (6443, 6443), cidr=c) for c in spec.access.api]
    for protocol in ("tcp", "udp"):
        rules += [_rule(nodes, "ingress", protocol, (30000, 32767), cidr=c) for c in spec.access.node_ports]
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
    name = machine.name
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
        "network": cluster.name,
        "security_groups": _security_groups(cluster, machine),
        "admin_state_up": True,
        "server": name,
    }
    made = [Resource("server", name, server), Resource("port", name, port)]
    if machine.floating_ip:
        external = cluster.spec.network.external_network
        made.append(Resource("floating_ip", name, {"network": external, "server": name}))
    return made


def _metadata(cluster: Cluster, machine: Machine) -> dict[str, str]:
    groups = "kube_control_plane,etcd" if machine.role == "control-plane" else "kube_node"
    return {OWNER_KEY: cluster.name, GROUP_KEY: machine.group, "kubespray_groups": groups}


def _server_group(cluster: Cluster, machine: Machine) -> str:
    return f"{cluster.name}-{'control-plane' if machine.role == 'control-plane' else machine.group}"


def _security_groups(cluster: Cluster, machine: Machine) -> tuple[str, ...]:
    return tuple(sorted((f"{cluster.name}-cluster", f"{cluster.name}-{machine.role}")))
