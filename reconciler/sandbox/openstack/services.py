"""The services' processes: started side by side, waited for until they answer, ended only if they are really ours."""

from __future__ import annotations

import contextlib
import http.client
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ... import process
from ...errors import Evidence, Permanent, Transient
from ...ports import Progress
from .environment import GUEST, Environment
from .layout import Layout
from .schema import guest_environment

_UP_SECONDS = 180.0
_DOWN_SECONDS = 10.0
_LAST_LINES = 20
_PROGRAM = GUEST / "service.py"


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One service. `alive`: its process runs; `responds`: its API answers; `pid` is None when it does not run."""

    name: str
    pid: int | None
    url: str
    alive: bool
    responds: bool


class Services:
    """All services of one cloud."""

    def __init__(self, layout: Layout, environment: Environment, progress: Progress) -> None:
        self._layout = layout
        self._environment = environment
        self._progress = progress
        self._children: list[subprocess.Popen[bytes]] = []

    def status(self) -> list[ServiceStatus]:
        """Every service, whether it runs or not."""
        return [self._status(name) for name in self._layout.services]

    def start(self) -> None:
        """Start what is not running and wait until all of it answers.

        Raises Permanent when a port is taken or a service ends, Transient when one takes over 180 s.
        """
        missing = [status.name for status in self.status() if not status.alive]
        for name in missing:
            self._check_port(name)
        for name in missing:
            self._start(name)
        waiting = [status.name for status in self.status() if not status.responds]
        with self._progress.task("starting OpenStack") as task:
            task.total(len(waiting))
            deadline = time.monotonic() + _UP_SECONDS
            while waiting:
                task.status(", ".join(waiting))
                for name in [name for name in waiting if self._is_ready(name)]:
                    waiting.remove(name)
                    task.advance()
                if time.monotonic() > deadline:
                    raise Transient(f"{waiting[0]} took over {_UP_SECONDS:g} s to start", hint=self._hint(waiting[0]))
                time.sleep(0.1)

    def stop(self, names: Sequence[str] = ()) -> None:
        """End them, or all, side by side; what does not end within 10 s is killed."""
        names = names or self._layout.services
        with contextlib.ExitStack() as handles:
            running = [h for name in names if (h := handles.enter_context(self._handle(name))) is not None]
            if running:
                with self._progress.task("stopping OpenStack"):
                    _end(running)
        self._children = [child for child in self._children if child.poll() is None]  # or they stay zombies
        for name in names:
            self._layout.pid(name).unlink(missing_ok=True)

    def _start(self, name: str) -> None:
        root, port = self._layout.root, str(self._layout.port(name))
        argv: list[str | Path] = [self._environment.program("python"), _PROGRAM, name, root, self._layout.host, port]
        child = process.spawn(argv, cwd=root, env=guest_environment(root), log=self._layout.log(name))
        self._layout.pid(name).write_text(f"{child.pid} {_born(child.pid)}\n")
        self._children.append(child)

    def _is_ready(self, name: str) -> bool:
        status = self._status(name)
        if not status.alive:
            lines = self._layout.log(name).read_text(errors="replace").splitlines()[-_LAST_LINES:]
            raise Permanent(
                f"{name} ended while it was starting",
                hint=self._hint(name),
                evidence=Evidence(f"{_PROGRAM.name} {name}", None, tuple(lines)),
            )
        return status.responds

    def _status(self, name: str) -> ServiceStatus:
        pid = self._pid(name)
        alive = pid is not None
        responds = alive and _responds(self._layout.host, self._layout.port(name))
        return ServiceStatus(name, pid, self._layout.url(name), alive, responds)

    def _pid(self, name: str) -> int | None:
        """The process id that was written down, if it still is that process: a number alone is given out anew."""
        try:
            pid, born = map(int, self._layout.pid(name).read_text().split())
        except (OSError, ValueError):
            return None
        return pid if _born(pid) == born else None

    @contextmanager
    def _handle(self, name: str) -> Iterator[int | None]:
        """A pidfd of the running service. It is taken before looking whose it is, so it can't come to mean another."""
        try:
            handle = os.pidfd_open(int(self._layout.pid(name).read_text().split()[0]))
        except (OSError, ValueError, IndexError):
            yield None
            return
        try:
            yield handle if self._pid(name) is not None else None
        finally:
            os.close(handle)

    def _check_port(self, name: str) -> None:
        port = self._layout.port(name)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self._layout.host, port))
            except OSError as error:
                raise Permanent(
                    f"{name} can't listen on {self._layout.host}:{port}: {error.strerror}",
                    hint=f"end what listens there (ss -ltnp 'sport = :{port}'), or choose another base port",
                ) from None

    def _hint(self, name: str) -> str:
        return f"its log is {self._layout.log(name)}"


def _born(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None when it has ended (a zombie has)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])


def _end(handles: Sequence[int]) -> None:
    for number, patience in ((signal.SIGTERM, _DOWN_SECONDS), (signal.SIGKILL, _DOWN_SECONDS)):
        for handle in handles:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, number)
        deadline = time.monotonic() + patience
        handles = [handle for handle in handles if not _ends(handle, deadline)]
    if handles:
        raise Permanent("some services can't be ended", hint="look for processes in state D")


def _ends(handle: int, deadline: float) -> bool:
    """Wait for a process's end. A pidfd becomes readable with it."""
    return bool(select.select([handle], [], [], max(0.0, deadline - time.monotonic()))[0])


def _responds(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
