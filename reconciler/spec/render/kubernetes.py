"""The nodes a cluster wants, and the inventory Kubespray makes them from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from ...model.desired import Cluster
from ...model.resource import Resource, Value
from .balancer import API_PORT
from .families import placed_at, stacks
from .hosts import address, host, url
from .machines import CONTROL_PLANE_GROUP, Machine, kubespray_groups, machines


def nodes(cluster: Cluster, servers: Sequence[Resource]) -> tuple[Resource, ...]:
    """Every node of the cluster. A node's providerID is known once its server is there."""
    ids = {server.name: server.id for server in servers}
    made = (_node(cluster, m, ids.get(m.name, "")) for m in machines(cluster) if m.role in ("control-plane", "node"))
    return tuple(sorted(made, key=lambda r: r.key))


def _node(cluster: Cluster, machine: Machine, server_id: str) -> Resource:
    fields: dict[str, Value] = {"ready": True, "version": cluster.spec.kubernetes.version}
    fields |= {f"labels.{key}": value for key, value in machine.labels.items()}
    if machine.role == "node":
        fields["taints"] = machine.taints  # the control plane's taints are Kubespray's own business
    if server_id:
        fields["provider_id"] = f"openstack:///{server_id}"
    return Resource("node", machine.name, fields)


def published(cluster: Cluster, servers: Sequence[Resource], balancer: Resource | None) -> str | None:
    """Where everybody reaches the cluster's API: the load balancer where there is to be one, else the first
    control-plane machine. None while it is not known."""
    if cluster.spec.api_load_balancer:
        return _url(balancer)
    return _url(next(iter(_masters(cluster, servers)), None))


def reached(cluster: Cluster, servers: Sequence[Resource], balancer: Resource | None) -> str | None:
    """Where the reconciler itself reaches the API: past the load balancer where it can, which it has to repair."""
    masters = _masters(cluster, servers)
    outside = (s for s in masters if s.fields.get("address") not in (None, s.fields.get("fixed_ip")))
    return _url(next(outside, None) or balancer or next(iter(masters), None))


def _masters(cluster: Cluster, servers: Sequence[Resource]) -> list[Resource]:
    prefix = f"{cluster.name}-{CONTROL_PLANE_GROUP}-"
    there = (s for s in servers if s.name.startswith(prefix) and s.fields.get("address"))
    return sorted(there, key=lambda s: s.name)


def _url(at: Resource | None) -> str | None:
    return url(address(at, "address"), API_PORT) if at else None


@dataclass(frozen=True, slots=True)
class Hosts:
    """What Kubespray needs to know of the machines besides git. `servers` and `balancer` are the live ones: their
    addresses are facts, not wishes. `installed` are the hosts that the cluster runs on already; those that join come
    after them. `leaving` are hosts that remove-node.yml still has to find, there or not, and `broken` those that
    recover-control-plane.yml puts out of etcd and the control plane."""

    servers: Sequence[Resource]
    balancer: Resource | None = None
    installed: Collection[str] = ()
    leaving: Sequence[str] = ()
    broken: Collection[str] = ()


def inventory(cluster: Cluster, given: Hosts) -> dict[str, object]:
    """Ansible's YAML inventory with Kubespray's groups, host variables and group variables. The order within a group
    means something to Kubespray: the first of the control plane is the one that the others join."""
    live = {server.name: server for server in given.servers}
    everything = [m for m in machines(cluster) if m.name in live]
    wanted = [m for m in everything if m.role != "bastion"]
    hosts = {m.name: _host(cluster, live[m.name], m) for m in wanted}
    hosts |= {host(name): _host(cluster, live.get(name), None) for name in given.leaving if name not in hosts}
    groups = {name: _members(cluster, wanted, name, given) for name in ("kube_control_plane", "etcd", "kube_node")}
    masters = [m.name for m in wanted if m.role == "control-plane"]
    return {
        "all": {
            "hosts": hosts,
            "vars": {
                "supplementary_addresses_in_ssl_keys": _reached_at(cluster, masters, live, given.balancer),
                **_balanced(given.balancer),
                **_variables(cluster),
            },
            "children": {
                **{name: {"hosts": {key: {} for key in names}} for name, names in groups.items()},
                **_broken(cluster, wanted, given),
                **_bastion(cluster, live, [m for m in everything if m.role == "bastion"]),
            },
        }
    }


def hosts_of(rendered: Mapping[str, object]) -> tuple[str, ...]:
    """The hosts of an inventory that playbooks work on: all but a bastion."""
    everything = cast("Mapping[str, Mapping[str, object]]", rendered["all"])
    return tuple(everything["hosts"])


def _members(cluster: Cluster, wanted: Sequence[Machine], group: str, given: Hosts) -> list[str]:
    names = [m.name for m in wanted if group in kubespray_groups(cluster, m.role)]
    if group == "kube_node":
        return [*names, *(name for name in given.leaving if name not in names)]
    return sorted((n for n in names if n not in given.broken), key=lambda n: n not in given.installed)


def _broken(cluster: Cluster, wanted: Sequence[Machine], given: Hosts) -> dict[str, object]:
    if not given.broken:
        return {}
    found = {
        f"broken_{group}": [
            m.name for m in wanted if m.name in given.broken and group in kubespray_groups(cluster, m.role)
        ]
        for group in ("etcd", "kube_control_plane")
    }
    return {name: {"hosts": {key: {} for key in names}} for name, names in found.items()}


def _bastion(cluster: Cluster, live: Mapping[str, Resource], machines: Sequence[Machine]) -> dict[str, object]:
    """Kubespray's own group: its role bastion-ssh-config makes the way through it."""
    hosts = {m.name: {"ansible_host": address(live[m.name], "address"), "ansible_user": cluster.spec.ssh.user,
                      "ansible_port": cluster.spec.ssh.port} for m in machines}  # fmt: skip
    return {"bastion": {"hosts": hosts}} if hosts else {}


def _reached_at(
    cluster: Cluster, masters: Collection[str], live: Mapping[str, Resource], balancer: Resource | None
) -> list[str]:
    """Every address the API is reached at: Kubespray's certificate names only those it knows of, and it knows nothing
    of floating IPs."""
    places = [*(live[name] for name in masters), *([balancer] if balancer else [])]
    fields = ("address", "fixed_ip6") if cluster.spec.kubernetes.ipv6 else ("address",)
    return sorted({address(place, field) for place in places for field in fields} - {""})


def _balanced(balancer: Resource | None) -> dict[str, object]:
    """Nodes reach the API at the address within the network."""
    return {"loadbalancer_apiserver": {"address": address(balancer, "vip"), "port": API_PORT}} if balancer else {}


def _host(cluster: Cluster, server: Resource | None, machine: Machine | None) -> dict[str, object]:
    placed = placed_at(cluster, server)
    variables: dict[str, object] = {
        "ansible_host": (address(server, "address") if server else "") or next(iter(placed.values())),
        "ansible_port": cluster.spec.ssh.port,
        "ansible_user": cluster.spec.ssh.user,
        **placed,
    }
    if machine and "etcd" in kubespray_groups(cluster, machine.role):
        variables["etcd_member_name"] = f"etcd-{machine.name}"
    if machine and machine.labels:
        variables["node_labels"] = dict(sorted(machine.labels.items()))
    if machine and machine.taints:
        variables["node_taints"] = list(machine.taints)
    return variables


def _variables(cluster: Cluster) -> dict[str, object]:
    kubernetes = cluster.spec.kubernetes
    return {
        "cluster_name": "cluster.local",
        "kube_version": kubernetes.version,
        "kube_network_plugin": kubernetes.network_plugin,
        "kube_pods_subnet": kubernetes.pod_cidr,
        "kube_service_addresses": kubernetes.service_cidr,
        **stacks(cluster),
        **cast("Mapping[str, object]", _plain(kubernetes.variables)),
    }


def _plain(value: object) -> object:
    """Tuples back to lists: Ansible's YAML knows no others."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value
