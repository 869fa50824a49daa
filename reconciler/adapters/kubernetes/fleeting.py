"""Jobs that take themselves away when they are done: how one ended that is not there any more, told by its events."""

from __future__ import annotations

import contextlib
import time
from urllib.parse import quote

from ...errors import Permanent, Transient
from ...ports import Allowance, Progress
from .applied import Applied
from .connection import Connection

_DONE = "Completed"
_FAILED = ("BackoffLimitExceeded", "DeadlineExceeded", "FailedIndexes", "MaxFailedIndexesExceeded", "PodFailurePolicy")
# An event is written a moment after what it tells of; without ttl the Job is gone by then.
_EVENT_SECONDS, _POLL = 3.0, 0.2


class FleetingJobs:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def note(self, one: Applied, allowance: Allowance) -> None:
        """Say that it is done, and in which namespace."""
        within = ""
        with contextlib.suppress(Permanent, Transient):  # an account may not be allowed to see it
            within = str(self._connection.get(f"/api/v1/namespaces/{quote(_space(one))}")["metadata"]["uid"])
        allowance.finished(one.key, within)

    def gone(self, one: Applied, allowance: Allowance, progress: Progress) -> list[Permanent]:
        """One that is not there: done, unless its events say that it failed. One that was not applied just now was done
        before. Returns what went wrong."""
        if one.answer is None:
            return []
        how, words = self._ended(one)
        if how in _FAILED:
            told = f"{one.title} failed ({how}: {words}), and went by its ttlSecondsAfterFinished"
            return [Permanent(told, hint="give it a longer ttlSecondsAfterFinished to look at its pods")]
        if not how:
            progress.log(f"{one.title}: went before it was seen to end; it counts as done")
        self.note(one, allowance)
        return []

    def _ended(self, one: Applied) -> tuple[str, str]:
        """The event's reason and message; empty where none says how it ended."""
        uid = one.answer["metadata"]["uid"] if one.answer else ""
        until = time.monotonic() + _EVENT_SECONDS
        while True:
            try:
                path = f"/api/v1/namespaces/{quote(_space(one))}/events"
                events = list(self._connection.items(path, fieldSelector=f"involvedObject.uid={uid}"))
            except (Permanent, Transient):
                return "", ""
            for event in events:
                if event.get("reason") in (_DONE, *_FAILED):
                    return str(event["reason"]), str(event.get("message", ""))
            if time.monotonic() >= until:
                return "", ""
            time.sleep(_POLL)


def _space(one: Applied) -> str:
    return str(one.answer["metadata"]["namespace"]) if one.answer else one.key.name.rpartition("/")[0] or "default"
