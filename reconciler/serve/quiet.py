"""Lines that strangers can bring about, without their number: the first few of a kind, and then how many more."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from .logs import Log


@dataclass
class Quiet:
    """Writes `most` lines of a kind within `seconds` seconds, counted from the first; what comes beyond them is one
    line at their end. Kinds are named by us, so there are few. Safe to use from any thread."""

    log: Log
    most: int = 5
    seconds: float = 60.0
    _seen: dict[str, int] = field(default_factory=dict)
    _timers: dict[str, threading.Timer] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def event(self, name: str, kind: str = "", /, **fields: object) -> None:
        """A line of the log, or a count. `kind` tells lines of one name apart."""
        kind = kind or name
        with self._lock:
            seen = self._seen[kind] = self._seen.get(kind, 0) + 1
            if seen == 1:
                timer = self._timers[kind] = threading.Timer(self.seconds, self._over, (name, kind))
                timer.daemon = True
                timer.start()
        if seen <= self.most:
            self.log.event(name, **fields)

    def close(self) -> None:
        """Say now what is still to be said."""
        with self._lock:
            timers = tuple(self._timers.values())
        for timer in timers:
            timer.cancel()
            self._over(*timer.args)

    def _over(self, name: str, kind: str) -> None:
        with self._lock:
            more = self._seen.pop(kind, 0) - self.most
            self._timers.pop(kind, None)
        if more > 0:
            about = "" if kind == name else kind
            self.log.event(name, kind=about, more=more, text=f"{more} more like it within {self.seconds:g} s")
