"""Starting and stopping the machines' daemon from the sandbox's command line."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ... import process
from ...errors import Permanent, Transient
from ...ports import Progress
from . import processes
from .files import Layout

_UP_SECONDS = 60.0
_DOWN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class MachineStatus:
    """One machine as it is right now. `answers`: its SSH port accepts connections; `processes`: how many run on it."""

    id: str
    name: str
    address: str
    port: int
    on: bool
    answers: bool
    processes: int


class Machines:
    """The SSH hosts of the sandbox at `root`; `bin` holds the programs that their image has installed."""

    def __init__(self, root: Path, *, bin: Path, progress: Progress) -> None:
        self._layout = Layout(root.resolve())
        self._bin = bin.resolve()
        self._progress = progress

    def up(self) -> None:
        """Start the daemon, unless it runs, and wait until it answers. Raises Transient after 60 s, Permanent when
        it ended."""
        if self._pid() is not None and self._layout.ready.exists():
            return
        with self._progress.task("machines"):
            ended = (lambda: self._pid() is None) if self._pid() is not None else self._start()
            self._wait(self._layout.ready.exists, _UP_SECONDS, ended=ended)

    def _start(self) -> Callable[[], bool]:
        """Start the daemon and return how to ask whether it ended."""
        self._layout.make()
        self._layout.ready.unlink(missing_ok=True)
        child = process.spawn(
            [sys.executable, "-m", "reconciler.sandbox.machines", self._layout.root, "--bin", self._bin],
            env={**os.environ, processes.ROOT: str(self._layout.root)},
            log=self._layout.log,
        )
        self._layout.pid.write_text(str(child.pid))
        return lambda: child.poll() is not None

    def down(self) -> None:
        """End the daemon and with it every process of every machine; their homes stay."""
        pid = self._pid()
        if pid is not None:
            with self._progress.task("machines"), contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
                self._wait(lambda: self._pid() is None, _DOWN_SECONDS, ended=lambda: False)
        processes.kill_all(self._layout.root)
        self._layout.pid.unlink(missing_ok=True)
        self._layout.ready.unlink(missing_ok=True)

    def status(self) -> list[MachineStatus]:
        """Every machine that the hypervisor wrote down, by name. Raises Permanent when a file can't be understood."""
        try:
            files = self._layout.read()
        except ValueError as error:
            raise Permanent(str(error), hint="delete the server in OpenStack, or that file") from None
        running = processes.count(self._layout.root)
        return [
            MachineStatus(m.id, m.name, m.address, m.port, m.on, _answers(m.address, m.port), running[m.id])
            for m in sorted(files.values(), key=lambda m: m.name)
        ]

    def _wait(self, done: Callable[[], bool], seconds: float, *, ended: Callable[[], bool]) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            if ended():
                raise Permanent("the machines' daemon ended by itself", hint=f"its log is {self._layout.log}")
            if time.monotonic() > deadline:
                raise Transient(f"the machines' daemon took over {seconds:g} s", hint=f"its log is {self._layout.log}")
            time.sleep(0.05)

    def _pid(self) -> int | None:
        """The daemon's process id, if it lives: a number alone may by now be somebody else's."""
        try:
            pid = int(self._layout.pid.read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return None
        ours = b"reconciler.sandbox.machines" in command and os.fsencode(self._layout.root) in command
        return pid if ours else None


def _answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True
