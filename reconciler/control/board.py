"""What a status page shows of every cluster: written by the thread that decides, read by any. Each repository has a
board of its own, and none can write on another's."""

from __future__ import annotations

import datetime
import os
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from ..clock import utc_now
from ..engine.backups import newest_told
from ..engine.schedule import Slot, Trigger
from ..model.outcome import Outcome
from ..report.view import Guarded, guarded
from .cycle import Moment


class State(StrEnum):
    IDLE = "idle"
    WAITING = "waiting"  # for a worker
    RUNNING = "running"
    APPLYING = "applying"
    BACKING_OFF = "backing off"


@dataclass(frozen=True, slots=True)
class Last:
    """How the last cycle went. `seconds` is wall time, `ended` UTC; `held` is what guards refused, each with the line
    that approves it; `backup` is when the newest snapshot of etcd was taken (UTC), None where none is known of."""

    outcome: str
    trigger: str
    commit: str
    seconds: float
    ended: datetime.datetime
    differences: int
    error: str
    held: tuple[Guarded, ...] = ()
    backup: datetime.datetime | None = None


def last_of(outcome: Outcome | None, trigger: Trigger, commit: str, seconds: float, failed: str) -> Last:
    """How a cycle that just ended went; `failed` says why there is no outcome."""
    return Last(
        outcome=outcome.status.value if outcome else "failed",
        trigger=trigger.value,
        commit=outcome.commit if outcome else commit,
        seconds=seconds,
        ended=utc_now(),
        differences=len(outcome.after.open) if outcome else 0,
        error=failed,
        held=tuple(guarded(refusal) for refusal in outcome.after.refusals) if outcome else (),
        backup=newest_told(outcome.after) if outcome else None,
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """One cluster of one repository ("": the only one). `next` is when its next cycle begins if nothing comes before
    (UTC), `why` its reason; `reason` is why it backs off, `holder` who has its lease, as far as we know; `step` is what
    is being applied, and `progress` how far that is."""

    cluster: str
    state: State = State.IDLE
    last: Last | None = None
    next: datetime.datetime | None = None
    why: str = ""
    failures: int = 0
    reason: str = ""
    holder: str = ""
    step: str = ""
    progress: str = ""
    repository: str = ""


@dataclass
class Board:
    """Of the repository so called; "" where there is only one."""

    repository: str = ""
    _entries: dict[str, Entry] = field(default_factory=dict)
    _fetch: tuple[int, str] = (0, "")
    _unusable: tuple[int, str] = (0, "")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def scheduled(self, cluster: str, slot: Slot, wait: float) -> None:
        """`wait` is how many seconds are left until its next cycle."""
        with self._lock:
            entry = self._entries.get(cluster, Entry(cluster, repository=self.repository))
            state = entry.state if slot.running and entry.state is State.APPLYING else _state(slot, wait)
            begins = None if slot.running else utc_now() + datetime.timedelta(seconds=max(0.0, wait))
            why = min(slot.waiting).value if slot.waiting else slot.why.value
            self._entries[cluster] = replace(
                entry, state=state, next=begins, why=why, failures=slot.failures, reason=slot.reason
            )

    def heard(self, cluster: str, moment: Moment) -> None:
        """A cycle said how far it is."""
        with self._lock:
            entry = self._entries.get(cluster)
            if entry is None:
                return
            if moment is Moment.LEASED:
                self._entries[cluster] = replace(entry, holder=f"{socket.gethostname()} (process {os.getpid()})")
            elif moment is Moment.APPLYING:
                self._entries[cluster] = replace(entry, state=State.APPLYING)

    def doing(self, cluster: str, step: str) -> None:
        """A step of a cycle begins."""
        self._change(cluster, step=step, progress="")

    def progressed(self, cluster: str, progress: str) -> None:
        """How far that step is, in words."""
        self._change(cluster, progress=progress)

    def ended(self, cluster: str, last: Last, holder: str) -> None:
        """A cycle is over."""
        self._change(cluster, last=last, holder=holder, state=State.IDLE, step="", progress="")

    def _change(self, cluster: str, **values: Any) -> None:
        with self._lock:
            if cluster in self._entries:
                self._entries[cluster] = replace(self._entries[cluster], **values)

    def fetched(self, slot: Slot) -> None:
        with self._lock:
            self._fetch = (slot.failures, slot.reason)

    def unusable(self, failures: int, reason: str) -> None:
        """The repository could not be begun with, so many times in a row ("": it could, and its clusters are here)."""
        with self._lock:
            self._unusable = (failures, reason)
            if reason:
                self._entries.clear()

    def forget(self, cluster: str) -> None:
        with self._lock:
            self._entries.pop(cluster, None)

    def entries(self) -> tuple[Entry, ...]:
        """All clusters, by name."""
        with self._lock:
            return tuple(entry for _, entry in sorted(self._entries.items()))

    @property
    def git(self) -> tuple[int, str]:
        """How often in a row git could not be followed, and why."""
        with self._lock:
            return self._fetch

    def document(self) -> dict[str, Any]:
        """This board alone as JSON."""
        return document((self,))

    @property
    def trouble(self) -> tuple[int, str]:
        """How often in a row this repository could not be begun with, or else git not be followed, and why."""
        with self._lock:
            return self._unusable if self._unusable[1] else self._fetch

    @property
    def usable(self) -> bool:
        with self._lock:
            return not self._unusable[1]


def document(boards: Sequence[Board]) -> dict[str, Any]:
    """All boards as JSON: what `/status` answers. `git` is the worst of all repositories."""
    failures, reason, name = max((*board.trouble, board.repository) for board in boards)
    return {
        "git": {"failures": failures, "reason": f"{name}: {reason}" if name and reason else reason},
        "repositories": [_repository(board) for board in boards],
        "clusters": [_plain(entry) for board in boards for entry in board.entries()],
    }


def _repository(board: Board) -> dict[str, Any]:
    failures, reason = board.trouble
    return {
        "repository": board.repository or None,
        "state": "running" if board.usable else "unusable",
        "failures": failures,
        "reason": reason,
    }


def _state(slot: Slot, wait: float) -> State:
    if slot.running:
        return State.RUNNING
    if slot.failures:
        return State.BACKING_OFF
    return State.WAITING if wait <= 0 else State.IDLE


def _plain(entry: Entry) -> dict[str, Any]:
    last = entry.last
    return {
        "repository": entry.repository or None,
        "cluster": entry.cluster,
        "state": entry.state.value,
        "last": None
        if last is None
        else {
            "outcome": last.outcome,
            "trigger": last.trigger,
            "commit": last.commit,
            "seconds": round(last.seconds, 3),
            "ended": _iso(last.ended),
            "differences": last.differences,
            "error": last.error,
            "backup": _iso(last.backup) if last.backup else None,
        },
        "blocked": [
            {"guard": held.guard, "message": held.message, "way": held.approval, "approval": held.paste}
            for held in (last.held if last else ())
        ],
        "applying": {"step": entry.step, "progress": entry.progress} if entry.step else None,
        "next": {"at": _iso(entry.next) if entry.next else None, "why": entry.why},
        "backOff": {"failures": entry.failures, "reason": entry.reason} if entry.failures else None,
        "leaseHolder": entry.holder or None,
    }


def _iso(when: datetime.datetime) -> str:
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
