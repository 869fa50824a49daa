"""Who is connected: at most so many in all and from one address, for so long, and taken in so fast.

Connections cost file descriptors, which clouds, clusters and git need too. So when there are too many the oldest goes:
what is answered is answered in a moment, and what only sits there makes room. Nothing that a stranger does is written
down without bound.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

from .flood import Bucket

_BACKLOG = 128
_AT_ONCE = 32  # connections taken in before whoever is answered has a turn
_PER_SECOND, _BURST = 500.0, 500.0  # new ones: what comes faster waits in the kernel, and costs us nothing
_NO_FILES_SECONDS = 1.0  # after an accept that failed: no descriptor is free, or no memory
_EACH = 0.5  # seconds between two looks for late ones


@dataclass(frozen=True, slots=True)
class Limits:
    """Counts, and seconds: `head` until all of a request's head is there, `whole` until everything is over."""

    total: int = 256
    each: int = 64
    head: float = 5.0
    whole: float = 15.0


@dataclass(eq=False, slots=True)
class Connection:
    """One peer. `asked`: a request is there, and is answered."""

    wire: socket.socket
    group: str
    since: float
    transport: asyncio.Transport | None = None
    asked: bool = False
    over: bool = False

    def cut(self) -> None:
        self.over = True
        if self.transport is not None:
            self.transport.abort()


@dataclass
class Places:
    """Those who are connected, oldest first. `trusted` addresses share the places in all, and have no limit each: a
    proxy comes for many."""

    limits: Limits
    trusted: Callable[[str], bool] = lambda _: False
    there: list[Connection] = field(default_factory=list)

    def enter(self, connection: Connection, address: str) -> list[Connection]:
        """Let it in, and return who is to go for it."""
        self.there = [each for each in self.there if not _gone(each)]
        goes = []
        if len(self.there) >= self.limits.total:
            goes.append(self.there[0])
        same = [each for each in self.there if each.group == connection.group]
        if not self.trusted(address) and len(same) >= self.limits.each and same[0] not in goes:
            goes.append(same[0])
        self.there = [each for each in self.there if each not in goes] + [connection]
        return goes

    def late(self, now: float) -> list[Connection]:
        """Who had its time."""
        self.there = [each for each in self.there if not _gone(each)]
        return [e for e in self.there if now - e.since > (self.limits.whole if e.asked else self.limits.head)]


def _gone(connection: Connection) -> bool:
    return connection.over or (connection.transport is not None and connection.transport.is_closing())


def group(address: str) -> str:
    """Whose places an address takes: one's own; of IPv6 the network of 64 bits that each customer has whole."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address) and not found.ipv4_mapped:
        return str(ipaddress.IPv6Network((int(found) >> 64 << 64, 64)))
    return str(getattr(found, "ipv4_mapped", None) or found)


class Listener:
    """Takes connections in, on the event loop, and hands them to `protocol`. `cut` is told of those that were ended, by
    reason and address; `trouble` of an error of the system's."""

    def __init__(
        self,
        protocol: Callable[[], asyncio.BaseProtocol],
        places: Places,
        *,
        cut: Callable[[str, str], None],
        trouble: Callable[[str], None],
    ) -> None:
        self._protocol = protocol
        self._places = places
        self._cut, self._trouble = cut, trouble
        self._rate = Bucket(_PER_SECOND, _BURST)
        self._sockets: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, address: str, port: int) -> int:
        """Listen, and return the port. Raises OSError."""
        self._loop = asyncio.get_running_loop()
        try:
            for family, place in await self._addresses(address, port):
                self._sockets.append(_listening(family, place))
        except OSError:
            self.close()
            raise
        for listening in self._sockets:
            self._loop.add_reader(listening, self._accept, listening)
        self._keep(self._end_late())
        return int(self._sockets[0].getsockname()[1])

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for listening in self._sockets:
            with contextlib.suppress(ValueError, AttributeError):
                self._loop.remove_reader(listening)
            listening.close()
        self._sockets = []

    def asked(self, transport: asyncio.BaseTransport | None) -> None:
        """All of a request's head is there."""
        for each in self._places.there:
            if each.transport is transport and transport is not None:
                each.asked = True

    async def _addresses(self, address: str, port: int) -> list[tuple[int, tuple[str, int]]]:
        found = await self._loop.getaddrinfo(address or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        return list(dict.fromkeys((family, place) for family, _, _, _, place in found))  # type: ignore[misc]

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            now = time.monotonic()
            if wait := self._rate.take(now):
                self._pause(listening, wait)
                return
            try:
                wire, peer = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._trouble(f"accept: {error.strerror or error}")
                self._pause(listening, _NO_FILES_SECONDS)
                return
            self._let_in(wire, str(peer[0]), now)

    def _pause(self, listening: socket.socket, seconds: float) -> None:
        self._loop.remove_reader(listening)
        self._loop.call_later(seconds, self._resume, listening)

    def _resume(self, listening: socket.socket) -> None:
        if listening in self._sockets:
            self._loop.add_reader(listening, self._accept, listening)

    def _let_in(self, wire: socket.socket, address: str, now: float) -> None:
        wire.setblocking(False)
        connection = Connection(wire, group(address), now)
        for other in self._places.enter(connection, address):
            other.cut()
            self._cut("too many", other.group)
        self._keep(self._serve(connection))

    async def _serve(self, connection: Connection) -> None:
        try:
            transport, _ = await self._loop.connect_accepted_socket(self._protocol, connection.wire)
        except OSError:
            connection.over = True
            connection.wire.close()
            return
        connection.transport = transport
        if connection.over:
            connection.cut()

    async def _end_late(self) -> None:
        while True:
            await asyncio.sleep(_EACH)
            for each in self._places.late(time.monotonic()):
                each.cut()
                self._cut("too slow", each.group)

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _listening(family: int, place: tuple[str, int]) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(place)
        made.listen(_BACKLOG)
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made
