"""How long work is shown."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class Task(Protocol):
    """One line of live progress. All methods may be called from any thread."""

    def total(self, units: float) -> None:
        """Say how much there is to do; until then the line shows activity only."""

    def advance(self, units: float = 1) -> None: ...

    def status(self, text: str) -> None:
        """Replace the short text behind the bar (the current play, resource or package)."""


class Progress(Protocol):
    """How long work is shown. `log` prints a line that stays; `task` is a line that lives while the block runs."""

    def log(self, text: str) -> None: ...

    def task(self, title: str) -> AbstractContextManager[Task]: ...
