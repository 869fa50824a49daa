"""The daemon's door: webhooks in, status and metrics out. TLS is a reverse proxy's.

A connection is for one request and has a deadline for all of it (`connections`), bodies have a limit, and few large
ones are read at once: who sends slowly, much or without end takes little from the others. What is refused unread for
what others sent may be a push, so a fetch is asked for instead. Who may read is said in `access`; a webhook shows its
signature instead, and health is one word for everybody.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from aiohttp import web

from ..errors import Permanent, mistake
from .access import Access, Asked
from .connections import Limits, Listener, Places
from .flood import Bucket
from .webhook import Kind, Malformed, concerns, delivery, genuine

_BODY_SECONDS = 10.0
_LINE_BYTES, _HEADERS = 8190, 64  # of a request's head, each line of it
_SMALL_BYTES = 64 * 1024
_LARGE_AT_ONCE = 8
_MISSED_SECONDS = 10.0  # strangers can bring it about: one fetch for all that was refused within so long
_BAD_PER_MINUTE, _BAD_BURST = 60.0, 30.0
_JSON = "application/json"
_STARTING_SECONDS = 15.0

# aiohttp writes a traceback for each request that is no HTTP, and anybody can send those
_SILENT = logging.Logger("door", logging.CRITICAL + 1)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Hook:
    """One repository's webhook. `secret` is asked for at each delivery (None: there is none), so that a changed one
    holds at once; `pushed` gets the ref and the commit of what was signed with it; `name` is what the forge calls the
    repository ("": that is not known)."""

    secret: Callable[[], bytes | None]
    pushed: Callable[[str, str], None]
    name: Callable[[], str] = lambda: ""


@dataclass(frozen=True, slots=True)
class Door:
    """What the server tells and asks. A delivery is told to those of the `hooks` whose secret it was signed with, and
    whose repository it is about. The `token` of who reads is asked for each time; `missed` is told that a push may have
    been refused unread; `ready` says why we are not ready ("": we are); `refused` gets the status and the
    peer of who may not read, `cut` a reason and the peer of a connection that was ended, `trouble` an error that is
    nobody's request."""

    hooks: Sequence[Hook]
    missed: Callable[[], None]
    status: Callable[[], dict[str, Any]]
    metrics: Callable[[], bytes]
    metrics_type: str
    ready: Callable[[], str]
    answered: Callable[[int, str], None]
    max_bytes: int = 1024 * 1024
    per_minute: float = 120.0
    access: Access = field(default_factory=Access)
    token: Callable[[], bytes | None] = lambda: None
    limits: Limits = field(default_factory=Limits)
    refused: Callable[[int, str], None] = lambda _status, _peer: None
    cut: Callable[[str, str], None] = lambda _reason, _peer: None
    trouble: Callable[[str], None] = lambda _text: None


class Server:
    """An HTTP server on a thread of its own."""

    def __init__(self, door: Door, address: str, port: int) -> None:
        self._door = door
        self._where = (address, port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="http", daemon=True)
        self._good = [Bucket(door.per_minute / 60, max(10.0, door.per_minute / 4)) for _ in door.hooks]
        self._bad = Bucket(_BAD_PER_MINUTE / 60, _BAD_BURST)
        self._large = 0
        self._asking = False
        self._listener: Listener | None = None
        self._runner: web.AppRunner | None = None

    def start(self) -> int:
        """Listen, and return the port. Raises Permanent when the address is taken or not ours."""
        self._thread.start()
        begun = asyncio.run_coroutine_threadsafe(self._start(), self._loop)
        try:
            return begun.result(timeout=_STARTING_SECONDS)
        except OSError as error:
            self._end_loop()
            raise Permanent(
                f"cannot listen on {self._where[0]}:{self._where[1]}: {error.strerror or error}",
                hint="name another `http.port` in the settings, or `port: null` for none",
            ) from None

    def stop(self) -> None:
        """Answer nobody any more."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(timeout=10)
            self._end_loop()

    async def _close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)

    async def _start(self) -> int:
        self._loop.set_exception_handler(self._mistake)
        app = web.Application(
            middlewares=[self._one_each, _plain_errors, self._read], client_max_size=self._door.max_bytes
        )
        app.router.add_post("/webhook", self._webhook)
        app.router.add_get("/healthz", self._health)
        app.router.add_get("/readyz", self._ready)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/status", self._status)
        # signed is what was sent, and no forge compresses it
        self._runner = web.AppRunner(
            app, access_log=None, logger=_SILENT, shutdown_timeout=2, auto_decompress=False, lingering_time=2.0,
            max_line_size=_LINE_BYTES, max_field_size=_LINE_BYTES, max_headers=_HEADERS,
        )  # fmt: skip
        await self._runner.setup()
        proxy = self._door.access.proxy
        places = Places(self._door.limits, proxy.speaks if proxy else lambda _: False)
        protocol: Any = self._runner.server
        self._listener = Listener(protocol, places, cut=self._door.cut, trouble=self._door.trouble)
        return await self._listener.start(*self._where)

    def _mistake(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What asyncio would write a traceback for."""
        error = context.get("exception")
        self._door.trouble(f"{context.get('message', '')}: {mistake(error) if error else ''}".strip(": "))

    @web.middleware
    async def _one_each(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A connection is for one request."""
        if self._listener is not None:
            self._listener.asked(request.transport)
        answer = await handler(request)
        answer.force_close()
        return answer

    @web.middleware
    async def _read(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Whatever is not for all is for those who may read."""
        if request.match_info.handler in (self._webhook, self._health, self._ready):
            return await handler(request)
        asked = _asked(request)
        refusal = self._door.access.refusal(asked, self._door.token())
        if refusal is None:
            return await handler(request)
        answer = self._refused(refusal.status, refusal.why)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            answer.headers["WWW-Authenticate"] = "Bearer"
        self._door.refused(answer.status, asked.peer)
        return answer

    async def _webhook(self, request: web.Request) -> web.StreamResponse:
        try:
            answer = await self._delivered(request)
        except web.HTTPException as refused:
            answer = _said(refused.status, refused.reason)
        self._door.answered(answer.status, request.headers.get("X-GitHub-Delivery", ""))
        return answer

    async def _delivered(self, request: web.Request) -> web.Response:
        secrets = [hook.secret() or b"" for hook in self._door.hooks]
        if not any(secrets):
            return self._refused(404, "no webhook secret is set up")
        if request.content_type != _JSON:
            return self._refused(415, "send application/json")
        body = await self._body(request)
        if isinstance(body, web.Response):
            return body
        headers = {name.lower(): value for name, value in request.headers.items()}
        # all of them are tried, whichever signed it: how long that takes says nothing of whose it is
        signed = [genuine(headers, body, secret) for secret in secrets]
        if any(signed):
            return self._accepted(headers, body, [index for index, good in enumerate(signed) if good])
        return self._refused(401, "the signature is wrong or missing")

    def _refused(self, status: int, why: str) -> web.Response:
        """A no to somebody whom we have no reason to believe: all of them have one bucket."""
        wait = self._bad.take(time.monotonic())
        return _busy(wait) if wait else _said(status, why)

    def _unread(self) -> None:
        """What was refused may have been a push."""
        if not self._asking:
            self._asking = True
            self._loop.call_later(_MISSED_SECONDS, self._ask)

    def _ask(self) -> None:
        self._asking = False
        self._door.missed()

    def _accepted(self, headers: Mapping[str, str], body: bytes, signers: Sequence[int]) -> web.Response:
        try:
            sent = delivery(headers, body)
        except Malformed as error:
            return _said(400, str(error))
        if sent.kind is Kind.PING:
            return _said(200, "pong")
        if sent.kind is Kind.OTHER:
            return _said(202, "not a push: nothing to do")
        hooks = [(self._door.hooks[index], self._good[index]) for index in signers]
        meant = [(hook, bucket) for hook, bucket in hooks if concerns(sent.names, hook.name())]
        # told even when it is one too many: whoever pushes in a flood must not miss the last one
        for hook, _ in meant:
            hook.pushed(sent.ref, sent.commit)
        wait = max((bucket.take(time.monotonic()) for _, bucket in meant or hooks), default=0.0)
        if wait:
            return _busy(wait)
        return _said(202, "accepted" if meant else "not a repository that is followed here: nothing to do")

    async def _body(self, request: web.Request) -> bytes | web.Response:
        """All of it, or why not. What says its length is refused before it is read, what does not while it is."""
        length = request.content_length
        if length is not None and length > self._door.max_bytes:
            return self._refused(413, f"at most {self._door.max_bytes} bytes")
        large = length is None or length > _SMALL_BYTES
        if large and self._large >= _LARGE_AT_ONCE:
            self._unread()
            return _busy(1.0)
        self._large += large
        try:
            return await asyncio.wait_for(request.read(), _BODY_SECONDS)
        except TimeoutError:
            self._unread()
            return self._refused(408, "too slow")
        except web.HTTPRequestEntityTooLarge:
            return self._refused(413, f"at most {self._door.max_bytes} bytes")
        except ConnectionError:  # it was cut, maybe to make room for another
            self._unread()
            raise
        finally:
            self._large -= large

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _ready(self, _: web.Request) -> web.Response:
        """A word: why it is not, is for who may read the status."""
        why = self._door.ready()
        return web.Response(text="unready\n" if why else "ok\n", status=503 if why else 200)

    async def _metrics(self, _: web.Request) -> web.Response:
        page = await self._loop.run_in_executor(None, self._door.metrics)
        return web.Response(body=page, headers={"Content-Type": self._door.metrics_type})

    async def _status(self, _: web.Request) -> web.Response:
        return web.Response(text=json.dumps(self._door.status(), indent=2) + "\n", content_type=_JSON)


@web.middleware
async def _plain_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whatever happens, one line and no traceback."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        answer = _said(error.status, error.reason)
        if "Allow" in error.headers:
            answer.headers["Allow"] = error.headers["Allow"]
        return answer
    except (ConnectionError, asyncio.CancelledError):
        raise
    except Exception:
        return _said(500, "internal error")


def _asked(request: web.Request) -> Asked:
    transport = request.transport
    ends = (transport.get_extra_info(name) if transport else None for name in ("peername", "sockname"))
    peer, here = (str(end[0]) if end else "" for end in ends)
    headers: dict[str, list[str]] = {}
    for name, value in request.headers.items():
        headers.setdefault(name.lower(), []).append(value)
    return Asked(peer, here, headers)


def _said(status: int, text: str) -> web.Response:
    return web.json_response({"message": text or HTTPStatus(status).phrase}, status=status)


def _busy(wait: float) -> web.Response:
    answer = _said(429, "too many: try again later")
    answer.headers["Retry-After"] = str(max(1, math.ceil(wait)))
    return answer
