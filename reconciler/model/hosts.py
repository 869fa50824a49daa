"""Which hosts may be asked for what git names: any public one, or those that this machine's settings name.

A name is judged together with the address it stands for at that moment, and it is that address that is connected to.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
# RFC 1918, RFC 6598 and RFC 4193.
_PRIVATE = tuple(
    map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))
)
# Where clouds tell a machine its credentials, beside 169.254.169.254: Azure, Alibaba, Oracle, AWS, Google.
_METADATA = frozenset(
    map(ipaddress.ip_address, ("168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"))
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052


class Reach(StrEnum):
    """What kind of address it is. `special`: link-local, metadata, multicast, reserved, or none at all."""

    PUBLIC = "public"
    PRIVATE = "private"
    LOOPBACK = "loopback"
    SPECIAL = "special"


def reach(address: Address) -> Reach:
    """What kind of address it is; one that carries an IPv4 address is judged by that."""
    inner = embedded(address)
    if inner in _METADATA:
        return Reach.SPECIAL
    if inner.is_loopback:
        return Reach.LOOPBACK
    if any(inner in network for network in _PRIVATE):
        return Reach.PRIVATE
    special = inner.is_multicast or inner.is_reserved or inner.is_link_local or inner.is_unspecified
    if special or not inner.is_global or (isinstance(inner, IPv6Address) and inner.is_site_local):
        return Reach.SPECIAL
    return Reach.PUBLIC


def embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for (mapped, 6to4, NAT64), or the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or IPv6Address(int(address))  # without a zone such as %eth0


def canonical(host: str) -> str:
    """The host as it is compared and asked for: lower case, without the root's dot, in ASCII. Raises ValueError."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        name = host.removesuffix(".").encode("idna").decode("ascii").lower()
    if len(name) > 253 or not _NAME.fullmatch(name):
        raise ValueError(f"{host!r} is no host name")
    return name


def itself(host: str) -> bool:
    """Whether a host in its canonical form is written as this machine: localhost, or an address of loopback."""
    try:
        return reach(ipaddress.ip_address(host)) is Reach.LOOPBACK
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True, slots=True)
class Host:
    """One entry of the settings: a name, a pattern such as *.example.org, an address or a network, or * for all that is
    public. `port` None is any."""

    pattern: str
    network: Network | None = None
    port: int | None = None

    @classmethod
    def of(cls, text: str) -> Host:
        """Read charts.example.org, *.example.org:8443, 10.0.0.0/8, 127.0.0.1:5000 or [fd00::1]:5000. Raises
        ValueError."""
        host, port = _split(text)
        try:
            return cls(host, ipaddress.ip_network(host), port)
        except ValueError:
            if "/" in host:
                raise
        if host == "*":
            return cls(host, None, port)
        wild = host.startswith("*.")
        return cls(("*." if wild else "") + canonical(host.removeprefix("*.")), None, port)

    def names(self, host: str, port: int) -> bool:
        """Whether this entry means the host by its name."""
        if self.network is not None or self.pattern == "*" or self.port not in (None, port):
            return False
        return host.endswith(self.pattern[1:]) if self.pattern.startswith("*.") else host == self.pattern

    def permits(self, host: str, port: int, address: Address) -> bool:
        """Whether this entry lets `host` be asked at `address`. An address is what it is, whoever's name leads there;
        somebody else may have a name below a pattern, so that leads to no service of this machine; and a metadata
        service is meant only by whoever writes its address."""
        if self.port not in (None, port):
            return False
        if self.network is not None:
            return embedded(address) in self.network or address in self.network
        if self.pattern == "*":
            return reach(address) is Reach.PUBLIC
        inside = (Reach.PRIVATE,) if self.pattern.startswith("*.") else (Reach.PRIVATE, Reach.LOOPBACK)
        return self.names(host, port) and reach(address) in (Reach.PUBLIC, *inside)


@dataclass(frozen=True, slots=True)
class Hosts:
    """The list of the settings; empty for every public address."""

    entries: tuple[Host, ...] = ()

    @classmethod
    def of(cls, *texts: str) -> Hosts:
        """Raises ValueError."""
        return cls(tuple(map(Host.of, texts)))

    def permits(self, host: str, port: int, address: Address) -> bool:
        """Whether `host`, in its canonical form, may be asked at `address`."""
        if not self.entries:
            return reach(address) is Reach.PUBLIC
        return any(entry.permits(host, port, address) for entry in self.entries)

    def permits_plain(self, host: str, port: int, address: Address) -> bool:
        """The same for http://, which anybody on the way can read and change: only where the host is named."""
        return any(entry.pattern != "*" and entry.permits(host, port, address) for entry in self.entries)

    def names(self, host: str, port: int) -> bool:
        """Whether the host is meant by its name, so that whoever resolves it may do so."""
        return any(entry.names(host, port) for entry in self.entries)

    def suits(self, host: str, port: int) -> bool:
        """Whether a host that is known to be public may be asked, wherever it is."""
        public = any(entry.pattern == "*" and entry.port in (None, port) for entry in self.entries)
        return not self.entries or public or self.names(host, port)


ANY_PUBLIC = Hosts()


def _split(text: str) -> tuple[str, int | None]:
    if text.startswith("["):
        host, end, rest = text[1:].partition("]")
        if not end or (rest and not rest.startswith(":")):
            raise ValueError(f"{text!r} has brackets and no address in them")
    elif text.count(":") == 1:
        host, _, rest = text.partition(":")
        rest = f":{rest}"
    else:
        host, rest = text, ""
    if rest and not (rest[1:].isascii() and rest[1:].isdigit() and 0 < int(rest[1:]) < 65536):
        raise ValueError(f"{text!r} has no port behind its colon")
    return host, int(rest[1:]) if rest else None
