"""One question to one machine over SSH: a shell script that root runs there, and the answer within bounds; or a stream
of bytes one way."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import IO

from ... import interrupt, process
from ...confine import MIB, Limits
from ...errors import Permanent, Transient
from .failure import OTHER_KEY

# Root is who the script needs; where there is no sudo, only root logs in. No argument of it shows what is asked.
AS_ROOT = "if command -v sudo >/dev/null; then exec sudo -n sh -s; else exec sh -s; fi"
_SSH_FAILED = 255  # ssh's own exit code; a script has the others
_MOST = Limits(output=MIB, network=True)
_PIECE = 65536
_LONGEST_REASON = 300  # characters of a machine's own words in a message
_SILENT = "is the machine on, is its port open to us, and is the key the one git names?"


@dataclass(frozen=True, slots=True)
class Line:
    """The way to `machine`: `ssh` are its arguments up to and including the host; `otherwise` says, of the machine and
    of ssh's words, what a machine with another host key contradicts."""

    machine: str
    ssh: Sequence[str]
    otherwise: Callable[[str, str], str]


def ask(line: Line, script: str, seconds: float) -> str:
    """What `script` prints. Raises as `Machines.ask`."""
    try:
        done = process.run([*line.ssh, AS_ROOT], stdin=script, timeout=seconds, check=False, limits=_MOST)
    except process.Exceeded:
        raise Permanent(f"{line.machine} answers with more than {_MOST.output // MIB} MiB") from None
    except Transient as error:
        if interrupt.requested():
            raise
        raise Transient(_silent(line, error.message), hint=error.hint or _SILENT, evidence=error.evidence) from None
    _check(done, line)
    return done.stdout


def receive(line: Line, script: str, take: Callable[[IO[bytes]], None], seconds: float) -> None:
    """Hand what `script` prints to `take`. Raises as `Machines.receive`."""
    cut_off: list[Transient] = []

    def give(pipe: IO[bytes]) -> None:
        pipe.write(script.encode())

    def read(pipe: IO[bytes]) -> None:
        try:
            take(pipe)
        except Transient as error:  # what came ended too early: a script that failed, or SSH, says why
            cut_off.append(error)

    _check(process.stream([*line.ssh, AS_ROOT], give=give, take=read, timeout=seconds), line)
    if cut_off:
        raise cut_off[0]


def send(line: Line, script: str, give: Callable[[IO[bytes]], None], seconds: float) -> None:
    """Run `script`, whose stdin `give` writes. Raises as `Machines.send`."""

    def take(pipe: IO[bytes]) -> None:
        while pipe.read(_PIECE):
            pass

    command = AS_ROOT.replace("sh -s", f"sh -c {shlex.quote(script)}")
    _check(process.stream([*line.ssh, command], give=give, take=take, timeout=seconds), line)


def _silent(line: Line, reason: str) -> str:
    return f"{line.machine} can't be asked over SSH: {reason}"


def _check(done: process.Completed, line: Line) -> None:
    """Raises Transient or Permanent, with a machine's last words, for a script that did not end well."""
    if done.exit_code == 0:
        return
    words = done.stderr.strip().splitlines()
    evidence = replace(done, stdout="").evidence  # half a kubeconfig is a secret
    reason = words[-1][:_LONGEST_REASON] if words else f"exit code {done.exit_code}"
    if done.exit_code == _SSH_FAILED and re.search(OTHER_KEY, done.stderr):
        message = f"{line.machine} does not prove over SSH that it is the machine that is meant: {reason}"
        raise Permanent(message, hint=line.otherwise(line.machine, done.stderr), evidence=evidence)
    if done.exit_code == _SSH_FAILED:
        raise Transient(_silent(line, reason), hint=_SILENT, evidence=evidence)
    hint = "the user that git names needs sudo without a password" if "sudo:" in done.stderr else None
    raise Permanent(f"{line.machine} could not answer: {reason}", hint=hint, evidence=evidence)
