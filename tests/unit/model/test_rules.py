"""Values that mean the same are the same: rules that Neutron takes for one rule, and those that it keeps apart."""

from __future__ import annotations

import pytest

from reconciler.engine.severity import severity
from reconciler.model.change import Action, Class, Severity
from reconciler.model.naming import WRITTEN, rule_name
from reconciler.model.resource import Component, Fields, Resource, Value
from reconciler.model.rules import as_wanted, as_written, everywhere, meaning

BASE: dict[str, Value] = {
    "security_group": "demo-node", "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_min": 80,
    "port_max": 80, "remote_ip_prefix": "192.0.2.0/24", "remote_group": None,
}  # fmt: skip


def rule(**fields: Value) -> dict[str, Value]:
    return {**BASE, **fields}


V6 = rule(ethertype="IPv6", remote_ip_prefix="2001:db8::/32")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (rule(remote_ip_prefix="0.0.0.0/0"), rule(remote_ip_prefix=None)),
        (rule(remote_ip_prefix="0.0.0.0/0"), rule(remote_ip_prefix="")),
        ({**V6, "remote_ip_prefix": "::/0"}, {**V6, "remote_ip_prefix": None}),
        ({**V6, "remote_ip_prefix": "0:0::0/0"}, {**V6, "remote_ip_prefix": "::/0"}),
        (V6, {**V6, "remote_ip_prefix": "2001:0DB8:0:0::/32"}),
        (BASE, rule(remote_ip_prefix="192.0.2.7/24")),
        (rule(remote_ip_prefix="192.0.2.7/32"), rule(remote_ip_prefix="192.0.2.7")),
        (BASE, rule(protocol="6")),
        (BASE, rule(protocol="TCP")),
        (BASE, rule(ethertype="ipv4")),
        (rule(protocol="udp"), rule(protocol="17")),
        (rule(protocol="icmp"), rule(protocol="1")),
        (rule(protocol=None), rule(protocol="any")),
        ({**V6, "protocol": "icmp"}, {**V6, "protocol": "ipv6-icmp"}),
        ({**V6, "protocol": "icmpv6"}, {**V6, "protocol": "58"}),
        ({**V6, "protocol": "1"}, {**V6, "protocol": "58"}),
        (rule(protocol="gre"), rule(protocol="47")),
    ],
)
def test_one_rule_in_two_spellings(one: Fields, other: Fields) -> None:
    assert meaning(one) == meaning(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (rule(port_min=1, port_max=65535), rule(port_min=None, port_max=None)),  # Neutron keeps both
        (BASE, rule(protocol=None)),
        (BASE, rule(direction="egress")),
        (BASE, rule(remote_ip_prefix="192.0.2.0/25")),
        (BASE, rule(remote_ip_prefix=None, remote_group="demo-cluster")),
        (rule(remote_ip_prefix=None), rule(remote_ip_prefix=None, ethertype="IPv6")),
        (rule(protocol="icmp"), rule(protocol="58")),
        (rule(protocol="0"), rule(protocol=None)),
        (rule(remote_ip_prefix=None), rule(remote_ip_prefix=None, remote_address_group="offices")),
        (rule(protocol="9" * 5000), rule(protocol="tcp")),  # no number, and no reason to fail
    ],
)
def test_two_rules(one: Fields, other: Fields) -> None:
    assert meaning(one) != meaning(other)


@pytest.mark.parametrize("prefix", ["0.0.0.0/0", None, "", "192.0.2.1/0", "0.0.0.0/00"])
def test_everywhere_is_everywhere_however_it_is_written(prefix: Value) -> None:
    assert everywhere(rule(remote_ip_prefix=prefix))
    way_in = rule(remote_ip_prefix=prefix)
    assert _severity(way_in) is Severity.CRITICAL
    assert _severity({**way_in, "remote_address_group": "offices"}) is Severity.HIGH


def _severity(fields: Fields) -> Severity:
    infrastructure, nobodys = Component.INFRASTRUCTURE, Class.UNMANAGED
    return severity(infrastructure, "security_group_rule", "", nobodys, Action.DELETE, fields)


def test_what_git_says_in_other_words_gets_gits_words_and_keeps_its_own_for_terraform() -> None:
    asked = Resource("security_group_rule", rule_name(BASE), BASE)
    own = rule(protocol="6", remote_ip_prefix="192.0.2.9/24")
    live = Resource("security_group_rule", rule_name(own), own, "r1", "demo")
    (found,) = as_wanted([live], [asked]).values()
    assert (found.name, found.id, found.owner) == (asked.name, "r1", "demo")
    assert {name: found.fields[name] for name in BASE} == BASE
    assert found.fields[WRITTEN] == (("protocol", "6"), ("remote_ip_prefix", "192.0.2.9/24"))
    assert as_written(asked, found).fields == own
    assert as_written(asked, None) == asked


def test_what_is_spelled_alike_or_means_another_is_left_as_it_is() -> None:
    asked = Resource("security_group_rule", rule_name(BASE), BASE)
    other = rule(port_max=81)
    live = [Resource("security_group_rule", rule_name(f), f, str(n)) for n, f in enumerate((BASE, other))]
    assert as_wanted(live, [asked]) == {}
