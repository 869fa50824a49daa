"""A daemon that does nothing should hold next to nothing: what the C library keeps of a busy moment is given back."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import threading

_M_ARENA_MAX = -8  # malloc.h
_ARENAS = 2  # one for each thread is made for speed we don't need, and never shrinks
_PAUSE_SECONDS = 60.0  # walking through all of the heap takes a tenth of a second


def thrifty() -> None:
    """Let threads share what the C library keeps for them. Before there are any; no effect on another C library."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)


class Trim:
    """Gives free memory back to the system some time after it was last asked to."""

    def __init__(self) -> None:
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()

    def soon(self) -> None:
        """In some seconds, once, however often this is called meanwhile."""
        with self._lock:
            if self._timer is None:
                self._timer = threading.Timer(_PAUSE_SECONDS, self._now)
                self._timer.daemon = True
                self._timer.start()

    def _now(self) -> None:
        with self._lock:
            self._timer = None
        gc.collect()
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).malloc_trim(0)
