"""What the daemon says, one line an event, for people (text) or programs (JSON): what is said is named, not dumped.

Values are others': an API's error, a webhook's header. They are cut, and shown instead of obeyed.
"""

from __future__ import annotations

import datetime
import json
import logging
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TextIO

from ..clock import utc_now
from ..errors import mistake
from ..ports import Task
from ..text import escape_json, hidden, visible_line

_PLAIN = re.compile(r"[\w./:+@-]+")
_LONGEST = 4096  # characters of a value


class LogFormat(StrEnum):
    """How a line is written."""

    TEXT = "text"
    JSON = "json"


@dataclass
class Log:
    """Lines on stderr. Safe to use from any thread."""

    form: LogFormat = LogFormat.TEXT
    sink: TextIO = field(default_factory=lambda: sys.stderr)
    clock: Callable[[], datetime.datetime] = utc_now
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def event(self, name: str, **fields: object) -> None:
        """One line. Fields without a value are left out."""
        said = {k: _cut(v) for k, v in fields.items() if v not in (None, "")}
        when = self.clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = (
            _json({"time": when, "event": name, **said})
            if self.form is LogFormat.JSON
            else " ".join([when, name, *(f"{k}={_word(v)}" for k, v in said.items())])
        )
        with self._lock:
            try:
                self.sink.write(line + "\n")
                self.sink.flush()
            except OSError:  # who read it is gone: no reason to stop
                return


def _cut(value: object) -> object:
    if value is None or isinstance(value, int | float):
        return value
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _word(value: object) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return text if _PLAIN.fullmatch(text) and not hidden(text) else _json(text)


def _json(value: object) -> str:
    return escape_json(json.dumps(value, ensure_ascii=False))


class Library(logging.Handler):
    """What a library logs of its own accord, as events of ours: one line, and no traceback. `event` gets them."""

    def __init__(self, event: Callable[..., None]) -> None:
        super().__init__(logging.WARNING)
        self._event = event

    def emit(self, record: logging.LogRecord) -> None:
        logger, error = record.name.partition(".")[0], record.exc_info[1] if record.exc_info else None
        text = visible_line(record.getMessage().partition("\n")[0])
        self._event("library", f"library {logger}", logger=logger, text=text, error=mistake(error) if error else "")


class LogProgress:
    """Progress as log lines of one cluster; bars are for people who wait."""

    def __init__(self, log: Log, about: Mapping[str, str]) -> None:
        self._log = log
        self._about = about

    def log(self, text: str) -> None:
        """Write a line."""
        self._log.event("progress", **self._about, text=text)

    @contextmanager
    def task(self, title: str) -> Iterator[Task]:
        """Write one line when the work begins."""
        self.log(title)
        yield _Unseen()


class _Unseen:
    def total(self, units: float) -> None: ...

    def advance(self, units: float = 1) -> None: ...

    def status(self, text: str) -> None: ...
