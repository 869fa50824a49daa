"""Names and addresses that a hostile cloud or cluster tells get no further than this."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.errors import Permanent
from reconciler.model.resource import Resource
from reconciler.spec.render.hosts import address, host, url
from reconciler.spec.render.kubernetes import Hosts, inventory, published, reached
from tests.unit.examples import cluster

TEMPLATE = "{{ lookup('pipe', 'touch /tmp/canary') }}"
CLUSTER = cluster()


def server(name: str, **fields: object) -> Resource:
    said: dict[str, Any] = {"fixed_ip": "10.20.0.1", "address": "198.51.100.7", "status": "ACTIVE", **fields}
    return Resource("server", name, said, "id", "demo")


@pytest.mark.parametrize("field", ["address", "fixed_ip"])
@pytest.mark.parametrize(
    "value", [TEMPLATE, "-oProxyCommand=sh", "example.org", "10.0.0.1;id", "fe80::1%eth0", 7.5, "::g"]
)
def test_what_is_no_address_reaches_no_inventory(field: str, value: object) -> None:
    with pytest.raises(Permanent, match="an address that is none"):
        inventory(CLUSTER, Hosts([server("demo-cp-1", **{field: value})]))


@pytest.mark.parametrize("field", ["address", "vip"])
def test_that_holds_for_load_balancers_too(field: str) -> None:
    balancer = Resource("load_balancer", "demo", {"address": "198.51.100.9", "vip": "10.20.0.9", field: TEMPLATE})
    with pytest.raises(Permanent, match="an address that is none"):
        inventory(CLUSTER, Hosts([server("demo-cp-1")], balancer))


def test_nor_the_address_of_the_api() -> None:
    for tell in (published, reached):
        assert tell(CLUSTER, [server("demo-cp-1")], None) == "https://198.51.100.7:6443"
        assert tell(CLUSTER, [server("demo-cp-1", address="2001:db8::7")], None) == "https://[2001:db8::7]:6443"
        with pytest.raises(Permanent, match="an address that is none"):
            tell(CLUSTER, [server("demo-cp-1", address="example.org/x#")], None)


@pytest.mark.parametrize(
    "name",
    [
        *("all", "localhost", "127.0.0.1", "ungrouped", "etcd", "bastion", "kube_node", "kube_control_plane"),
        *("*", "!demo-cp-1", "&etcd", "~.*", "@/etc/passwd", "a,b", "a:b", "demo[1:9]", "-i", "", "A", "a b", "a\n"),
        *(TEMPLATE, "{{ x }}", "a" * 254, "../../x", "a/b"),
    ],
)
def test_a_nodes_name_is_one_host_and_nothing_else(name: str) -> None:
    with pytest.raises(Permanent, match="no name for a host"):
        inventory(CLUSTER, Hosts([server("demo-cp-1")], leaving=[name]))


@pytest.mark.parametrize("name", ["demo-worker-3", "node7.example.org", "7", "a"])
def test_usual_names_are_let_through(name: str) -> None:
    assert host(name) == name
    said: Any = inventory(CLUSTER, Hosts([server("demo-cp-1")], leaving=[name]))
    assert name in said["all"]["children"]["kube_node"]["hosts"]


def test_addresses_are_written_one_way() -> None:
    assert address(server("x", address="2001:DB8:0::1"), "address") == "2001:db8::1"
    assert address(server("x", address=None), "address") == ""
    assert url("api.example.org", 6443) == "https://api.example.org:6443"
