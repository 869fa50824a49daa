"""`reconciler run`: the fleet, the door it listens at, and what wakes it, until it is told to stop."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Protocol

from .. import interrupt
from ..control.board import Board
from ..control.fleet import Fleet
from ..control.ways import Terms, Ways
from ..errors import Invalid, Permanent
from ..ports import Watcher
from . import memory
from .access import Access
from .connections import Limits
from .files import raised
from .http import Door, Server
from .logs import Library, Log, LogProgress
from .metrics import CONTENT_TYPE, Metrics
from .quiet import Quiet
from .secret import Secret

_MISSED = 3  # polls in a row that may fail before we call ourselves not ready
_SHARE = 4  # of our files so many parts are others': connections of strangers have one
_BY_PUSHERS = frozenset({"ignored"})  # whoever pushes any branch brings these about


class Wakes(Protocol):
    """Something that calls us from a thread of its own."""

    def start(self) -> bool: ...

    def stop(self) -> None: ...


@dataclass(frozen=True)
class Parts:
    """What the daemon is made of: `ways` is given the watcher and how progress is shown; `watcher` and `refs` are given
    what to call."""

    ways: Callable[[Watcher, Callable[[str], LogProgress]], Ways]
    watcher: Callable[[Callable[[str, str], None]], Watcher]
    refs: Callable[[Callable[[], None]], Wakes]


@dataclass(frozen=True)
class Listening:
    """Where to listen, None for nowhere; `must`: somebody said so, and it is an error when that can't be. `secret` is
    what deliveries are signed with, `token` what a reader shows, where `access` asks for one."""

    access: Access
    port: int | None
    must: bool
    secret: Secret
    token: Secret
    limits: Limits
    max_bytes: int
    per_minute: float


@dataclass
class Daemon:
    """Everything that runs. `run` returns when SIGTERM or SIGINT came: what runs is ended politely, and recorded."""

    parts: Parts
    terms: Terms
    listening: Listening
    log: Log = field(default_factory=Log)

    def run(self) -> None:
        """Raises Invalid or Permanent when it can't begin at all."""
        memory.thrifty()
        files = raised()
        self.listening.secret.read()
        self.listening.token.read()
        board, quiet = Board(), Quiet(self.log)
        library = Library(quiet.event)
        logging.getLogger().addHandler(library)

        def seen(cluster: str, what: str) -> None:
            fleet.seen(cluster, what)

        watcher = self.parts.watcher(seen)
        metrics = Metrics(board, watcher.streams)

        def told(event: str, **fields: object) -> None:
            (quiet if event in _BY_PUSHERS else self.log).event(event, **fields)
            metrics.event(event, **fields)
            if event == "cycle":
                trim.soon()

        trim = memory.Trim()
        ways = self.parts.ways(watcher, lambda cluster: LogProgress(self.log, {"cluster": cluster}))
        fleet = Fleet(ways, self.terms, told, board=board)
        interrupt.listen(signal.SIGTERM, signal.SIGINT, also=fleet.stop)
        server = self._server(fleet, board, metrics, quiet, files)
        refs = self.parts.refs(fleet.moved)
        if not refs.start():
            self.log.event("no-file-watches", hint="raise fs.inotify.max_user_watches; polling notices the same later")
        try:
            fleet.run()
        finally:
            refs.stop()
            if server:
                server.stop()
            watcher.close()
            logging.getLogger().removeHandler(library)
            quiet.close()
            self.log.event("stopped")

    def _server(self, fleet: Fleet, board: Board, metrics: Metrics, quiet: Quiet, files: int) -> Server | None:
        at = self.listening
        if at.port is None:
            return None
        door = Door(
            secret=lambda: _now(at.secret, quiet),
            pushed=fleet.pushed,
            missed=fleet.missed,
            status=board.document,
            metrics=metrics.page,
            metrics_type=CONTENT_TYPE,
            ready=lambda: _not_ready(board),
            max_bytes=at.max_bytes,
            per_minute=at.per_minute,
            access=at.access,
            token=lambda: _now(at.token, quiet),
            limits=replace(at.limits, total=max(1, min(at.limits.total, files // _SHARE))),
            **_strangers(metrics, quiet),
        )
        server = Server(door, at.access.address, at.port)
        try:
            port = server.start()
        except Permanent as error:
            if at.must:
                raise
            self.log.event("not-listening", error=error.message, hint=error.hint)
            return None
        where, most = at.access.address, door.limits.total
        self.log.event("listening", address=where, port=port, connections=most, hint=at.access.warning)
        return server


def _strangers(metrics: Metrics, quiet: Quiet) -> dict[str, Any]:
    """What anybody can bring about is counted, and written down in so many lines a minute."""

    def answered(status: int, delivery: str) -> None:
        metrics.answered(status)
        if status < HTTPStatus.BAD_REQUEST:  # signed, and so many a minute
            quiet.log.event("webhook", status=status, delivery=delivery[:64])
        elif status != HTTPStatus.TOO_MANY_REQUESTS:
            quiet.event("webhook", "webhook refused", status=status, delivery=delivery[:64])

    def refused(status: int, peer: str) -> None:
        metrics.refused(status)
        quiet.event("refused", status=status, peer=peer)

    def cut(reason: str, peer: str) -> None:
        metrics.cut()
        quiet.event("cut", reason=reason, peer=peer)

    return {
        "answered": answered,
        "refused": refused,
        "cut": cut,
        "trouble": lambda text: quiet.event("http", error=text),
    }


def _now(secret: Secret, quiet: Quiet) -> bytes | None:
    try:
        return secret.read()
    except Invalid as error:  # while it is being changed
        quiet.event("no-secret", secret.setting, error=error.message)
        return None


def _not_ready(board: Board) -> str:
    document = board.document()
    if document["git"]["failures"] >= _MISSED:
        return f"git: {document['git']['reason']}"
    return "" if document["clusters"] else "no cluster yet"
