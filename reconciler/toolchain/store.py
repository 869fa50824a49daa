"""The cache of programs that were fetched or built: complete or absent, never half, also when we are killed."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import Permanent
from .pins import Tool, system


@dataclass(frozen=True, slots=True)
class Store:
    """Below `root` each program has a folder that names its version, system and pin."""

    root: Path

    def place(self, tool: Tool) -> Path:
        """Where the program lies, or will."""
        return self.root / "-".join((tool.name, tool.version, *system(), tool.key)) / tool.program

    def find(self, tool: Tool) -> Path | None:
        place = self.place(tool)
        return place if place.is_file() else None

    def add(self, tool: Tool, program: Path) -> Path:
        """Move a finished program in. `program` must lie in a scratch folder of this store. Returns its place."""
        place = self.place(tool)
        folder = program.with_name(f"{program.name}.folder")
        folder.mkdir()
        program.chmod(0o755)
        program.rename(folder / place.name)
        shutil.rmtree(place.parent, ignore_errors=True)
        folder.rename(place.parent)
        return place

    @contextmanager
    def scratch(self, name: str, waiting: Callable[[], None]) -> Iterator[Path]:
        """An empty folder that only one process at a time has; `waiting` is called when another one has it now.

        What a killed run left in it is deleted. Raises Permanent when the cache can't be written.
        """
        folder = self.root / f".{name}"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock = (self.root / f".{name}.lock").open("w")
        except OSError as error:
            raise Permanent(
                f"cannot write to the cache {self.root}: {error.strerror}",
                hint="name another folder: RECONCILER_CACHE, or cache: in the settings",
            ) from None
        with lock:
            _take(lock.fileno(), waiting)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)


def link(target: Path, at: Path) -> None:
    """Make `at` a symbolic link to `target`, in one step also where something is there already."""
    if at.is_symlink() and at.readlink() == target:
        return
    fresh = at.with_name(f".{at.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(at)


def _take(descriptor: int, waiting: Callable[[], None]) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        waiting()
        fcntl.flock(descriptor, fcntl.LOCK_EX)
