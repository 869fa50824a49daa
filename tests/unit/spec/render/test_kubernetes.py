"""Nodes as they should be, and the inventory Kubespray makes them from."""

from __future__ import annotations

from typing import Any

from reconciler.model.resource import Resource
from reconciler.spec.render.kubernetes import Hosts, inventory, nodes, published, reached
from tests.unit.examples import cluster

MIXED = cluster(
    ("labels: {team: blue}", "labels: {team: blue, a: b}\n      taints: [{key: gpu, value: x, effect: NoSchedule}]"),
    ('version: "1.36.3"', 'version: "1.36.3"\n    variables: {a: [1, {b: [2]}], kube_network_plugin: cilium}'),
)


def server(name: str, number: int, address: str | None = None) -> Resource:
    fields = {"fixed_ip": f"10.20.0.{number}", "address": address or f"10.20.0.{number}", "status": "ACTIVE"}
    return Resource("server", name, fields, f"id-{number}", "demo")


SERVERS = [server("demo-cp-1", 1, "198.51.100.7"), server("demo-worker-1", 2), server("demo-worker-2", 3)]


def made(*servers: Resource, leaving: tuple[str, ...] = ()) -> Any:
    return inventory(MIXED, Hosts(servers, leaving=leaving))["all"]


def test_a_node_knows_its_server_once_it_is_there() -> None:
    first, second, third = nodes(MIXED, SERVERS[:2])
    assert first.fields == {"ready": True, "version": "1.36.3", "provider_id": "openstack:///id-1"}
    assert second.fields["labels.team"] == "blue"
    assert second.fields["labels.research.moc/node-group"] == "worker"
    assert second.fields["taints"] == ("gpu=x:NoSchedule",)
    assert "provider_id" not in third.fields


def test_hosts_have_live_addresses_and_what_their_group_asks_for() -> None:
    hosts = made(*SERVERS)["hosts"]
    assert hosts["demo-cp-1"] == {
        "ansible_host": "198.51.100.7",
        "ansible_port": 22,
        "ansible_user": "cloud",
        "ip": "10.20.0.1",
        "access_ip": "10.20.0.1",
        "etcd_member_name": "etcd-demo-cp-1",
    }
    worker = hosts["demo-worker-1"]
    assert worker["node_labels"] == {"a": "b", "research.moc/node-group": "worker", "team": "blue"}
    assert worker["node_taints"] == ["gpu=x:NoSchedule"]
    assert "etcd_member_name" not in worker


def test_a_load_balancer_is_where_nodes_and_people_reach_the_api() -> None:
    balanced = cluster(("  nodeGroups:\n", "  apiLoadBalancer: {}\n  nodeGroups:\n"))
    found = Resource("load_balancer", "demo", {"vip": "10.20.0.9", "address": "198.51.100.9"}, "lb", "demo")
    said: Any = inventory(balanced, Hosts(SERVERS, found))["all"]
    assert said["vars"]["loadbalancer_apiserver"] == {"address": "10.20.0.9", "port": 6443}
    assert said["vars"]["supplementary_addresses_in_ssl_keys"] == ["198.51.100.7", "198.51.100.9"]
    assert published(balanced, SERVERS, found) == "https://198.51.100.9:6443"
    assert published(balanced, SERVERS, None) is None
    assert published(MIXED, SERVERS, None) == "https://198.51.100.7:6443"


def test_the_reconciler_goes_past_the_load_balancer_where_it_can() -> None:
    found = Resource("load_balancer", "demo", {"vip": "10.20.0.9", "address": "198.51.100.9"}, "lb", "demo")
    inside = [server("demo-cp-1", 1), server("demo-worker-1", 2)]
    assert reached(MIXED, SERVERS, found) == "https://198.51.100.7:6443"
    assert reached(MIXED, inside, found) == "https://198.51.100.9:6443"
    assert reached(MIXED, inside, None) == "https://10.20.0.1:6443"
    assert reached(MIXED, [], None) is None


def test_groups_are_kubesprays() -> None:
    children = made(*SERVERS)["children"]
    assert list(children["kube_control_plane"]["hosts"]) == list(children["etcd"]["hosts"]) == ["demo-cp-1"]
    assert list(children["kube_node"]["hosts"]) == ["demo-worker-1", "demo-worker-2"]


def groups(text: tuple[str, str], hosts: Hosts) -> dict[str, list[str]]:
    said: Any = inventory(cluster(text), hosts)["all"]
    return {name: list(group["hosts"]) for name, group in said["children"].items()}


def test_who_joins_comes_after_those_the_cluster_runs_on() -> None:
    masters = [server(f"demo-cp-{n}", n) for n in (1, 2, 3)]
    found = groups(("count: 1", "count: 3"), Hosts(masters, installed={"demo-cp-2", "demo-cp-3"}))
    assert found["kube_control_plane"] == found["etcd"] == ["demo-cp-2", "demo-cp-3", "demo-cp-1"]


def test_who_is_broken_is_moved_to_groups_of_its_own() -> None:
    masters = [server(f"demo-cp-{n}", n) for n in (1, 2, 3)]
    found = groups(("count: 1", "count: 3"), Hosts(masters, broken=["demo-cp-2"]))
    assert found["kube_control_plane"] == found["etcd"] == ["demo-cp-1", "demo-cp-3"]
    assert found["broken_kube_control_plane"] == found["broken_etcd"] == ["demo-cp-2"]


def test_etcd_on_machines_of_its_own() -> None:
    text = ("  nodeGroups:\n", "  etcd: {count: 1, flavor: m1.small}\n  nodeGroups:\n")
    found = groups(text, Hosts([*SERVERS, server("demo-etcd-1", 9)]))
    assert (found["etcd"], found["kube_control_plane"]) == (["demo-etcd-1"], ["demo-cp-1"])
    assert "demo-etcd-1" not in [node.name for node in nodes(cluster(text), [])]


def test_a_control_plane_without_workers_is_a_node() -> None:
    workers = "    - name: worker\n      count: 2\n      flavor: m1.large\n      labels: {team: blue}\n"
    assert groups((workers, "    []\n"), Hosts(SERVERS[:1]))["kube_node"] == ["demo-cp-1"]


def test_the_order_of_what_the_cloud_says_never_matters() -> None:
    forwards, backwards = made(*SERVERS), made(*reversed(SERVERS))
    assert str(forwards) == str(backwards)


def test_a_host_without_a_server_is_left_out() -> None:
    assert list(made(*SERVERS[:2])["hosts"]) == ["demo-cp-1", "demo-worker-1"]


def test_leaving_hosts_are_found_there_or_not() -> None:
    gone = server("demo-worker-3", 4)
    found = made(*SERVERS, gone, leaving=("demo-worker-3", "demo-worker-4"))
    assert found["hosts"]["demo-worker-3"]["ansible_host"] == "10.20.0.4"
    assert found["hosts"]["demo-worker-4"]["ansible_host"] == "192.0.2.1"
    assert list(found["children"]["kube_node"]["hosts"]) == [f"demo-worker-{n}" for n in (1, 2, 3, 4)]
    assert "demo-worker-3" not in made(*SERVERS, gone)["hosts"]


def test_variables_of_the_spec_win_and_are_plain_lists() -> None:
    said = made(*SERVERS)["vars"]
    assert said["a"] == [1, {"b": [2]}]
    assert said["kube_network_plugin"] == "cilium"
    assert said["kube_version"] == "1.36.3"
    assert said["supplementary_addresses_in_ssl_keys"] == ["198.51.100.7"]
