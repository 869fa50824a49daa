"""One machine from power-on to deletion: its home, its boot scripts, its SSH port, and the end of all its processes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import sys
from pathlib import Path

import asyncssh

from . import processes, session
from .files import Layout, MachineFile
from .server import listen

_SYSTEMS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_log = logging.getLogger(__name__)


class Machine:
    """A machine that is on. Everything is done by its own task, one thing after another."""

    def __init__(self, file: MachineFile, layout: Layout, bin: Path) -> None:
        self.file = file
        self.home = layout.homes / file.id
        self._layout = layout
        self._bin = bin
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self._listener: asyncssh.SSHAcceptor | None = None
        self._boot: asyncio.Task[None] | None = None

    @property
    def listening(self) -> bool:
        return self._listener is not None

    async def start(self, running: int) -> None:
        """Open the port, and boot: unless `running` processes outlived the daemon before us and the machine was not
        rebooted since. Raises OSError when its address and port are taken."""
        self._make_home()
        booted = self.home / ".boots"
        taken_over = running > 0 and booted.exists() and booted.read_text() == str(self.file.boots)
        if running and not taken_over:
            await asyncio.to_thread(processes.kill_machine, self.file.id)
        self._listener = await listen(self.file, self.home, self._serve, self._connections)
        _log.info("%s: on at %s:%d", self.file.name, self.file.address, self.file.port)
        if not taken_over:
            booted.write_text(str(self.file.boots))
            self._boot = asyncio.create_task(self._run_boot_scripts())

    async def stop(self) -> None:
        """Power off: no listener, no connection, no process."""
        if self._boot is not None:
            self._boot.cancel()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for connection in tuple(self._connections):
            connection.abort()
        await asyncio.to_thread(processes.kill_machine, self.file.id)
        _log.info("%s: off", self.file.name)

    async def _serve(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        if self._listener is None:  # stopped since the client logged in: what starts now would outlive the machine
            process.exit(255)
        else:
            await session.serve(process, self.home, self.environment())

    def environment(self) -> dict[str, str]:
        """All that a process of this machine is told; nothing of ours leaks in."""
        python = Path(sys.executable).parent
        return {
            "HOME": str(self.home),
            "TMPDIR": str(self.home / "tmp"),
            "USER": self.file.user,
            "LOGNAME": self.file.user,
            "SHELL": session.SHELL,
            "PATH": f"{self._bin}:{self._layout.root_bin}:{python}:{_SYSTEMS}",
            "LANG": "C.UTF-8",
            processes.MACHINE: self.file.id,
            processes.ROOT: processes.mark(self._layout.root).partition("=")[2],
            "SANDBOX_MACHINE_NAME": self.file.name,
            "SANDBOX_ADDRESS": self.file.address,
        }

    def _make_home(self) -> None:
        for folder in ("tmp", "log", "boot.d"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        self.home.chmod(0o700)
        instance = self.home / "var/lib/cloud/data/instance-id"  # as cloud-init writes it down
        instance.parent.mkdir(parents=True, exist_ok=True)
        instance.write_text(f"{self.file.id}\n")
        # The user is in no passwd file, so a shell leaves "~user" as it is; Ansible writes it, for remote_tmp.
        alias = self.home / f"~{self.file.user}"
        if not alias.is_symlink():
            alias.symlink_to(".")

    async def _run_boot_scripts(self) -> None:
        with (self.home / "log/boot.log").open("ab") as log:
            for script in sorted((self.home / "boot.d").iterdir()):
                if not (script.is_file() and os.access(script, os.X_OK)):
                    continue
                child = await asyncio.create_subprocess_exec(
                    script,
                    cwd=self.home,
                    env=self.environment(),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
                code = await child.wait()
                _log.info("%s: boot.d/%s ended with %d", self.file.name, script.name, code)


async def bury(id: str, layout: Layout) -> None:
    """Remove what is left of a deleted server: processes first, they might still write to its home."""
    await asyncio.to_thread(processes.kill_machine, id)
    with contextlib.suppress(FileNotFoundError):
        await asyncio.to_thread(shutil.rmtree, layout.homes / id)
