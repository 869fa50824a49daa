"""What is compared with the cloud is what Terraform is told to make: one list, two shapes."""

from __future__ import annotations

import json
from collections import Counter

from reconciler.model.desired import Cluster
from reconciler.model.resource import Resource
from reconciler.spec.render.infrastructure import infrastructure
from reconciler.spec.render.terraform import KINDS, address, variables
from tests.unit.examples import cluster

LARGE = cluster(
    ("count: 1", "count: 3"),
    ("  nodeGroups:\n", "  apiLoadBalancer: {}\n  nodeGroups:\n"),
    ("  access:\n", "    - {name: gpu, count: 1, flavor: g1, floatingIps: true, availabilityZones: [z1]}\n  access:\n"),
    ("api: [192.0.2.0/24]", "api: [192.0.2.0/24, 192.0.2.0/24]\n    nodePorts: [2001:db8::/32]"),
)


def of(kind: str, cluster: Cluster) -> list[Resource]:
    return [r for r in infrastructure(cluster) if r.kind == kind]


def names(kind: str, cluster: Cluster = LARGE) -> list[str]:
    return [r.name for r in of(kind, cluster)]


def test_machines_are_numbered_from_one_in_their_group() -> None:
    machines = ["demo-cp-1", "demo-cp-2", "demo-cp-3", "demo-gpu-1", "demo-worker-1", "demo-worker-2"]
    assert names("server") == names("port") == machines
    assert names("floating_ip") == ["demo", *machines[:4]]
    assert names("server_group") == ["demo-control-plane", "demo-gpu", "demo-worker"]
    assert [r.fields["availability_zone"] for r in of("server", LARGE) if "availability_zone" in r.fields] == ["z1"]


def test_every_resource_has_one_key_and_a_stable_place() -> None:
    made = infrastructure(LARGE)
    assert max(Counter(r.key for r in made).values()) == 1
    assert list(made) == sorted(made, key=lambda r: r.key)
    assert {r.kind for r in made} == set(KINDS)
    assert len({address(r.kind, r.name) for r in made}) == len(made)


def test_a_network_named_twice_is_one_rule() -> None:
    assert names("security_group_rule").count("demo-control-plane ingress IPv4 tcp 6443 from 192.0.2.0/24") == 1


def test_a_rule_follows_its_network() -> None:
    rules = {r.name: r.fields for r in of("security_group_rule", LARGE)}
    found = rules["demo-node ingress IPv6 udp 30000-32767 from 2001:db8::/32"]
    assert (found["ethertype"], found["port_min"], found["port_max"]) == ("IPv6", 30000, 32767)
    (ssh,) = (r for name, r in rules.items() if " 22 " in name)
    assert ssh["remote_ip_prefix"] == "192.0.2.0/24"


def test_nobody_listed_means_nobody_let_in() -> None:
    closed = cluster(("    ssh: [192.0.2.0/24]\n    api: [192.0.2.0/24]\n", "    ssh: []\n"))
    ingress = [r.fields for r in of("security_group_rule", closed) if r.fields["direction"] == "ingress"]
    assert [(r["remote_group"], r["remote_ip_prefix"]) for r in ingress] == [("demo-cluster", None)]


def test_terraform_is_told_everything_that_is_expected() -> None:
    told = json.loads(json.dumps(variables(LARGE)))
    assert set(told["servers"]) == set(names("server")) == set(names("port"))
    assert told["floating_ips"] == names("floating_ip")
    assert set(told["server_groups"]) == set(names("server_group"))
    assert set(told["security_groups"]) == set(names("security_group"))
    assert set(told["rules"]) == set(names("security_group_rule"))
    for kind in ("network", "subnet", "router", "router_interface", "keypair"):
        assert names(kind) == [told["cluster"]]


def test_terraform_is_told_the_very_fields() -> None:
    told = json.loads(json.dumps(variables(LARGE)))
    plain = json.loads(json.dumps({r.name: r.fields for r in of("security_group_rule", LARGE)}))
    assert told["rules"] == plain
    for server in of("server", LARGE):
        said = told["servers"][server.name]
        assert {k: said[k] for k in ("flavor", "image", "server_group")} == {
            k: server.fields[k] for k in ("flavor", "image", "server_group")
        }
        assert {f"metadata.{k}": v for k, v in said["metadata"].items()}.items() <= server.fields.items()
    for port in of("port", LARGE):
        assert tuple(told["servers"][port.name]["security_groups"]) == port.fields["security_groups"]
    (subnet,) = of("subnet", LARGE)
    assert (told["cidr"], told["dns_servers"]) == (subnet.fields["cidr"], list(subnet.fields["dns_servers"] or ()))  # type: ignore[arg-type]


def test_an_address_is_terraforms_own_even_with_quotes() -> None:
    assert address("network", "demo") == "openstack_networking_network_v2.cluster[0]"
    assert address("server", 'a"b\\') == 'openstack_compute_instance_v2.server["a\\"b\\\\"]'
