"""The process that runs all machines: it follows the hypervisor's files and makes reality agree with them."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from pathlib import Path

from ...errors import Permanent
from . import processes
from .files import Layout, MachineFile
from .machine import Machine, bury

_POLL_SECONDS = 0.1
_SETTLE_SECONDS = 0.5
_log = logging.getLogger(__name__)


class Daemon:
    """Level-triggered: what to do follows from the files and from what runs, never from which event was seen."""

    def __init__(self, root: Path, bin: Path) -> None:
        self._layout = Layout(root)
        self._bin = bin
        self._on: dict[str, Machine] = {}
        self._found = processes.count(root)
        self._stop = asyncio.Event()
        self._complaints: dict[str, str] = {}

    async def run(self) -> None:
        """Follow the files until SIGTERM or SIGINT, then end everything of every machine."""
        self._layout.make()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        try:
            await self._follow()
        finally:
            self._layout.ready.unlink(missing_ok=True)
            await asyncio.gather(*(machine.stop() for machine in self._on.values()))
            await asyncio.to_thread(self._end_the_rest)

    def _end_the_rest(self) -> None:
        for id in processes.count(self._layout.root):
            processes.kill_machine(id)

    async def _follow(self) -> None:
        seen = 0
        while not self._stop.is_set():
            changed = self._layout.machines.stat().st_mtime_ns
            # A folder's time has the clock's ticks: a change in the same tick as the one we saw does not move it,
            # so a young folder is always read again.
            if changed != seen or time.time() - changed / 1e9 < _SETTLE_SECONDS:
                seen = changed if await self._reconcile() else 0
            if not self._layout.ready.exists():
                self._layout.ready.write_text(str(os.getpid()))
            await self._pause()

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), _POLL_SECONDS)
        except TimeoutError:
            return

    async def _reconcile(self) -> bool:
        """Bring every machine to what its file says. False when something has to be tried again."""
        try:
            files = self._layout.read()
        except ValueError as error:
            self._complain("files", error)
            return False
        homes = {home.name for home in self._layout.homes.iterdir()}
        ids = sorted(files.keys() | self._on.keys() | homes | self._found.keys())
        return all(await asyncio.gather(*(self._bring(id, files.get(id)) for id in ids)))

    async def _bring(self, id: str, file: MachineFile | None) -> bool:
        try:
            await self._change(id, file)
        except (OSError, Permanent) as error:
            self._complain(file.name if file else id, error)
            return False
        return True

    def _complain(self, about: str, error: Exception) -> None:
        """Log an error once, though what failed is tried again ten times a second."""
        if self._complaints.get(about) != str(error):
            self._complaints[about] = str(error)
            _log.error("%s: %s", about, error)

    async def _change(self, id: str, file: MachineFile | None) -> None:
        machine = self._on.get(id)
        if machine is not None and machine.file != file:
            await machine.stop()
            del self._on[id]
            machine = None
        running = self._found.pop(id, 0)
        if file is None:
            await bury(id, self._layout)
        elif file.on and machine is None:
            machine = Machine(file, self._layout, self._bin)
            await machine.start(running)
            self._on[id] = machine
        elif running and not file.on:
            await asyncio.to_thread(processes.kill_machine, id)
