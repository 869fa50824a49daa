"""One HTTP/2 connection with any number of requests open on it: a hundred watches of one API cost one TLS connection.

The protocol is h2's; here it meets asyncio. Python's TLS over asyncio keeps a buffer of 256 KiB for each connection,
which would be most of what 200 idle clusters cost: this one keeps 32.
"""

from __future__ import annotations

import asyncio
import ssl
from asyncio import sslproto
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import h2.config
import h2.connection
import h2.events
import h2.exceptions

_TLS_BUFFER = 32 * 1024
_LINE_BYTES = 4 * 1024 * 1024  # one event of a watch: an object's metadata
_PROTOCOL = "h2"
_PING = b"alive?  "


class Broken(OSError):
    """The connection, or one request on it, ended before its time."""


@dataclass
class Answer:
    """One response, while it comes in. `body` ends with the response, or raises Broken."""

    stream: int
    status: asyncio.Future[int]
    body: asyncio.StreamReader = field(default_factory=lambda: asyncio.StreamReader(limit=_LINE_BYTES))
    over: bool = False

    def fail(self, why: str) -> None:
        """It will not be whole."""
        if self.over:
            return
        self.over = True
        self.body.set_exception(Broken(why))
        if not self.status.done():
            self.status.set_exception(Broken(why))
            self.status.exception()  # whoever waited may be gone


class Http2(asyncio.Protocol):
    """A connection to one server. All of it on one event loop."""

    def __init__(self, authority: str) -> None:
        self._authority = authority
        self._h2: Any = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self._answers: dict[int, Answer] = {}
        self._transport: asyncio.Transport | None = None
        self._pong: asyncio.Future[None] | None = None
        self.lost = ""

    def get(self, path: str, headers: Iterable[tuple[str, str]]) -> Answer:
        """Begin a request. Raises Broken when the connection is over, or the server takes no more requests on it."""
        if self.lost or self._transport is None:
            raise Broken(self.lost or "not connected")
        first = [(":method", "GET"), (":scheme", "https"), (":authority", self._authority), (":path", path)]
        try:
            stream = self._h2.get_next_available_stream_id()
            self._h2.send_headers(stream, [*first, *headers], end_stream=True)
        except h2.exceptions.ProtocolError as error:
            raise Broken(str(error) or type(error).__name__) from None
        answer = self._answers[stream] = Answer(stream, asyncio.get_running_loop().create_future())
        self._flush()
        return answer

    def drop(self, answer: Answer) -> None:
        """Nobody reads it any more."""
        self._answers.pop(answer.stream, None)
        if answer.over or self.lost:
            return
        answer.over = True
        try:
            self._h2.reset_stream(answer.stream)
        except h2.exceptions.ProtocolError:
            return
        self._flush()

    async def alive(self, seconds: float) -> bool:
        """Does the other end still answer, whatever it does with our requests? Who asks meanwhile asks with us."""
        if self.lost:
            return False
        if self._pong is None or self._pong.done():
            self._pong = asyncio.get_running_loop().create_future()
            self._h2.ping(_PING)
            self._flush()
        await asyncio.wait([self._pong], timeout=seconds)
        return self._pong.done() and not self.lost

    def abort(self, why: str) -> None:
        """The connection is of no use: nothing more is sent, not even a goodbye."""
        self._fail(why)
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """End the connection and all that is open on it."""
        if self._transport is not None:
            self._transport.close()
        self._fail("closed")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio.Protocol."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
        self._h2.initiate_connection()
        self._flush()

    def data_received(self, data: bytes) -> None:
        """asyncio.Protocol."""
        try:
            for event in self._h2.receive_data(data):
                self._took(event)
        except h2.exceptions.ProtocolError as error:
            self.abort(f"not HTTP/2: {error}")
            return
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio.Protocol."""
        self._fail(str(exc) if exc else "the server closed the connection")

    def _took(self, event: Any) -> None:
        if isinstance(event, h2.events.ConnectionTerminated):
            self._fail("the server is going away")
            return
        if isinstance(event, h2.events.PingAckReceived) and self._pong is not None and not self._pong.done():
            self._pong.set_result(None)
        answer = self._answers.get(getattr(event, "stream_id", None) or 0)
        if isinstance(event, h2.events.DataReceived) and event.flow_controlled_length:
            # what was read is read: the server may always send on
            self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        if answer is None:
            return
        if isinstance(event, h2.events.ResponseReceived):
            said: dict[Any, Any] = dict(event.headers)
            if not answer.status.done():
                answer.status.set_result(int(str(said.get(":status", 0))))
        elif isinstance(event, h2.events.DataReceived):
            answer.body.feed_data(event.data)
        elif isinstance(event, h2.events.StreamEnded):
            answer.over = True
            answer.body.feed_eof()
            self._answers.pop(answer.stream, None)
        elif isinstance(event, h2.events.StreamReset):
            self._answers.pop(answer.stream, None)
            answer.fail("the server ended the request")

    def _flush(self) -> None:
        if self._transport is not None and (data := self._h2.data_to_send()):
            self._transport.write(data)

    def _fail(self, why: str) -> None:
        self.lost = self.lost or why
        if self._pong is not None and not self._pong.done():
            self._pong.set_result(None)  # nobody waits longer
        for answer in tuple(self._answers.values()):
            answer.fail(why)
        self._answers.clear()


async def connect(host: str, context: ssl.SSLContext, seconds: float) -> Http2:
    """Connect to `host` (https://name:port). `seconds` is for the connection and for TLS. Raises OSError (Broken when
    the server speaks no HTTP/2), TimeoutError."""
    sslproto.SSLProtocol.max_size = _TLS_BUFFER
    url = urlsplit(host)
    context.set_alpn_protocols([_PROTOCOL])
    loop = asyncio.get_running_loop()
    begun = loop.create_connection(lambda: Http2(url.netloc), url.hostname or "", url.port or 443, ssl=context)
    transport, protocol = await asyncio.wait_for(begun, seconds)
    spoken = transport.get_extra_info("ssl_object").selected_alpn_protocol()
    if spoken != _PROTOCOL:
        protocol.close()
        raise Broken(f"{host} speaks no HTTP/2")
    return protocol
