"""`reconciler run`: the fleet of each repository, the one door all of them listen at, until it is told to stop."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from typing import Any

from .. import interrupt
from ..control.board import Board, document
from ..control.workers import Workers
from ..errors import Invalid, Permanent
from . import memory
from .access import Access
from .connections import Limits
from .files import raised
from .http import Door, Hook, Server
from .logs import Library, Log, LogProgress
from .member import Member, Served
from .metrics import CONTENT_TYPE, Metrics
from .quiet import Quiet
from .secret import Secret

_MISSED = 3  # polls in a row that may fail before we call ourselves not ready
_SHARE = 4  # of our files so many parts are others': connections of strangers have one
_BY_PUSHERS = frozenset({"ignored"})  # whoever pushes any branch brings these about
_TURN_SECONDS = 0.5  # the main thread hears of a signal when it wakes


@dataclass(frozen=True)
class Listening:
    """Where to listen, None for nowhere; `must`: somebody said so, and it is an error when that can't be. `token` is
    what a reader shows, where `access` asks for one."""

    access: Access
    port: int | None
    must: bool
    token: Secret
    limits: Limits
    max_bytes: int
    per_minute: float


@dataclass
class Daemon:
    """Everything that runs: the repositories `served`, and so many `workers` for all of them. `run` returns when
    SIGTERM or SIGINT came: what runs is ended politely, and recorded."""

    served: Sequence[Served]
    workers: int
    listening: Listening
    log: Log = field(default_factory=Log)

    def run(self) -> None:
        """Raises Invalid or Permanent when it can't begin at all."""
        memory.thrifty()
        files = raised()
        self.listening.token.read()
        quiet = Quiet(self.log)
        library = Library(quiet.event)
        logging.getLogger().addHandler(library)
        members = self._members(quiet, Workers(self.workers))
        boards = [member.board for member in members]
        self._metrics = Metrics(boards, lambda: sum(member.streams() for member in members))
        interrupt.listen(signal.SIGTERM, signal.SIGINT, also=partial(_each, members, Member.stop))
        server = self._server(members, boards, quiet, files)
        try:
            _together(members)
        finally:
            if server:
                server.stop()
            logging.getLogger().removeHandler(library)
            quiet.close()
            self.log.event("stopped")
        for member in members:
            if member.error is not None:
                raise member.error

    def _members(self, quiet: Quiet, workers: Workers) -> list[Member]:
        trim = memory.Trim()

        def told(repository: str, event: str, **fields: object) -> None:
            about = {"repository": repository, **fields}
            if event in _BY_PUSHERS:
                quiet.event(event, f"{event} {repository}".strip(), **about)
            else:
                self.log.event(event, **about)
            self._metrics.event(event, **about)
            if event == "cycle":
                trim.soon()

        def progress(repository: str, cluster: str) -> LogProgress:
            return LogProgress(self.log, {"repository": repository, "cluster": cluster})

        return [Member(s, workers, partial(told, s.name), partial(progress, s.name)) for s in self.served]

    def _server(self, members: Sequence[Member], boards: Sequence[Board], quiet: Quiet, files: int) -> Server | None:
        at, metrics = self.listening, self._metrics
        if at.port is None:
            return None
        door = Door(
            hooks=[_hook(member, quiet) for member in members],
            missed=partial(_each, members, Member.missed),
            status=lambda: document(boards),
            metrics=metrics.page,
            metrics_type=CONTENT_TYPE,
            ready=lambda: _not_ready(boards),
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


def _each(members: Sequence[Member], call: Callable[[Member], None]) -> None:
    for member in members:
        call(member)


def _together(members: Sequence[Member]) -> None:
    """Each on a thread of its own, until all have ended. The main thread waits in short turns, or it would not hear of
    a second signal."""
    threads = [threading.Thread(target=m.run, name=f"fleet {m.served.name}".strip()) for m in members]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(_TURN_SECONDS)


def _hook(member: Member, quiet: Quiet) -> Hook:
    def secret() -> bytes | None:
        return _now(member.secret, quiet, member.served.name) if member.secret else None

    return Hook(secret, member.pushed, lambda: member.forges_name)


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


def _now(secret: Secret, quiet: Quiet, repository: str = "") -> bytes | None:
    try:
        return secret.read()
    except Invalid as error:  # while it is being changed
        quiet.event("no-secret", f"{secret.setting} {repository}".strip(), repository=repository, error=error.message)
        return None


def _not_ready(boards: Sequence[Board]) -> str:
    """Why no repository can be followed; one that can is enough, for its clusters need us."""
    reasons = [_trouble(board) for board in boards]
    return reasons[0] if all(reasons) else ""


def _trouble(board: Board) -> str:
    failures, reason = board.trouble
    if not board.usable or failures >= _MISSED:
        return f"git: {reason}"
    return "" if board.entries() else "no cluster yet"
