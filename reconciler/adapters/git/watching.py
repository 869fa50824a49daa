"""Tells at once when a ref of a local clone moved, by the operating system's own notice of files (watchdog)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from . import refs

_FILES = ("HEAD", "packed-refs")
_OWN = "refs/reconciler"  # leases: they move with every cycle of ours


class RefWatch:
    """Calls `moved` whenever a ref of the clone at `path` was written, from a thread of its own; what moved, and
    whether that matters, is for the caller to find out. Where the system has no watches left it stays silent: polling
    notices the same, later."""

    def __init__(self, path: Path, moved: Callable[[], None]) -> None:
        self._dirs = refs.locate(path.resolve())
        self._moved = moved
        self._observer: Any = Observer()

    def start(self) -> bool:
        """Begin. Says whether the system lets us."""
        handler = _Handler(self._moved)
        try:
            self._observer.schedule(handler, str(self._dirs.common / "refs"), recursive=True)
            for folder in {self._dirs.common, self._dirs.own}:
                self._observer.schedule(handler, str(folder), recursive=False)
            self._observer.start()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """End. Nothing is called afterwards."""
        if self._observer.is_alive():
            self._observer.stop()
            self._observer.join(timeout=5)


class _Handler(FileSystemEventHandler):
    def __init__(self, moved: Callable[[], None]) -> None:
        self._moved = moved

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.is_directory or event.event_type in ("opened", "closed_no_write"):
            return
        paths = {str(event.src_path), str(getattr(event, "dest_path", "") or "")}
        if any(_counts(path) for path in paths):
            self._moved()


def _counts(path: str) -> bool:
    """Does it name a ref's own file? git writes `<ref>.lock` first and renames it then."""
    if not path or path.endswith(".lock") or _OWN in path:
        return False
    return "/refs/" in path or path.endswith(_FILES)
