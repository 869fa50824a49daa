"""How long work is shown: live bars on a terminal, plain lines in a log, nothing where nobody looks."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Column

from .console import Console
from .ports import Task

_HEARTBEAT_SECONDS = 15.0
_QUIET_SECONDS = 1.0  # on a terminal, what took less leaves no line behind


def spell(seconds: float) -> str:
    """A duration as people read it: 0.4 s, 12 s, 3 min 17 s."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


class RichProgress:
    """Writes to stderr, so that stdout stays what the user asked for. Safe to use from any thread.

    `live` decides between bars and lines; by default bars are for a terminal that is not CI's and may have colours.
    """

    def __init__(self, console: Console | None = None, *, live: bool | None = None) -> None:
        self._console = console or Console(sys.stderr)
        plain = bool(os.environ.get("CI") or os.environ.get("NO_COLOR"))
        self._live = self._console.is_terminal and not plain if live is None else live
        self._screen = _Screen(self._console) if self._live else None

    def log(self, text: str) -> None:
        """Print a line that stays."""
        self._console.print(text, soft_wrap=True)

    @contextmanager
    def task(self, title: str) -> Iterator[Task]:
        """Show `title` while the block runs, and at its end how long it took."""
        started = time.monotonic()
        ended = "failed:"
        try:
            with self._screen.bar(title) if self._screen else self._lines(title) as task:
                yield task
            ended = "done:"
        finally:
            seconds = time.monotonic() - started
            if not self._live or seconds >= _QUIET_SECONDS or ended != "done:":
                self.log(f"{ended} {title} ({spell(seconds)})")

    @contextmanager
    def _lines(self, title: str) -> Iterator[Task]:
        self.log(f"{title} ...")
        task = _Counter()
        over = threading.Event()
        started = time.monotonic()

        def beat() -> None:
            while not over.wait(_HEARTBEAT_SECONDS):
                self.log(f"  {title}: {spell(time.monotonic() - started)}{task}")

        threading.Thread(target=beat, daemon=True).start()
        try:
            yield task
        finally:
            over.set()


class QuietProgress:
    """Shows nothing."""

    def log(self, text: str) -> None:
        """Say nothing."""

    @contextmanager
    def task(self, title: str) -> Iterator[Task]:  # noqa: ARG002 - the port's signature
        """Show nothing."""
        yield _Counter()


class _Counter:
    """A task that only remembers, for the next line."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._total: float | None = None
        self._done = 0.0
        self._status = ""

    def total(self, units: float) -> None:
        self._total = units

    def advance(self, units: float = 1) -> None:
        with self._lock:
            self._done += units

    def status(self, text: str) -> None:
        self._status = text

    def __str__(self) -> str:
        of = f" of {self._total:.0f}" if self._total else ""
        count = f", {self._done:.0f}{of}" if self._done else ""
        return count + (f", {self._status}" if self._status else "")


class _Screen:
    """The bars of all running tasks. They are drawn while there is one."""

    def __init__(self, console: Console) -> None:
        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, ratio=2)),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("{task.fields[text]}", markup=False, style="dim", table_column=Column(no_wrap=True, ratio=3)),
            console=console,
            transient=True,
            expand=True,
            redirect_stdout=sys.stdout.isatty(),  # a pipe gets what was printed, not what was drawn
        )
        self._lock = threading.Lock()
        self._running = 0
        atexit.register(self._bars.stop)  # an interrupted run must not leave the cursor hidden

    @contextmanager
    def bar(self, title: str) -> Iterator[Task]:
        with self._lock:
            self._running += 1
            self._bars.start()
        number = self._bars.add_task(title, total=None, text="")
        try:
            yield _Bar(self._bars, number)
        finally:
            self._bars.remove_task(number)
            with self._lock:
                self._running -= 1
                if not self._running:
                    self._bars.stop()


class _Bar:
    def __init__(self, bars: Bars, number: TaskID) -> None:
        self._bars = bars
        self._number = number

    def total(self, units: float) -> None:
        self._bars.update(self._number, total=units)

    def advance(self, units: float = 1) -> None:
        self._bars.advance(self._number, units)

    def status(self, text: str) -> None:
        self._bars.update(self._number, text=text)
