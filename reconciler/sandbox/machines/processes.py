"""Tells whose a process is by its environment: that survives setsid and double forks, unlike a process group."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from ...errors import Permanent

MACHINE = "SANDBOX_MACHINE"
ROOT = "SANDBOX_MACHINES_ROOT"
_PATIENCE_SECONDS = 10.0


def kill_machine(id: str) -> None:
    """SIGKILL every process that was started on the machine, until none is left.

    Raises Permanent when some still live after 10 s.
    """
    _kill(f"{MACHINE}={id}".encode(), f"machine {id}")


def kill_all(root: Path) -> None:
    """SIGKILL everything the machines of the sandbox at `root` left: the daemon that runs them and all that ran on
    them. For cleaning up after a crash; needs no file below `root`.

    Raises Permanent when some still live after 10 s.
    """
    _kill(mark(root).encode(), f"the machines of {root}")


def mark(root: Path) -> str:
    """The environment entry by which everything of one sandbox is known."""
    return f"{ROOT}={root.resolve()}"


def count(root: Path) -> Counter[str]:
    """How many processes live on each machine of the sandbox at `root`, by machine id."""
    ours, prefix = mark(root).encode(), f"{MACHINE}=".encode()
    living: Counter[str] = Counter()
    for pid in _pids():
        entries = _environment(pid)
        if ours in entries:
            living.update(entry.removeprefix(prefix).decode() for entry in entries if entry.startswith(prefix))
    return living


def _kill(entry: bytes, whose: str) -> None:
    """A process can fork while the others are being killed, so look again until there is nothing to be found."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    pause = 0.005
    while _each(lambda pid: entry in _environment(pid)):
        if time.monotonic() > deadline:
            raise Permanent(f"some processes of {whose} can't be killed", hint="look for processes in state D")
        time.sleep(pause)
        pause = min(pause * 2, 0.1)


def _each(belongs: Callable[[int], bool]) -> int:
    """Kill every process that belongs and return how many there were. The pidfd is taken before looking, so that
    a number that is given to another process in between can't hit that one."""
    killed = 0
    for pid in _pids():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            handle = os.pidfd_open(pid)
            try:
                if belongs(pid):
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                    killed += 1
            finally:
                os.close(handle)
    return killed


def _pids() -> list[int]:
    own = os.getpid()
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != own]


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return []
