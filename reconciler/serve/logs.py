"""What the daemon says, one line an event, for people (text) or programs (JSON): what is said is named, not dumped."""

from __future__ import annotations

import datetime
import json
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TextIO

from ..ports import Task

_PLAIN = re.compile(r"[\w./:+@-]+")


class LogFormat(StrEnum):
    """How a line is written."""

    TEXT = "text"
    JSON = "json"


def _utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@dataclass
class Log:
    """Lines on stderr. Safe to use from any thread."""

    form: LogFormat = LogFormat.TEXT
    sink: TextIO = field(default_factory=lambda: sys.stderr)
    clock: Callable[[], datetime.datetime] = _utc_now
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def event(self, name: str, **fields: object) -> None:
        """One line. Fields without a value are left out."""
        said = {k: v for k, v in fields.items() if v not in (None, "")}
        when = self.clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = (
            json.dumps({"time": when, "event": name, **said}, default=str, ensure_ascii=False)
            if self.form is LogFormat.JSON
            else " ".join([when, name, *(f"{k}={_word(v)}" for k, v in said.items())])
        )
        with self._lock:
            try:
                self.sink.write(line + "\n")
                self.sink.flush()
            except OSError:  # who read it is gone: no reason to stop
                return


def _word(value: object) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


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
