"""The SSH server of one machine: who may log in, and where file transfers begin."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import asyncssh

from .files import MachineFile

Session: TypeAlias = Callable[[asyncssh.SSHServerProcess[bytes]], Awaitable[None]]


class _Door(asyncssh.SSHServer):
    """Lets in the machine's user with one of its keys, and remembers the connection to be able to cut it."""

    def __init__(self, machine: MachineFile, connections: set[asyncssh.SSHServerConnection]) -> None:
        self._machine = machine
        self._keys = asyncssh.import_authorized_keys("\n".join(machine.authorized_keys))
        self._connections = connections
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncssh's signature
        if self._connection is not None:
            self._connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        if self._connection is not None and username == self._machine.user:
            self._connection.set_authorized_keys(self._keys)
        return True

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:  # noqa: ARG002
        """A bastion passes connections on, to other machines only."""
        try:
            return ipaddress.ip_address(dest_host).is_loopback
        except ValueError:
            return False

    def public_key_auth_supported(self) -> bool:
        return True


def _transfers(home: Path) -> Callable[[asyncssh.SSHServerChannel[bytes]], asyncssh.SFTPServer]:
    class FromHome(asyncssh.SFTPServer):
        """Relative paths start in the machine's home, not in this process's folder."""

        def map_path(self, path: bytes) -> bytes:
            return os.path.join(os.fsencode(home), path)

        def exit(self) -> None:
            """Say that all went well: asyncssh closes without a status, which scp takes for a failure."""
            self.channel.exit(0)

    return FromHome


async def listen(
    machine: MachineFile,
    home: Path,
    session: Session,
    connections: set[asyncssh.SSHServerConnection],
) -> asyncssh.SSHAcceptor:
    """Open the machine's SSH port. Raises OSError when its address and port are taken."""
    return await asyncssh.create_server(
        lambda: _Door(machine, connections),
        machine.address,
        machine.port,
        server_host_keys=[_host_key(home)],
        process_factory=session,
        sftp_factory=_transfers(home),
        allow_scp=True,
        line_editor=False,
        encoding=None,
        agent_forwarding=False,
        x11_forwarding=False,
        reuse_address=True,
        gss_host=None,
    )


def _host_key(home: Path) -> str:
    """The machine's own key, made once: a rebooted machine is still known to its clients."""
    path = home / ".ssh/ssh_host_ed25519_key"
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        key = asyncssh.generate_private_key("ssh-ed25519", comment="root@machine")
        key.write_private_key(fresh)
        fresh.chmod(0o600)
        key.write_public_key(path.with_suffix(".pub"))  # first: the hypervisor shows it on the console
        fresh.rename(path)
    return str(path)
