"""When two security group rules mean the same: decided here, and nowhere else.

Neutron takes rules that are written otherwise for one rule, and refuses the second with 409: the client writes
0.0.0.0/0 where Terraform writes nothing, 6 where others write tcp. Ports 1-65535 and no ports are two rules to it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeAlias

from .naming import ADDRESSES, WRITTEN
from .resource import Fields, Resource, Value

Meaning: TypeAlias = tuple[Value, ...]
# Every field of a rule that Neutron compares.
_COMPARED = (
    *("security_group", "direction", "ethertype", "protocol", "port_min", "port_max", "remote_ip_prefix"),
    *("remote_group", ADDRESSES),
)
# IANA's numbers of the protocols that Neutron knows by name.
_PROTOCOLS: Mapping[str, int] = {
    "hopopt": 0, "icmp": 1, "igmp": 2, "ipip": 4, "tcp": 6, "egp": 8, "udp": 17, "dccp": 33, "ipv6-encap": 41,
    "ipv6-route": 43, "ipv6-frag": 44, "rsvp": 46, "gre": 47, "esp": 50, "ah": 51, "ipv6-icmp": 58, "icmpv6": 58,
    "ipv6-nonxt": 59, "ipv6-opts": 60, "ospf": 89, "pgm": 113, "vrrp": 112, "sctp": 132, "udplite": 136,
}  # fmt: skip
# No protocol's number is longer; text from a cloud may be as long as it likes.
_DIGITS = 3
_WORDS = ("icmp", "tcp", "udp", "ipv6-icmp")  # what `access` calls protocols, and Neutron's own word for one of them
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
        said = {name: rule.fields.get(name) for name in _COMPARED}
        own = tuple((name, value) for name, value in said.items() if value != asked.fields.get(name))
        written: Fields = {WRITTEN: own} if own else {}
        found[rule.id] = replace(rule, name=asked.name, fields={**rule.fields, **asked.fields, **written})
    return found


def as_written(rule: Resource, live: Resource | None) -> Resource:
    """A rule of git in the words that the live one is written in: Terraform would make it anew for another spelling."""
    own = live.fields.get(WRITTEN) if live else None
    pairs = (pair for pair in own if isinstance(pair, tuple)) if isinstance(own, tuple) else ()
    return replace(rule, fields={**rule.fields, **{str(name): value for name, value in pairs}})


def everywhere(fields: Fields) -> bool:
    """Is this rule about all addresses there are?"""
    narrower = fields.get("remote_group") or fields.get(ADDRESSES)
    return not narrower and _network(fields.get("remote_ip_prefix")) is None


def plainly(rule: Resource) -> Resource:
    """A live rule in the words that git has for what it says, where it has any."""
    fields = dict(rule.fields)
    protocol = _protocol(fields.get("protocol"), str(fields.get("ethertype")).lower())
    fields["protocol"] = next((word for word in _WORDS if _PROTOCOLS[word] == protocol), fields.get("protocol"))
    if everywhere(fields):
        fields["remote_ip_prefix"] = "::/0" if str(fields.get("ethertype")).lower() == "ipv6" else "0.0.0.0/0"
    elif fields.get("remote_ip_prefix"):
        fields["remote_ip_prefix"] = _network(fields["remote_ip_prefix"])
    return replace(rule, fields=fields)


def _same(asked: Resource, live: Resource) -> bool:
    return all(asked.fields.get(name) == live.fields.get(name) for name in _COMPARED)


def _protocol(value: Value, ethertype: Value) -> Value:
    name = str(value).lower() if value is not None else ""
    if name in _ANY_PROTOCOL:
        return None
    digits = name.isascii() and name.isdigit() and len(name) <= _DIGITS
    number = int(name) if digits else _PROTOCOLS.get(name)
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
