"""Programs built from the Go module proxy, which a closed network has when it has nothing else."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

from .. import process
from ..errors import Permanent, ReconcilerError, Transient
from ..ports import Task
from .pins import Module, Tool

_DEADLINE_SECONDS = 3600.0
_INSTALLED = "/usr/local/go/bin"  # where Go's own archive goes, often without being put on PATH
_OLDEST = (1, 21)  # the first that fetches the toolchain a go.mod asks for
_GET_GO = "install Go 1.21 or newer (go.dev/dl; Debian and Ubuntu: golang-go), put the tool on PATH, or name it in the settings (tools:)"  # noqa: E501
_UNREACHABLE = re.compile(r"dial tcp|i/o timeout|TLS handshake|connection re(fused|set)|no such host|proxyconnect")
_FULL = re.compile(r"no space left on device")
_TOO_OLD = re.compile(r"requires go >= |toolchain not available")


def build(module: Module, tools: Sequence[Tool], into: Path, *, jobs: int, task: Task) -> dict[str, Path]:
    """Build `tools`, all of one module, in the empty folder `into`, with `jobs` compilers side by side.

    Returns the programs by the tools' names. Raises Permanent (no Go, a build that fails) or Transient (the module
    proxy can't be reached).
    """
    task.total(module.packages)
    argv = [go(), "build", "-v", "-mod=readonly", "-trimpath", "-buildvcs=false", f"-p={jobs}"]
    argv += [f"-ldflags=-s -w {module.ldflags}".rstrip(), "-o", f"{into}/", *(tool.package for tool in tools)]
    done = process.run(
        argv,
        cwd=module.folder,
        env=_environment(),
        timeout=_DEADLINE_SECONDS,
        stop_signal=signal.SIGINT,  # go then waits for its compilers; SIGTERM would leave them running
        on_error_line=lambda line: _show(line, task),
        check=False,
    )
    if done.exit_code:
        raise _failure(module, done)
    return {tool.name: into / _executable(tool.package) for tool in tools}


def go() -> str:
    """The go command. Raises Permanent, saying how to get it, when there is none or it is too old."""
    found = shutil.which("go") or shutil.which("go", path=_INSTALLED)
    if found is None:
        raise Permanent("building needs Go, and there is none here", hint=_GET_GO)
    said = process.run([found, "env", "GOVERSION"], timeout=30).stdout.strip()
    version = re.match(r"go(\d+)\.(\d+)", said)
    if version and (int(version[1]), int(version[2])) < _OLDEST:
        raise Permanent(f"{found} is {said}: too old", hint=_GET_GO)
    return found


def _environment() -> dict[str, str]:
    """The user's own, with the module and build caches in their usual place; what would change the result is set."""
    ours = {"CGO_ENABLED": "0", "GOWORK": "off", "GOTOOLCHAIN": os.environ.get("GOTOOLCHAIN", "auto")}
    return {k: v for k, v in os.environ.items() if k not in ("GOOS", "GOARCH", "GOFLAGS")} | ours


def _show(line: str, task: Task) -> None:
    if line.startswith("go: downloading "):
        task.status(line.removeprefix("go: "))
    elif line and " " not in line:
        task.advance()
        task.status(line)


def _executable(package: str) -> str:
    """Go names an executable after its package's last part that is not a major version."""
    parts = [part for part in package.split("/") if not re.fullmatch(r"v\d+", part)]
    return parts[-1]


def _failure(module: Module, done: process.Completed) -> ReconcilerError:
    what, evidence = f"building {module.name} failed", done.evidence
    if _UNREACHABLE.search(done.stderr):
        hint = "the Go module proxy can't be reached: check the network, or set GOPROXY to a mirror"
        return Transient(what, hint=hint, evidence=evidence)
    if _FULL.search(done.stderr):
        return Permanent(what, hint="the disk is full: a build of everything takes about 9 GB", evidence=evidence)
    return Permanent(what, hint=_GET_GO if _TOO_OLD.search(done.stderr) else None, evidence=evidence)
