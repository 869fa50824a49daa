"""Who may read the daemon: a token, or a proxy's word for a user in a group; and only where we are asked by a name of
ours. Pure.

Status and metrics name clusters, commits and errors. On loopback whoever is on this machine may read them, unless a
token or a proxy is set up; beyond it nobody may who shows neither. A name that is not ours in the Host header is how a
page in somebody's browser reads what only that browser's machine can reach (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .secret import same

_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::[0-9]{1,5})?", re.IGNORECASE)
_BEARER = re.compile(r"bearer +([!-~]+)", re.IGNORECASE)
_CLOSED = "beyond loopback reading needs http.tokenFile or http.proxy in the daemon's settings"


@dataclass(frozen=True, slots=True)
class Proxy:
    """Peers on `networks` say who asks, in two headers; who is in one of `groups` may read."""

    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
    user_header: str
    groups_header: str
    groups: frozenset[str]

    def speaks(self, peer: str) -> bool:
        """Whether it is the proxy that is at this address."""
        found = _address(peer)
        return found is not None and any(found in network for network in self.networks)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: the address it came from, ours that it came to, and its headers by lower-case name, all values of a
    name in order."""

    peer: str
    here: str
    headers: Mapping[str, Sequence[str]]

    def only(self, name: str) -> str:
        """The header's value where it is there once; "" where it is not, or somebody wrote one beside another."""
        values = self.headers.get(name.lower(), ())
        return values[0] if len(values) == 1 else ""


@dataclass(frozen=True, slots=True)
class Refusal:
    status: int
    why: str


@dataclass(frozen=True, slots=True)
class Access:
    """`address` is where we listen, `names` what else we are called; `guarded`: a token is set up."""

    address: str = "127.0.0.1"
    names: frozenset[str] = frozenset()
    proxy: Proxy | None = None
    guarded: bool = False

    @property
    def closed(self) -> bool:
        """Whether nobody at all may read."""
        return not (self.guarded or self.proxy or loopback(self.address))

    @property
    def warning(self) -> str:
        """What somebody should know who starts a daemon like this; "" where it is nothing."""
        if self.closed:
            return "nobody may read status and metrics: set http.tokenFile or http.proxy"
        if self.proxy and any(network.network_address.is_loopback for network in self.proxy.networks):
            return (
                "every user of this machine can send the headers of a proxy on loopback: let it send the token instead"
            )
        return ""

    def refusal(self, asked: Asked, token: bytes | None) -> Refusal | None:
        """Why this request may not read; None where it may. `token` is what the settings' one is now, None where it
        can't be read."""
        if not self._meant(asked):
            return Refusal(421, "not a name of this daemon: ask by its address, or name it in http.names")
        if self.closed:
            return Refusal(403, _CLOSED)
        if not self.guarded and not self.proxy:
            return None
        if self.guarded and _shown(asked, token):
            return None
        return self._vouched(asked)

    def _meant(self, asked: Asked) -> bool:
        given = _HOST.fullmatch(asked.only("host"))
        if not given:
            return False
        name = (given[1] or given[2]).lower().rstrip(".")
        ours = {"localhost", *(_plain(each) for each in (self.address, asked.here, *self.names))}
        return _plain(name) in ours

    def _vouched(self, asked: Asked) -> Refusal | None:
        """A stranger may send a proxy's headers too: they count from the proxy alone."""
        proxy = self.proxy
        if proxy is None or not proxy.speaks(asked.peer):
            return Refusal(401, "show the token: Authorization: Bearer ...")
        if not asked.only(proxy.user_header).strip():
            return Refusal(401, f"the proxy named no user, or more than one, in {proxy.user_header}")
        groups = {group.strip() for group in asked.only(proxy.groups_header).split(",")}
        return None if groups & proxy.groups else Refusal(403, "this user is in no group that may read")


def loopback(address: str) -> bool:
    """Whether only this machine reaches a server on the address. A name but localhost may be any address."""
    found = _address(address)
    return found.is_loopback if found else address.lower() == "localhost"


def _shown(asked: Asked, token: bytes | None) -> bool:
    given = _BEARER.fullmatch(asked.only("authorization").strip())
    right = same(given[1] if given else "", (token or b"").decode("utf-8", "surrogateescape"))
    return bool(token) and right


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found


def _plain(name: str) -> str:
    """One spelling for an address, whichever it came in."""
    return str(_address(name) or name.lower().rstrip("."))
