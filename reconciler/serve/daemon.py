"""Cycle after cycle until told to stop: the running one ends early and is recorded, a second signal ends at once."""

from __future__ import annotations

import signal
from collections.abc import Callable

from .. import interrupt
from ..errors import ReconcilerError


class Daemon:
    """`interval` is the time between the ends and starts of cycles, in seconds. `failed` is told every failure."""

    def __init__(
        self, cycle: Callable[[], None], *, interval: float, failed: Callable[[ReconcilerError], None]
    ) -> None:
        self._cycle = cycle
        self._interval = interval
        self._failed = failed

    def run(self) -> None:
        """Return when SIGTERM or SIGINT has come: what runs is ended politely, and recorded."""
        interrupt.listen(signal.SIGTERM, signal.SIGINT)
        while not interrupt.requested():
            try:
                self._cycle()
            except ReconcilerError as error:
                self._failed(error)
            interrupt.wait(self._interval)
