"""The nodes a cluster wants, and the inventory Kubespray makes them from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import cast

from ...model.desired import Cluster
from ...model.resource import Resource, Value
from .machines import Machine, machines


def nodes(cluster: Cluster, servers: Sequence[Resource]) -> tuple[Resource, ...]:
    """Every node of the cluster. A node's providerID is known once its server is there."""
    ids = {server.name: server.id for server in servers}
    made = (_node(cluster, m, ids.get(m.name, "")) for m in machines(cluster) if m.role != "bastion")
    return tuple(sorted(made, key=lambda r: r.key))


def _node(cluster: Cluster, machine: Machine, server_id: str) -> Resource:
    fields: dict[str, Value] = {"ready": True, "version": cluster.spec.kubernetes.version}
    fields |= {f"labels.{key}": value for key, value in machine.labels.items()}
    if machine.role == "node":
        fields["taints"] = machine.taints  # the control plane's taints are Kubespray's own business
    if server_id:
        fields["provider_id"] = f"openstack:///{server_id}"
    return Resource("node", machine.name, fields)


def inventory(cluster: Cluster, servers: Sequence[Resource], leaving: Sequence[str] = ()) -> dict[str, object]:
    """Ansible's YAML inventory with Kubespray's groups, host variables and group variables.

    `servers` are the live ones: their addresses are facts, not wishes. `leaving` are hosts that remove-node.yml
    still has to find in the inventory, whether or not they are there.
    """
    live = {server.name: server for server in servers}
    everything = [m for m in machines(cluster) if m.name in live]
    wanted = [m for m in everything if m.role != "bastion"]
    hosts = {m.name: _host(cluster, live[m.name], m) for m in wanted}
    hosts |= {name: _host(cluster, live.get(name), None) for name in leaving if name not in hosts}
    masters: dict[str, object] = {m.name: {} for m in wanted if m.role == "control-plane"}
    workers: dict[str, object] = {m.name: {} for m in wanted if m.role == "node"}
    workers |= {name: {} for name in leaving if name not in masters}
    return {
        "all": {
            "hosts": hosts,
            "vars": {"supplementary_addresses_in_ssl_keys": _reached_at(masters, live), **_variables(cluster)},
            "children": {
                "kube_control_plane": {"hosts": masters},
                "etcd": {"hosts": dict(masters)},
                "kube_node": {"hosts": workers},
                **_bastion(cluster, live, [m for m in everything if m.role == "bastion"]),
            },
        }
    }


def _bastion(cluster: Cluster, live: Mapping[str, Resource], machines: Sequence[Machine]) -> dict[str, object]:
    """Kubespray's own group: its role bastion-ssh-config makes the way through it."""
    hosts = {m.name: {"ansible_host": live[m.name].fields.get("address"), "ansible_user": cluster.spec.ssh.user,
                      "ansible_port": cluster.spec.ssh.port} for m in machines}  # fmt: skip
    return {"bastion": {"hosts": hosts}} if hosts else {}


def _reached_at(masters: Collection[str], live: Mapping[str, Resource]) -> list[str]:
    """Every address the API is reached at: Kubespray's certificate names only those it knows of, and it knows nothing
    of floating IPs."""
    return sorted({str(live[name].fields["address"]) for name in masters if live[name].fields.get("address")})


def _host(cluster: Cluster, server: Resource | None, machine: Machine | None) -> dict[str, object]:
    fields: Mapping[str, Value] = server.fields if server else {}
    fixed = fields.get("fixed_ip") or "192.0.2.1"  # RFC 5737: a host that is gone still needs an address that is none
    host: dict[str, object] = {
        "ansible_host": fields.get("address") or fixed,
        "ansible_port": cluster.spec.ssh.port,
        "ansible_user": cluster.spec.ssh.user,
        "ip": fixed,
        "access_ip": fixed,
    }
    if machine and machine.role == "control-plane":
        host["etcd_member_name"] = f"etcd-{machine.name}"
    if machine and machine.labels:
        host["node_labels"] = dict(sorted(machine.labels.items()))
    if machine and machine.taints:
        host["node_taints"] = list(machine.taints)
    return host


def _variables(cluster: Cluster) -> dict[str, object]:
    kubernetes = cluster.spec.kubernetes
    return {
        "cluster_name": "cluster.local",
        "kube_version": kubernetes.version,
        "kube_network_plugin": kubernetes.network_plugin,
        "kube_pods_subnet": kubernetes.pod_cidr,
        "kube_service_addresses": kubernetes.service_cidr,
        **cast("Mapping[str, object]", _plain(kubernetes.variables)),
    }


def _plain(value: object) -> object:
    """Tuples back to lists: Ansible's YAML knows no others."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value
