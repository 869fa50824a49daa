"""The OpenStack resources a cluster wants: one list, from which drift is read and Terraform's variables are made."""

from __future__ import annotations

from ...model.desired import Cluster
from ...model.naming import GROUP_KEY, IMAGE_ID, OWNER_KEY, rule_name, tag
from ...model.resource import Resource, Value
from ...model.rules import Meaning, meaning
from .balancer import API_PORT, balancer
from .machines import Machine, kubespray_groups, machines
from .subnets import ICMP6, on_subnets, subnets


def infrastructure(cluster: Cluster) -> tuple[Resource, ...]:
    """Every OpenStack resource of the cluster, sorted by kind and name."""
    wanted = machines(cluster)
    made = [*_network(cluster), *_groups(cluster, wanted), *_rules(cluster), *balancer(cluster), *_vip(cluster)]
    for machine in wanted:
        made += _server(cluster, machine)
    return tuple(sorted(made, key=lambda r: r.key))


def _network(cluster: Cluster) -> list[Resource]:
    """A network, subnet and router of its own; of what exists already only the way to it is ours."""
    name, network = cluster.name, cluster.spec.network
    made = [Resource("keypair", name, {"public_key": cluster.spec.ssh.public_key})]
    if network.existing:
        return made
    made.append(Resource("network", name, {"admin_state_up": True, **_marks(cluster)}))
    made += subnets(cluster, _marks(cluster))
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
    rules += [_rule(everywhere, "ingress", group=everywhere, ethertype=family) for family in spec.network.families]
    door = f"{name}-bastion" if spec.bastion else everywhere
    rules += [_rule(door, "ingress", "tcp", (spec.ssh.port,) * 2, cidr=c) for c in spec.access.ssh]
    rules += [_rule(masters, "ingress", "tcp", (API_PORT, API_PORT), cidr=c) for c in _api_clients(cluster)]
    for protocol in ("tcp", "udp"):
        rules += [_rule(nodes, "ingress", protocol, (30000, 32767), cidr=c) for c in spec.access.node_ports]
    to = {"all": everywhere, "control-plane": masters, "nodes": nodes}
    rules += [_rule(to[r.to], "ingress", r.protocol, r.span, cidr=c) for r in spec.access.rules for c in r.from_]
    distinct: dict[Meaning, Resource] = {}
    for rule in rules:
        distinct.setdefault(meaning(rule.fields), rule)
    return list(distinct.values())


def _api_clients(cluster: Cluster) -> tuple[str, ...]:
    """A load balancer's own machines are in none of our groups: they ask from an address of the subnet."""
    own = cluster.spec.network.subnet_range if cluster.spec.api_load_balancer else None
    return (*cluster.spec.access.api, *([own] if own else []))


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
        "protocol": ICMP6 if (family, protocol) == ("IPv6", "icmp") else protocol,
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
    if machine.build:
        server[IMAGE_ID] = machine.build
    if machine.availability_zone:
        server["availability_zone"] = machine.availability_zone
    if machine.boot_volume:
        server["boot_volume.size"] = machine.boot_volume.size
        if machine.boot_volume.type:
            server["boot_volume.type"] = machine.boot_volume.type
    port: dict[str, Value] = {
        "network": network.existing.network if network.existing else cluster.name,
        **on_subnets(cluster),
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


def _vip(cluster: Cluster) -> list[Resource]:
    """The load balancer's address outside."""
    name, wanted = cluster.name, cluster.spec.api_load_balancer
    if wanted is None or not wanted.floating_ip:
        return []
    network = cluster.spec.network.external_network
    return [Resource("floating_ip", name, {"network": network, "load_balancer": name, **_marks(cluster, name)})]


def _metadata(cluster: Cluster, machine: Machine) -> dict[str, str]:
    groups = ",".join(kubespray_groups(cluster, machine.role))
    return {OWNER_KEY: cluster.name, GROUP_KEY: machine.group, "kubespray_groups": groups}


def _server_group(cluster: Cluster, machine: Machine) -> str | None:
    """One for the control plane and one for each node group; a bastion is alone."""
    if machine.role == "bastion":
        return None
    return f"{cluster.name}-{'control-plane' if machine.role == 'control-plane' else machine.group}"


def _security_groups(cluster: Cluster, machine: Machine) -> tuple[str, ...]:
    doors = () if machine.role == "etcd" else (f"{cluster.name}-{machine.role}",)  # etcd is nobody's from outside
    return tuple(sorted({f"{cluster.name}-cluster", *doors, *machine.security_groups}))
