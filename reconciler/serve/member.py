"""One repository of a daemon, on a thread of its own: what it is made of is made here, and nobody else's is at hand.

Where it can't be begun with (no clone, broken settings), that is said, and tried again: the others go on.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Protocol

from .. import interrupt
from ..control.board import Board
from ..control.fleet import Fleet
from ..control.ways import Terms, Told, Ways
from ..control.workers import Workers
from ..engine.backoff import delay
from ..errors import Invalid, ReconcilerError, as_failure
from ..ports import Watcher
from .logs import LogProgress
from .secret import Secret
from .webhook import name_of

_LONGEST_PAUSE = 60.0  # somebody is mending it


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
class Begun:
    """A repository that can be reconciled. `secret` is what its forge signs with, `remote` the address of its remote
    ("": it has none)."""

    parts: Parts
    terms: Terms
    secret: Secret
    remote: str


@dataclass(frozen=True)
class Served:
    """A repository that a daemon has: its name ("": the only one, which needs none), and what begins with it. Raises
    ReconcilerError where that can't be done."""

    name: str
    begin: Callable[[], Begun]


@dataclass
class Member:
    """`told` hears of every event, `progress` shows that of one cluster. `error` is why the only repository could not
    be begun with."""

    served: Served
    workers: Workers
    told: Told
    progress: Callable[[str], LogProgress]
    board: Board = field(init=False)
    error: ReconcilerError | None = None
    _begun: Begun | None = None
    _fleet: Fleet | None = None
    _watcher: Watcher | None = None
    _failures: int = 0

    def __post_init__(self) -> None:
        self.board = Board(self.served.name)

    def run(self) -> None:
        """Reconcile until somebody asks us to stop; the only repository that can't be begun with ends at once."""
        while not interrupt.requested():
            try:
                self._serve(self.served.begin())
                return
            except Exception as error:
                failed = as_failure(error)
            if not self.served.name:
                self.error = failed
                return
            self._tell(failed)

    def stop(self) -> None:
        """From a signal's handler: what runs is ended politely."""
        if self._fleet is not None:
            self._fleet.stop()

    def pushed(self, ref: str, commit: str) -> None:
        """Its forge says that somebody pushed. Before it is begun with, that is fetched anyway."""
        if fleet := self._fleet:  # once: another thread may end it
            fleet.pushed(ref, commit)

    def missed(self) -> None:
        """A push may have been refused unread."""
        if fleet := self._fleet:
            fleet.missed()

    @property
    def secret(self) -> Secret | None:
        """What its forge signs with; None while that is not known."""
        return self._begun.secret if self._begun else None

    @property
    def forges_name(self) -> str:
        """What its forge calls it; "" where its remote does not say."""
        return name_of(self._begun.remote) if self._begun else ""

    def streams(self) -> int:
        """Its open watches."""
        return self._watcher.streams() if self._watcher is not None else 0

    def _serve(self, begun: Begun) -> None:
        begun.secret.read()
        self._begun = begun

        def seen(cluster: str, what: str) -> None:
            fleet.seen(cluster, what)

        with ExitStack() as ends:  # whatever of it can't be begun with: it is tried again each minute
            self._watcher = watcher = begun.parts.watcher(seen)
            ends.callback(watcher.close)
            ways = begun.parts.ways(watcher, self.progress)
            share = self.workers.share(self.served.name)
            ends.callback(self.workers.leave, self.served.name)
            fleet = Fleet(ways, begun.terms, self._heard, share, board=self.board)
            refs = begun.parts.refs(fleet.moved)
            if not refs.start():
                self.told("no-file-watches", hint="raise fs.inotify.max_user_watches; polling notices the same later")
            ends.callback(refs.stop)
            self._fleet = fleet
            ends.callback(setattr, self, "_fleet", None)
            fleet.run()

    def _heard(self, event: str, **fields: object) -> None:
        if event == "commit" and not self.board.usable:  # it knows its clusters
            self._failures = 0
            self.board.unusable(0, "")
        self.told(event, **fields)

    def _tell(self, failed: ReconcilerError) -> None:
        self._failures += 1
        self.board.unusable(self._failures, failed.message)
        pause = delay(self._failures, random.random(), cap=_LONGEST_PAUSE)  # noqa: S311 - jitter, no secret
        problems = "; ".join(str(p) for p in failed.problems) if isinstance(failed, Invalid) else ""
        self.told(
            "repository", outcome="unusable", error=failed.message, hint=failed.hint, problems=problems,
            retry_in=round(pause, 1),
        )  # fmt: skip
        interrupt.wait(pause)
