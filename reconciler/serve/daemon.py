"""`reconciler run`: the fleet, the door it listens at, and what wakes it, until it is told to stop."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Protocol

from .. import interrupt
from ..control.board import Board
from ..control.fleet import Fleet
from ..control.ways import Terms, Ways
from ..errors import Invalid, Permanent
from ..ports import Watcher
from . import memory
from .http import Door, Server
from .logs import Log, LogProgress
from .metrics import CONTENT_TYPE, Metrics

_MISSED = 3  # polls in a row that may fail before we call ourselves not ready


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
    """Where to listen, None for nowhere; `must`: somebody said so, and it is an error when that can't be."""

    address: str = "127.0.0.1"
    port: int | None = 8484
    must: bool = False
    secret_file: Path | None = None
    secret_variable: str | None = None
    max_bytes: int = 1024 * 1024
    per_minute: float = 120.0

    def secret(self) -> bytes | None:
        """What deliveries are signed with, as it is now; None where there is none. Raises Invalid when the settings
        name one that is not there."""
        if self.secret_file is not None:
            try:
                return _stripped(self.secret_file.read_bytes(), str(self.secret_file))
            except OSError as error:
                hint = "the settings' webhook.secretFile names it"
                raise Invalid(
                    f"cannot read the webhook's secret {self.secret_file}: {error.strerror}", hint=hint
                ) from None
        if self.secret_variable:
            text = os.environb.get(self.secret_variable.encode(), b"")
            return _stripped(text, self.secret_variable)
        return None


def _stripped(secret: bytes, where: str) -> bytes:
    text = secret.strip()
    if not text:
        raise Invalid(f"the webhook's secret in {where} is empty", hint="put there what the forge signs with")
    return text


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
        self.listening.secret()
        board = Board()

        def seen(cluster: str, what: str) -> None:
            fleet.seen(cluster, what)

        watcher = self.parts.watcher(seen)
        metrics = Metrics(board, watcher.streams)

        def told(event: str, **fields: object) -> None:
            self.log.event(event, **fields)
            metrics.event(event, **fields)
            if event == "cycle":
                trim.soon()

        trim = memory.Trim()
        ways = self.parts.ways(watcher, lambda cluster: LogProgress(self.log, {"cluster": cluster}))
        fleet = Fleet(ways, self.terms, told, board=board)
        interrupt.listen(signal.SIGTERM, signal.SIGINT, also=fleet.stop)
        server = self._server(fleet, board, metrics)
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
            self.log.event("stopped")

    def _server(self, fleet: Fleet, board: Board, metrics: Metrics) -> Server | None:
        if self.listening.port is None:
            return None

        def answered(status: int, delivery: str) -> None:
            metrics.answered(status)
            if status == HTTPStatus.TOO_MANY_REQUESTS:
                return  # a flood must not become one of lines
            self.log.event("webhook", status=status, delivery=delivery[:64])

        door = Door(
            secret=self._secret,
            pushed=fleet.pushed,
            missed=fleet.missed,
            status=board.document,
            metrics=metrics.page,
            metrics_type=CONTENT_TYPE,
            ready=lambda: _not_ready(board),
            answered=answered,
            max_bytes=self.listening.max_bytes,
            per_minute=self.listening.per_minute,
        )
        server = Server(door, self.listening.address, self.listening.port)
        try:
            port = server.start()
        except Permanent as error:
            if self.listening.must:
                raise
            self.log.event("not-listening", error=error.message, hint=error.hint)
            return None
        self.log.event("listening", address=self.listening.address, port=port)
        return server

    def _secret(self) -> bytes | None:
        try:
            return self.listening.secret()
        except Invalid as error:  # while it is being changed
            self.log.event("no-secret", error=error.message)
            return None


def _not_ready(board: Board) -> str:
    document = board.document()
    if document["git"]["failures"] >= _MISSED:
        return f"git: {document['git']['reason']}"
    return "" if document["clusters"] else "no cluster yet"
