"""When two security group rules mean the same: decided here, and nowhere else.

Neutron takes rules that are written otherwise for one rule, and refuses the second with 409: the client writes
0.0.0.0/0 where Terraform writes nothing, 6 where others write tcp. Ports 1-65535 and no ports are two rules to it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeAlias

from .naming import WRITTEN
from .resource import Fields, Resource, Value

Meaning: TypeAlias = tuple[Value, ...]
# Every field of a rule that Neutron compares.
_COMPARED = (
    *("security_group", "direction", "ethertype", "protocol", "port_min", "port_max", "remote_ip_prefix"),
    "remote_group",
)
# IANA's numbers of the protocols that Neutron knows by name.
_PROTOCOLS: Mapping[str, int] = {
    "hopopt": 0, "icmp": 1, "igmp": 2, "ipip": 4, "tcp": 6, "egp": 8, "udp": 17, "dccp": 33, "ipv6-encap": 41,
    "ipv6-route": 43, "ipv6-frag": 44, "rsvp": 46, "gre": 47, "esp": 50, "ah": 51, "ipv6-icmp": 58, "icmpv6": 58,
    "ipv6-nonxt": 59, "ipv6-opts": 60, "ospf": 89, "pgm": 113, "vrrp": 112, "sctp": 132, "udplite": 136,
}  # fmt: skip
_ANY_PROTOCOL = ("", "any", "-1")
_ICMP, _ICMP_OF_IPV6 = 1, 58


def meaning(fields: Fields) -> Meaning:
    """What a rule's fields say, spelled in one way: rules of one meaning are one rule to Neutron."""
    values = {name: fields.get(name) for name in _COMPARED}
    values["ethertype"] = str(values["ethertype"]).lower()
    values["protocol"] = _protocol(values["protocol"], values["ethertype"])
    values["remote_ip_prefix"] = _network(values["remote_ip_prefix"])
    return tuple(values[name] for name in _COMPARED)


def as_wanted(live: Iterable[Resource], wanted: Iterable[Resource]) -> dict[str, Resource]:
    """The live rules, by id, that say what git says in other words: under git's name and in git's words. Their own
    words stay in the field WRITTEN, as pairs."""
    by_meaning = {meaning(rule.fields): rule for rule in wanted}
    found: dict[str, Resource] = {}
    for rule in live:
        asked = by_meaning.get(meaning(rule.fields))
        if asked is None or (asked.name == rule.name and _same(asked, rule)):
            continue
        own = tuple((name, rule.fields.get(name)) for name in _COMPARED if rule.fields.get(name) != asked.fields[name])
        written: Fields = {WRITTEN: own} if own else {}
        found[rule.id] = replace(rule, name=asked.name, fields={**rule.fields, **asked.fields, **written})
    return found


def as_written(rule: Resource, live: Resource | None) -> Resource:
    """A rule of git in the words that the live one is written in: Terraform would make it anew for another spelling."""
    own = live.fields.get(WRITTEN) if live else None
    pairs = (pair for pair in own if isinstance(pair, tuple)) if isinstance(own, tuple) else ()
    return replace(rule, fields={**rule.fields, **{str(name): value for name, value in pairs}})


def _same(asked: Resource, live: Resource) -> bool:
    return all(asked.fields.get(name) == live.fields.get(name) for name in _COMPARED)


def _protocol(value: Value, ethertype: Value) -> Value:
    name = str(value).lower() if value is not None else ""
    if name in _ANY_PROTOCOL:
        return None
    number = int(name) if name.isascii() and name.isdigit() else _PROTOCOLS.get(name)
    if number == _ICMP and ethertype == "ipv6":
        return _ICMP_OF_IPV6
    return name if number is None else number


def _network(value: Value) -> Value:
    """None for everywhere: that is how a rule without a prefix reads."""
    if value in (None, ""):
        return None
    try:
        network = ipaddress.ip_network(str(value).strip(), strict=False)
    except ValueError:
        return str(value).lower()
    return None if network.prefixlen == 0 else str(network)
