"""Reads what strangers serve, from hosts that may be asked: so much of it, in so much time, and wherever it leads, each
host is judged by the address that is connected to."""

from __future__ import annotations

import base64
import contextlib
import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urljoin, urlsplit

from ... import interrupt
from ...confine import MIB
from ...errors import Invalid, Transient
from ...model.hosts import Address, Hosts, canonical, itself

_SILENCE_SECONDS = 15.0  # for connecting, and between two pieces
_PIECE = 1 << 16
_REDIRECTS = 5
_TRIES = 4  # addresses of one host
_PLAINLY = {"Accept-Encoding": "identity"}  # as they are, for their digest is pinned
_MOVED = {301, 302, 303, 307, 308}
_PORTS = {"https": 443, "http": 80}
_NAME_IT = "if it is meant, name it in the settings of this machine: fetch: {{hosts: ['{host}']}}"
_ODD = re.compile(r"[^\x21-\x7e]|[\\\"<>^`{|}]")


class Unreachable(Transient):
    """Nobody answered, or not to the end."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came, and from where after all redirects. `headers` are by lower-case name."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Target:
    """An address of the web, taken apart."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str) -> Target:
        """Raises Invalid for what is no plain http or https address."""
        try:
            parts = urlsplit(url)
            if parts.scheme not in _PORTS or "@" in parts.netloc or not parts.hostname or _ODD.search(parts.netloc):
                raise ValueError
            path = quote(parts.path or "/", safe="/%:=&~+!$,;'@()*-._")
            query = f"?{quote(parts.query, safe='/%:=&~+!$,;?@()*-._')}" if parts.query else ""
            return cls(parts.scheme, canonical(parts.hostname), parts.port or _PORTS[parts.scheme], f"{path}{query}")
        except ValueError:
            shown = re.sub(r"//[^/]*@", "//(redacted)@", url)[:200]
            hint = "it has to be https://, a host and a path; no user name, which would stand in git"
            raise Invalid(f"{shown!r} is no address to fetch from", hint=hint) from None

    @property
    def origin(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}{'' if self.port == _PORTS[self.scheme] else f':{self.port}'}{self.path}"


@dataclass(frozen=True, slots=True)
class Web:
    """Asks those of `hosts`. One whole answer, redirects included, may take `seconds`."""

    hosts: Hosts
    seconds: float = 120.0

    def get(self, url: str, most: int, *, accept: str = "*/*", token: str = "") -> Answer:
        """GET, and follow where it leads. A `token` goes to the first host only.

        Raises Invalid for a host that may not be asked, and for more than `most` bytes; Unreachable when nobody
        answers in time."""
        until, target = time.monotonic() + self.seconds, Target.of(url)
        headers = {**_PLAINLY, "Accept": accept, **({"Authorization": f"Bearer {token}"} if token else {})}
        for _ in range(_REDIRECTS + 1):
            answer = self._asked(target, most, headers, until)
            if answer.status not in _MOVED or "location" not in answer.headers:
                return answer
            onto = Target.of(urljoin(target.url, answer.headers["location"]))
            if (onto.scheme, onto.origin) != (target.scheme, target.origin):
                headers.pop("Authorization", None)
            target = onto
        raise Invalid(f"{url} leads from one address to the next", hint="name the address that it ends at")

    def _asked(self, target: Target, most: int, headers: Mapping[str, str], until: float) -> Answer:
        try:
            way = self._way(target)
            with contextlib.closing(way.connection) as connection:
                connection.connect()
                with _cut_at(until, connection.sock):
                    connection.request("GET", way.path, headers={**headers, **way.headers})
                    answer = connection.getresponse()
                    body = _body(answer, target, most, until)
            named = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(target.url, answer.status, named, body)
        except (OSError, http.client.HTTPException) as error:
            reason = (error.strerror if isinstance(error, OSError) else "") or type(error).__name__
            late = f"no answer within {self.seconds:g} s" if time.monotonic() >= until else reason
            raise Unreachable(f"{target.origin} can't be reached ({late})") from None

    def _way(self, target: Target) -> _Way:
        """To an address that may be asked, or through this machine's proxy. Raises Invalid."""
        proxy = _proxy(target)
        if proxy is None:
            return _Way(_Direct(target, self._permitted(target)), target.path)
        self._check_through_proxy(target)
        return _through(proxy, target)

    def _permitted(self, target: Target) -> list[Address]:
        """The addresses of the host that may be asked. Raises Invalid when there is none."""
        addresses = _resolved(target)
        if not addresses:
            raise Unreachable(f"{target.host} has no address")
        permits = self.hosts.permits if target.scheme == "https" else self.hosts.permits_plain
        permitted = [address for address in addresses if permits(target.host, target.port, address)]
        if not permitted:
            raise self._refused(target, addresses)
        return permitted

    def _check_through_proxy(self, target: Target) -> None:
        """The proxy resolves by itself: what it is asked for has to be named, or public wherever it leads as we see it.
        Raises Invalid."""
        permits = self.hosts.permits if target.scheme == "https" else self.hosts.permits_plain
        try:
            addresses = _resolved(target)
        except OSError:
            addresses = []
        if addresses and all(permits(target.host, target.port, address) for address in addresses):
            return
        if addresses or not self.hosts.names(target.host, target.port):
            raise self._refused(target, addresses)

    def _refused(self, target: Target, addresses: list[Address]) -> Invalid:
        hint = _NAME_IT.format(host=target.origin)
        if self.hosts.entries:
            return Invalid(f"{target.origin} is not among the hosts that may be asked", hint=hint)
        if not addresses:
            return Invalid(f"nobody here knows whether {target.host} has a public address", hint=hint)
        if target.scheme == "http" and any(self.hosts.permits(target.host, target.port, a) for a in addresses):
            return Invalid(f"{target.url} is not https://", hint=hint)
        where = "" if str(addresses[0]) == target.host else f" ({addresses[0]})"
        return Invalid(f"{target.origin}{where} has no public address", hint=hint)


@dataclass(frozen=True, slots=True)
class _Way:
    """A connection to be made, and what it is asked for."""

    connection: http.client.HTTPConnection
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)


class _Direct(http.client.HTTPConnection):
    """To one of these addresses, under the host's name: nobody is asked for the name again."""

    def __init__(self, target: Target, addresses: list[Address]) -> None:
        super().__init__(target.host, target.port, timeout=_SILENCE_SECONDS)
        self.default_port = _PORTS[target.scheme]
        self._addresses = addresses
        self._secure = target.scheme == "https"

    def connect(self) -> None:
        for address in self._addresses[:_TRIES]:
            try:
                self.sock = socket.create_connection((str(address), self.port), self.timeout)
                break
            except OSError:
                if address in self._addresses[_TRIES - 1 :] or address == self._addresses[-1]:
                    raise
        if self._secure:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)


def _resolved(target: Target) -> list[Address]:
    """Every address that the host's name stands for now. Raises OSError."""
    answers = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ipaddress.ip_address(answer[4][0]) for answer in answers))


def _proxy(target: Target) -> str | None:
    """What this machine's environment says of the way there: the proxy of the scheme, or none."""
    proxies = urllib.request.getproxies_environment()
    if itself(target.host) or urllib.request.proxy_bypass(target.origin, proxies):
        return None
    return proxies.get(target.scheme) or proxies.get("all")


def _through(proxy: str, target: Target) -> _Way:
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    if parts.scheme != "http" or not parts.hostname:
        hint = f"set {target.scheme}_proxy to http://<host>:<port>, or no_proxy"
        raise Invalid("the proxy of this machine is none that speaks http://", hint=hint)
    where, port = parts.hostname, parts.port or _PORTS["http"]
    user = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else ""
    login = {"Proxy-Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"} if user else {}
    if target.scheme == "http":
        return _Way(http.client.HTTPConnection(where, port, timeout=_SILENCE_SECONDS), target.url, login)
    context = ssl.create_default_context()
    secure = http.client.HTTPSConnection(where, port, timeout=_SILENCE_SECONDS, context=context)
    secure.set_tunnel(target.host, target.port, login)
    return _Way(secure, target.path)


@contextlib.contextmanager
def _cut_at(until: float, wire: socket.socket) -> Iterator[None]:
    """Cut the connection then, whatever we are waiting for: a server may send a byte now and again."""

    def cut() -> None:
        with contextlib.suppress(OSError):  # not the TLS layer's own, which another thread may not touch
            socket.socket.shutdown(wire, socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, until - time.monotonic()), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _body(answer: http.client.HTTPResponse, target: Target, most: int, until: float) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while piece := answer.read1(_PIECE):
        interrupt.check()
        if time.monotonic() >= until:
            raise TimeoutError
        size += len(piece)
        if size > most:
            hint = "that is more than is ever read of it here"
            raise Invalid(f"{target.origin} sends more than {most / MIB:g} MiB", hint=hint)
        pieces.append(piece)
    if time.monotonic() >= until:
        raise TimeoutError
    if answer.length:  # what was promised and did not come
        raise http.client.IncompleteRead(b"", answer.length)
    return b"".join(pieces)
