"""When this machine first saw a value of a lease's ref: what bounds a lease, whatever it says of itself."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .. import files


@dataclass
class Sightings:
    """Kept in memory by a clock that nobody sets (`steady`, in seconds), and in a file for the next process."""

    steady: Callable[[], float] = time.monotonic
    _seen: dict[Path, tuple[str, float]] = field(default_factory=dict)

    def first(self, file: Path, value: str, now: datetime.datetime) -> datetime.datetime:
        """The time at which `value` was first seen, as `now` counts; `now`, and that is written to `file`, when it was
        never seen, or when the clock was set back behind that. Raises Transient when the file can't be written."""
        before, since = self._seen.get(file, ("", 0.0))
        if before == value:
            return now - datetime.timedelta(seconds=self.steady() - since)
        then = _noted(file, value)
        if then is None or then > now:
            files.write(file, f"{value} {now.isoformat()}\n")
            then = now
        self._seen[file] = value, self.steady() - (now - then).total_seconds()
        return then


def _noted(file: Path, value: str) -> datetime.datetime | None:
    try:
        before, when = file.read_text().split()
        then = datetime.datetime.fromisoformat(when)
    except (OSError, ValueError):  # none yet, or none that can be read
        return None
    return then if before == value and then.tzinfo is not None else None
