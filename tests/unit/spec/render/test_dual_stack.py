"""IPv6 beside IPv4, or alone: subnets, rules, addresses, Terraform's and Kubespray's variables."""

from __future__ import annotations

import itertools
import re
from types import SimpleNamespace
from typing import Any

import pytest

from reconciler.adapters.openstack.addresses import of_port, of_server
from reconciler.engine.diff import diff
from reconciler.engine.planner import plan
from reconciler.engine.playbook import Roles
from reconciler.errors import Invalid
from reconciler.model.change import Action
from reconciler.model.desired import Cluster
from reconciler.model.plan import Tool
from reconciler.model.resource import Component, Expected, Known, Observed, Resource
from reconciler.spec.found import Choice, Guesses, describe, members
from reconciler.spec.references import check
from reconciler.spec.render.infrastructure import infrastructure
from reconciler.spec.render.kubernetes import Hosts, inventory
from reconciler.spec.render.subnets import addressed
from reconciler.spec.render.terraform import REPLACING, address, variables
from tests.unit.examples import cluster, desired

CIDR = "    cidr: 10.20.0.0/24\n"
BOTH = (CIDR, f"{CIDR}    ipv6: {{cidr: '2001:db8:1::/64', dnsServers: ['2001:db8::53']}}\n")
PODS = ('    version: "1.36.3"\n', '    version: "1.36.3"\n    ipv6: {podCidr: "fd00:1::/104"}\n')
ALONE = (CIDR, "    ipv6: {cidr: '2001:db8:1::/64'}\n")
NO_FLOATING = ("    floatingIps: true\n", "")
CAMPUS = "    existing: {network: campus, subnet: v4, ipv6: {subnet: v6, cidr: '2001:db8:3::/64'}}\n"


def of(kind: str, cluster: Cluster) -> dict[str, Resource]:
    return {r.name: r for r in infrastructure(cluster) if r.kind == kind}


def test_a_network_of_its_own_has_a_subnet_of_each_family() -> None:
    both = cluster(BOTH)
    assert set(of("subnet", both)) == {"demo", "demo.ipv6"}
    fields = of("subnet", both)["demo.ipv6"].fields
    assert (fields["cidr"], fields["ipv6_address_mode"], fields["ipv6_ra_mode"]) == (
        "2001:db8:1::/64",
        "slaac",
        "slaac",
    )
    interfaces = of("router_interface", both)
    assert {name: r.fields["subnet"] for name, r in interfaces.items()} == {
        "demo": "demo",
        "demo/demo.ipv6": "demo.ipv6",
    }
    port = of("port", both)["demo-cp-1"].fields
    assert (port["subnet"], port["ipv6_subnet"]) == ("demo", "demo.ipv6")
    places = [address(r.kind, r.name) for r in infrastructure(both)]
    assert len(set(places)) == len(places)


def test_without_ipv6_nothing_is_otherwise() -> None:
    plain = cluster()
    assert not any("ipv6" in field for r in infrastructure(plain) for field in r.fields)
    assert not {"ipv6", "existing_ipv6_subnet"} & set(variables(plain))
    said: Any = inventory(plain, Hosts([]))
    assert not any("ipv" in name for name in said["all"]["vars"])


def test_rules_are_for_both_families() -> None:
    both = "[192.0.2.0/24, '2001:db8:9::/48']"
    access = ("    ssh: [192.0.2.0/24]\n", f"    ssh: {both}\n"
              f"    rules: [{{name: ping, protocol: icmp, from: {both}, to: all}}]\n")  # fmt: skip
    rules = set(of("security_group_rule", cluster(BOTH, access)))
    assert rules >= {
        "demo-cluster ingress IPv4 any from group demo-cluster",
        "demo-cluster ingress IPv6 any from group demo-cluster",
        "demo-cluster egress IPv6 any to anywhere",
        "demo-cluster ingress IPv6 tcp 22 from 2001:db8:9::/48",
        "demo-cluster ingress IPv4 icmp from 192.0.2.0/24",
        "demo-cluster ingress IPv6 ipv6-icmp from 2001:db8:9::/48",
    }
    alone = set(of("security_group_rule", cluster(ALONE, NO_FLOATING, PODS)))
    assert "demo-cluster ingress IPv4 any from group demo-cluster" not in alone


def test_terraforms_variables() -> None:
    said = variables(cluster(BOTH))
    assert said["ipv6"] == {
        "cidr": "2001:db8:1::/64", "address_mode": "slaac", "ra_mode": "slaac", "dns_servers": ["2001:db8::53"]
    }  # fmt: skip
    assert said["cidr"] == "10.20.0.0/24"
    campus = variables(cluster((CIDR, CAMPUS)))
    assert (campus["existing_subnet"], campus["existing_ipv6_subnet"]) == ("v4", "v6")


def server(name: str, **fields: Any) -> Resource:
    return Resource("server", name, fields, f"id-{name}")


def test_kubesprays_variables() -> None:
    servers = [server("demo-cp-1", fixed_ip="10.20.0.5", fixed_ip6="2001:db8:1::5", address="192.0.2.7")]
    said: Any = inventory(cluster(BOTH, PODS), Hosts(servers))
    common, host = said["all"]["vars"], said["all"]["hosts"]["demo-cp-1"]
    assert {name: common[name] for name in common if "ip" in name} == {
        "ipv4_stack": True,
        "ipv6_stack": True,
        "kube_pods_subnet_ipv6": "fd00:1::/104",
        "kube_service_addresses_ipv6": "fd85:ee78:d8a6:8607::1000/116",
        "kube_network_node_prefix_ipv6": 120,
    }
    assert (host["ip"], host["access_ip"]) == ("10.20.0.5", "10.20.0.5")
    assert (host["ip6"], host["access_ip6"]) == ("2001:db8:1::5", "2001:db8:1::5")
    assert common["supplementary_addresses_in_ssl_keys"] == ["192.0.2.7", "2001:db8:1::5"]


def test_kubesprays_variables_without_ipv4() -> None:
    servers = [server("demo-cp-1", fixed_ip=None, fixed_ip6="2001:db8:1::5", address="2001:db8:1::5")]
    said: Any = inventory(cluster(ALONE, NO_FLOATING, PODS), Hosts(servers, leaving=["demo-worker-9"]))
    host, gone = (said["all"]["hosts"][name] for name in ("demo-cp-1", "demo-worker-9"))
    assert said["all"]["vars"]["ipv4_stack"] is False
    assert (host["ansible_host"], host["ip6"], "ip" in host) == ("2001:db8:1::5", "2001:db8:1::5", False)
    assert gone["ansible_host"] == gone["ip6"] == "2001:db8::1"


@pytest.mark.parametrize("pods", ["fd00:1::/64", "fd00:1::/112"])
def test_no_range_of_pods_is_divided_further_than_kubernetes_can(pods: str) -> None:
    both = cluster(BOTH, (PODS[0], PODS[1].replace("fd00:1::/104", pods)))
    assert both.spec.kubernetes.ipv6 is not None
    prefix = int(pods.partition("/")[2])
    assert prefix < both.spec.kubernetes.ipv6.node_prefix <= min(120, prefix + 16)


@pytest.mark.parametrize(
    ("change", "line", "said"),
    [
        ((CIDR, "    cidr: 2001:db8::/64\n"), 12, "is of IPv6, and this is for IPv4"),
        ((CIDR, f"{CIDR}    ipv6: {{cidr: 10.0.0.0/24}}\n"), 13, "is of IPv4, and this is for IPv6"),
        ((CIDR, f"{CIDR}    ipv6: {{cidr: '2001:db8::/60'}}\n"), 13, "is no /64, which mode slaac needs"),
        ((CIDR, f"{CIDR}    ipv6: {{cidr: '2001:db8::/127', mode: dhcpv6-stateful}}\n"), 13, "too small for a subnet"),
        ((CIDR, f"{CIDR}    ipv6: {{cidr: '2001:db8::/64', dnsServers: [192.0.2.1]}}\n"), 13, "this is for IPv6"),
        ((CIDR, f"{CIDR}    dnsServers: ['2001:db8::1']\n"), 13, "this is for IPv4"),
        ((CIDR, "    ipv6: {cidr: '2001:db8::/64'}\n"), 26, "pods can't have any"),
        ((CIDR, f"    ipv6: {{cidr: '2001:db8::/64'}}\n{CAMPUS}"), 12, "existing names another's"),
        ((CIDR, "    existing: {network: campus}\n"), 12, "subnet is missing"),
        (PODS, 28, "the machines have no IPv6 addresses"),
    ],
)
def test_mistakes_are_told_at_their_line(change: tuple[str, str], line: int, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        desired(change)
    (problem,) = caught.value.problems
    assert said in problem.message
    assert problem.line == line


@pytest.mark.parametrize(
    "more", ['{podCidr: "2001:db8:1::/112"}', '{serviceCidr: "fd00::/104"}', '{podCidr: "fd00::/121"}']
)
def test_ranges_of_pods_and_services(more: str) -> None:
    with pytest.raises(Invalid, match="mistake"):
        desired(BOTH, (PODS[0], f"{PODS[0]}    ipv6: {more}\n"))


# what is live


def port(*fixed: tuple[str, str]) -> Any:
    return SimpleNamespace(fixed_ips=[{"subnet_id": subnet, "ip_address": ip} for subnet, ip in fixed])


def test_the_order_of_addresses_means_nothing() -> None:
    fixed = (("s4", "203.0.113.9"), ("s6", "2001:db8:3::9"), ("t6", "2001:db8:2::9"))
    told = [of_port(port(*some), {"s4": "v4", "s6": "v6", "t6": "z6"}) for some in itertools.permutations(fixed)]
    assert all(fields == told[0] for fields in told)
    assert (told[0]["subnet"], told[0]["ipv6_subnet"]) == ("v4", "v6")


def test_a_port_with_no_address_of_ipv6_says_nothing_of_it() -> None:
    assert of_port(port(("s4", "10.0.0.1")), {}) == {"subnet": "s4", "address.s4": "10.0.0.1"}


@pytest.mark.parametrize("name", ["v6", "z6"])
def test_what_is_compared_is_on_the_subnet_that_git_names(name: str) -> None:
    fields = of_port(port(("s6", "2001:db8:3::9"), ("t6", "2001:db8:2::9"), ("s4", "203.0.113.9")),
                     {"s4": "v4", "s6": "v6", "t6": "z6"})  # fmt: skip
    wanted = cluster((CIDR, CAMPUS.replace("subnet: v6", f"subnet: {name}")))
    live = {
        "port": Known((Resource("port", "demo-cp-1", fields, "p"),)),
        "server": Known((server("demo-cp-1", port="demo-cp-1", fixed_ip="203.0.113.9", fixed_ip6="2001:db8:2::9",
                                address="203.0.113.9"),)),
    }  # fmt: skip
    found = addressed(wanted, live)
    (seen,), (at,) = (listing.resources for listing in found.values() if isinstance(listing, Known))
    assert (seen.fields["subnet"], seen.fields["ipv6_subnet"]) == ("v4", name)
    assert at.fields["fixed_ip6"] == {"v6": "2001:db8:3::9", "z6": "2001:db8:2::9"}[name]
    assert at.fields["address"] == "203.0.113.9"


def test_a_server_is_reached_by_ipv4_where_it_can_be() -> None:
    def at(*entries: tuple[int, str, str]) -> dict[str, Any]:
        told = [{"version": version, "addr": ip, "OS-EXT-IPS:type": kind} for version, ip, kind in entries]
        return of_server(SimpleNamespace(addresses={"n": told}, access_ipv4="", access_ipv6=""))

    six, four, outside = (6, "2001:db8::5", "fixed"), (4, "10.0.0.5", "fixed"), (4, "192.0.2.5", "floating")
    assert at(six, four) == at(four, six) == {"fixed_ip": "10.0.0.5", "fixed_ip6": "2001:db8::5", "address": "10.0.0.5"}
    assert at(six, four, outside)["address"] == "192.0.2.5"
    assert at(six) == {"fixed_ip": None, "fixed_ip6": "2001:db8::5", "address": "2001:db8::5"}
    assert at() == {"fixed_ip": None, "address": None}


def test_a_running_cluster_gets_ipv6_and_keeps_its_machines() -> None:
    """The subnet first, then an address of it for each port; nothing is made anew."""
    old, new = cluster(), cluster(BOTH)
    mine = Component.INFRASTRUCTURE
    kinds: dict[str, Any] = {kind: Known() for kind in {r.kind for r in infrastructure(new)}}
    for number, r in enumerate(infrastructure(old)):
        kinds[r.kind] = Known((*kinds[r.kind].resources, Resource(r.kind, r.name, r.fields, str(number), "demo")))
    found = diff(Expected({mine: infrastructure(new)}), Expected({}), Observed({mine: kinds}), replacing=REPLACING)
    roles = Roles()
    steps = plan("demo", "c0ffee", [d for d in found if d.component is mine], roles=roles).steps
    assert [(s.tool, s.operation) for s in steps] == [(Tool.TERRAFORM, "apply"), (Tool.OPENSTACK, "join")]
    assert {d.action for s in steps for d in s.differences} == {Action.CREATE, Action.UPDATE}
    assert steps[1].targets == ("port demo-cp-1", "port demo-worker-1", "port demo-worker-2")


def test_what_runs_is_said_as_it_is() -> None:
    """What `import` writes asks for what is live."""
    ping = ("  kubernetes:\n", "    rules: [{name: ping, protocol: icmp, from: [192.0.2.0/24, '2001:db8:9::/48'], "
            "to: all}]\n  kubernetes:\n")  # fmt: skip
    both = cluster(BOTH, ping)
    kinds: dict[str, Any] = {}
    for number, r in enumerate(infrastructure(both)):
        live = Resource(r.kind, r.name, r.fields, str(number), "demo")
        kinds[r.kind] = Known((*kinds.get(r.kind, Known()).resources, live))
    said = describe("demo", "sandbox", kinds, members("demo", kinds, Choice()), Guesses()).spec
    assert said["network"]["ipv6"] == {"cidr": "2001:db8:1::/64", "mode": "slaac", "dnsServers": ["2001:db8::53"]}
    (rule,) = said["access"]["rules"]
    assert (rule["protocol"], rule["from"]) == ("icmp", ["192.0.2.0/24", "2001:db8:9::/48"])


def test_a_subnet_that_is_not_there_is_told_at_its_line() -> None:
    (wanted,) = desired((CIDR, CAMPUS))
    subnets = Known((Resource("subnet", "v4", {"cidr": "10.0.0.0/24"}), Resource("subnet", "w6", {})))
    none = Known()
    problems = check(wanted, flavors=none, images=none, networks=none, volume_types=none, kinds={"subnet": subnets})
    assert any(re.search("no subnet 'v6'", p.message) and p.line == 12 for p in problems)
