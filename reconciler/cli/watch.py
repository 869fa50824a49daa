"""`reconciler plan --watch`: the plan again whenever a commit or something live changed it."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable

from .. import interrupt
from ..report.view import View

_SETTLE_SECONDS = 0.3  # git writes several files for one commit


class Again:
    """Says when to look again: a ref of the clone moved, or `every` seconds are over."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._moved = threading.Event()

    def moved(self) -> None:
        """A ref was written; from any thread."""
        self._moved.set()

    def wait(self) -> None:
        """Until then, or until somebody asks us to stop."""
        deadline = time.monotonic() + self._every
        while time.monotonic() < deadline and not interrupt.requested() and not self._moved.wait(0.5):
            pass
        if self._moved.is_set():
            time.sleep(_SETTLE_SECONDS)
            self._moved.clear()


def watched(look: Callable[[], list[View]], show: Callable[[list[View]], None], again: Again) -> None:
    """Look until somebody asks us to stop, and show what was seen when it is not what was shown last."""
    shown = ""
    while not interrupt.requested():
        views = look()
        now = hashlib.sha256(repr([_told(view) for view in views]).encode()).hexdigest()
        if now != shown:
            show(views)
            shown = now
        again.wait()


def _told(view: View) -> tuple[object, ...]:
    """What makes a plan another one: neither how long anything took nor since when it is there."""
    findings = tuple((f.resource, f.field, f.cls, f.desired, f.live) for f in view.findings)
    return view.cluster, view.commit, view.digest, view.status, findings, view.unknowns, view.error
