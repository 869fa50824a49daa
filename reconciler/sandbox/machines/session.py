"""One SSH session: a command run as sshd would, answered only when everything it said has been sent."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path

import asyncssh

_CHUNK = 65536
SHELL = "/bin/sh"


async def serve(process: asyncssh.SSHServerProcess[bytes], home: Path, env: Mapping[str, str]) -> None:
    """Run the session's command (or a shell that reads its standard input) to its end.

    The pipes are our own: asyncssh's redirection may close the channel before a fast child's last output went out.
    """
    argv = [SHELL] if process.command is None else [SHELL, "-c", process.command]
    # Not process.spawn: that one is for programs of ours, this is the login shell of somebody else's machine.
    child = await asyncio.create_subprocess_exec(
        *argv,
        cwd=home,
        env=dict(env),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert child.stdin is not None and child.stdout is not None and child.stderr is not None  # noqa: S101, PT018
    feeding = asyncio.create_task(_feed(process, child, child.stdin))
    try:
        await asyncio.gather(_send(child.stdout, process.stdout), _send(child.stderr, process.stderr))
        code = await child.wait()
    finally:
        feeding.cancel()
    _answer(process, code)


async def _feed(
    process: asyncssh.SSHServerProcess[bytes], child: asyncio.subprocess.Process, stdin: asyncio.StreamWriter
) -> None:
    """Pass the client's input on and close the pipe behind it: a pipelined module runs only once it saw the end."""
    with contextlib.suppress(BrokenPipeError, ConnectionError, asyncssh.Error):
        while True:
            try:
                data = await process.stdin.read(_CHUNK)
            except asyncssh.SignalReceived as received:
                _signal(child, received.signal)
                continue
            except (asyncssh.BreakReceived, asyncssh.TerminalSizeChanged):
                continue
            if not data:
                break
            stdin.write(data)
            await stdin.drain()
    stdin.close()
    with contextlib.suppress(BrokenPipeError, ConnectionError):
        await stdin.wait_closed()


async def _send(pipe: asyncio.StreamReader, channel: asyncssh.SSHWriter[bytes]) -> None:
    """Read the pipe to its end even when the client has gone, so that the child is not stopped by a full pipe."""
    listening = True
    while data := await pipe.read(_CHUNK):
        if not listening:
            continue
        try:
            channel.write(data)
            await channel.drain()
        except (OSError, asyncssh.Error):
            listening = False


def _signal(child: asyncio.subprocess.Process, name: str) -> None:
    number = getattr(signal, f"SIG{name}", None)
    if isinstance(number, signal.Signals):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)


def _answer(process: asyncssh.SSHServerProcess[bytes], code: int) -> None:
    with contextlib.suppress(OSError, asyncssh.Error):
        if code >= 0:
            process.exit(code)
        else:
            process.exit_with_signal(signal.Signals(-code).name.removeprefix("SIG"))
