"""How much memory everything together takes: the figure a newcomer needs before trying it on a laptop."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType

import psutil

_EVERY_SECONDS = 2.0


class Peak:
    """Samples, while the block runs, what we and everything of the sandbox at `root` use together.

    The figure is PSS: memory that programs share is counted once.
    """

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.bytes = 0

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(_EVERY_SECONDS):
            self.bytes = max(self.bytes, sum(map(_used, self._processes())))

    def _processes(self) -> list[psutil.Process]:
        ours = psutil.Process()
        found = {ours, *ours.children(recursive=True)}
        return [*found, *(p for p in psutil.process_iter() if p not in found and self._mine(p))]

    def _mine(self, process: psutil.Process) -> bool:
        try:
            return any(self._root in word for word in process.cmdline()) or self._root in process.environ().get(
                "HOME", ""
            )
        except psutil.Error:
            return False


def _used(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0
