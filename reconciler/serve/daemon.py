"""Cycle after cycle until told to stop: a cycle that is running is finished, a second signal ends at once."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

from ..errors import ReconcilerError


class Daemon:
    """`interval` is the time between the ends and starts of cycles, in seconds. `failed` is told every failure."""

    def __init__(
        self, cycle: Callable[[], None], *, interval: float, failed: Callable[[ReconcilerError], None]
    ) -> None:
        self._cycle = cycle
        self._interval = interval
        self._failed = failed
        self._stop = threading.Event()

    def run(self) -> None:
        """Return when SIGTERM or SIGINT has come and the running cycle has ended."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked)
        while not self._stop.is_set():
            try:
                self._cycle()
            except ReconcilerError as error:
                self._failed(error)
            self._stop.wait(self._interval)

    def _asked(self, number: int, _: FrameType | None) -> None:
        if self._stop.is_set():
            sys.exit(128 + number)
        self._stop.set()
