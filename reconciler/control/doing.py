"""How far the step is that a cluster is in the middle of, for who asks while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ..ports import Progress, Task

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Noted:
    """Progress that is shown as before, and noted: `note` gets a line such as "scale.yml, 120 of 400: Install kubelet",
    and "" when nothing is under way any more."""

    shown: Progress
    note: Note

    def log(self, text: str) -> None:
        self.shown.log(text)

    @contextmanager
    def task(self, title: str) -> Iterator[Task]:
        with self.shown.task(title) as task:
            noted = _NotedTask(task, title, self.note)
            noted.tell()
            try:
                yield noted
            finally:
                self.note("")


@dataclass(slots=True)
class _NotedTask:
    shown: Task
    title: str
    note: Note
    _total: float = field(default=0, init=False)
    _done: float = field(default=0, init=False)
    _status: str = field(default="", init=False)

    def total(self, units: float) -> None:
        self.shown.total(units)
        self._total = units
        self.tell()

    def advance(self, units: float = 1) -> None:
        self.shown.advance(units)
        self._done += units
        self.tell()

    def status(self, text: str) -> None:
        self.shown.status(text)
        self._status = text
        self.tell()

    def tell(self) -> None:
        """Note it as it is now."""
        far = f", {self._done:g} of {self._total:g}" if self._total else ""
        self.note(f"{self.title}{far}" + (f": {self._status}" if self._status else ""))
