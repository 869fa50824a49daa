"""The one place that starts programs: output always drained, a deadline that really ends it, secrets redacted."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shlex
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NoReturn

from . import interrupt
from .confine import MIB, Limits
from .errors import Evidence, Permanent, Transient

REDACTED = "(redacted)"
_TAIL_LINES = 40
_GRACE_SECONDS = 20.0
_ASKED_EVERY_SECONDS = 0.5
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
_NO_MEMORY = re.compile(
    "out of memory|cannot allocate memory|failed to create new OS thread|MemoryError", re.IGNORECASE
)


class Exceeded(Permanent):
    """A program was ended because it wanted more than it may have: memory, or room for what it says."""


@dataclass(frozen=True, slots=True)
class Completed:
    """A finished program. `stdout` and `stderr` are whole and redacted; `seconds` is wall time."""

    command: str
    exit_code: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def evidence(self) -> Evidence:
        lines = (self.stderr.strip() or self.stdout.strip()).splitlines()
        return Evidence(self.command, self.exit_code, tuple(lines[-_TAIL_LINES:]))


class Redactor:
    """Replaces every given secret in text. Secrets shorter than 4 characters are not worth hiding in noise."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = tuple(sorted({s for s in secrets if len(s) >= 4}, key=len, reverse=True))

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        return text


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float,
    on_line: Callable[[str], None] | None = None,
    on_error_line: Callable[[str], None] | None = None,
    check: bool = True,
    ok: Sequence[int] = (0,),
    redact: Redactor | None = None,
    stdin: str | bytes | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
    limits: Limits | None = None,
) -> Completed:
    """Run a program to its end and return what it said.

    `env` is the whole environment (None: ours). `timeout` is in seconds; past it the program's process group
    gets `stop_signal`, and SIGKILL 20 s later. `on_line` sees each redacted line of stdout as it comes,
    `on_error_line` each one of stderr. The program is told to stop when we die (PR_SET_PDEATHSIG), so that a
    killed reconciler leaves no tofu behind that still holds the state lock. `limits` are for programs that work on
    text of strangers.

    Raises Permanent when the program is missing or (with `check`) its exit code is not in `ok`; Exceeded when it went
    beyond its limits; Transient when the deadline passed, or when somebody asked us to stop (then the program was ended
    politely).
    """
    hide = redact or Redactor()
    command = hide(shlex.join(str(a) for a in argv))
    started = time.monotonic()
    name = Path(argv[0]).name
    child = _start(argv, command, cwd, env, stdin is not None, stop_signal, limits)
    try:
        out, err = _drain(child, stdin, on_line, on_error_line, hide, timeout, limits.output if limits else None)
    except BaseException as stopped:
        _end(child, signal.SIGKILL if isinstance(stopped, _TooMuch) else stop_signal)
        if isinstance(stopped, TimeoutError):
            message = f"{name} did not finish within {timeout:g} s"
            raise Transient(message, evidence=Evidence(command, None)) from None
        if isinstance(stopped, _TooMuch) and limits:
            raise Exceeded(f"{name} wrote more than {limits.output // MIB} MiB") from None
        raise
    done = Completed(command, child.wait(), out, err, time.monotonic() - started)
    if limits and done.exit_code and _NO_MEMORY.search(done.stderr):
        raise Exceeded(f"{name} needs more than {limits.memory // MIB} MiB of memory")
    if check and done.exit_code not in ok:
        raise Permanent(f"{name} failed with exit code {done.exit_code}", evidence=done.evidence)
    return done


def stream(
    argv: Sequence[str | Path],
    *,
    give: Callable[[IO[bytes]], None],
    take: Callable[[IO[bytes]], None],
    timeout: float,
) -> Completed:
    """Run a program whose stdin `give` writes and whose stdout `take` reads, in bytes and as much as there is; each has
    a thread of its own, and its stream is closed behind it. Whatever either raises ends the program and is raised here.
    `Completed` has stderr, up to 1 MiB, and no stdout; its exit code is for the caller to judge.

    Raises as `run` does for a program that is missing, for its deadline, and when somebody asks us to stop.
    """
    command, started, failed = shlex.join(str(a) for a in argv), time.monotonic(), []
    child = _start(argv, command, None, None, True, signal.SIGTERM, None)
    assert child.stdin is not None  # noqa: S101 - for the type checker
    assert child.stdout is not None  # noqa: S101
    assert child.stderr is not None  # noqa: S101

    def carry(work: Callable[[IO[bytes]], None], pipe: IO[bytes]) -> None:
        try:
            with contextlib.suppress(BrokenPipeError), pipe:  # a program that ended says why by itself
                work(pipe)
        except BaseException as error:  # raised where the program was started
            failed.append(error)
            _end(child, signal.SIGTERM)

    said = _Collected(MIB)
    threads = [
        threading.Thread(target=carry, args=(give, child.stdin), daemon=True),
        threading.Thread(target=carry, args=(take, child.stdout), daemon=True),
        threading.Thread(target=_pump, args=(child.stderr, said, Redactor(), None), daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        _wait(child, timeout, ())
    except BaseException as stopped:
        _end(child, signal.SIGTERM)
        if isinstance(stopped, TimeoutError):
            message = f"{Path(argv[0]).name} did not finish within {timeout:g} s"
            raise Transient(message, evidence=Evidence(command, None)) from None
        raise
    for thread in threads:
        thread.join(max(_GRACE_SECONDS, timeout - (time.monotonic() - started)))
    if failed:
        raise failed[0]
    if any(thread.is_alive() for thread in threads[:2]):  # who has the pipe now is not the program
        message = f"{Path(argv[0]).name} ended, and its streams did not"
        raise Transient(message, evidence=Evidence(command, child.wait()))
    return Completed(command, child.wait(), "", "".join(said.lines), time.monotonic() - started)


def spawn(
    argv: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None, log: Path
) -> subprocess.Popen[bytes]:
    """Start a program that outlives us, in a session of its own, its output in `log`. The caller notes its pid."""
    with log.open("ab") as sink:
        return subprocess.Popen(
            [str(a) for a in argv],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )


def become(argv: Sequence[str]) -> NoReturn:
    """Be another program from here on, with our terminal and environment. Raises Permanent when it is missing."""
    try:
        os.execvp(argv[0], list(argv))  # noqa: S606 - no shell is wanted
    except OSError as error:
        raise Permanent(f"cannot start {argv[0]}: {error.strerror}", hint="install it, or put it on PATH") from None


def to_the_end(child: subprocess.Popen[bytes], timeout: float) -> tuple[bytes, bytes]:
    """Wait for a program that an SDK started for us in a session of its own, whoever asks us to stop: what was done has
    to be written down. Return its stdout and stderr. Raises TimeoutError past `timeout` seconds; the program is then
    gone with everything that it started itself."""
    try:
        return child.communicate(timeout=timeout)
    except BaseException as stopped:
        _end(child, signal.SIGTERM)
        if isinstance(stopped, subprocess.TimeoutExpired):
            raise TimeoutError from None
        raise


def _start(
    argv: Sequence[str | Path],
    command: str,
    cwd: Path | None,
    env: Mapping[str, str] | None,
    piped: bool,
    stop: signal.Signals,
    limits: Limits | None,
) -> subprocess.Popen[bytes]:
    def become() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(stop), 0, 0, 0)
        # started in the background of a script we ignore SIGINT, and would hand that down: it could not be stopped
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if limits:
            limits.impose()

    try:
        return subprocess.Popen(
            [str(a) for a in argv],
            cwd=cwd,
            env=env,
            stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=become,  # noqa: PLW1509 - system calls only; it takes no lock
        )
    except (OSError, subprocess.SubprocessError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it can't be held to its limits here"
        raise Permanent(f"cannot start {argv[0]}: {reason}", evidence=Evidence(command, None)) from None


class _TooMuch(Exception):
    """The program said more than it may."""


@dataclass
class _Collected:
    """What one stream said, up to `most` bytes; what comes beyond that is read and thrown away."""

    most: int | None
    lines: deque[str] = field(default_factory=deque)
    size: int = 0

    @property
    def full(self) -> bool:
        return self.most is not None and self.size > self.most

    def takes(self, raw: bytes) -> bool:
        self.size += len(raw)
        return not self.full


def _drain(
    child: subprocess.Popen[bytes],
    stdin: str | bytes | None,
    on_line: Callable[[str], None] | None,
    on_error_line: Callable[[str], None] | None,
    hide: Redactor,
    timeout: float,
    most: int | None,
) -> tuple[str, str]:
    """Serve every stream in a thread of its own, so that no full pipe can hang the child, nor us past the deadline."""
    assert child.stdout is not None  # noqa: S101 - for the type checker
    assert child.stderr is not None  # noqa: S101
    out, err = _Collected(most), _Collected(most)
    readers = [
        threading.Thread(target=_pump, args=(child.stdout, out, hide, on_line), daemon=True),
        threading.Thread(target=_pump, args=(child.stderr, err, hide, on_error_line), daemon=True),
    ]
    for reader in readers:
        reader.start()
    if stdin is not None and child.stdin is not None:
        text = stdin.encode() if isinstance(stdin, str) else stdin
        threading.Thread(target=_feed, args=(child.stdin, text), daemon=True).start()
    _wait(child, timeout, (out, err))
    for reader in readers:
        reader.join(_GRACE_SECONDS)  # a grandchild may keep the pipe open; its words are not ours to wait for
    if out.full or err.full:
        raise _TooMuch
    return "".join(out.lines), "".join(err.lines)


def _wait(child: subprocess.Popen[bytes], timeout: float, streams: Sequence[_Collected]) -> None:
    """Raises TimeoutError past the deadline, _TooMuch for a stream that is full, Transient when somebody stops us."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            child.wait(min(_ASKED_EVERY_SECONDS, max(0.0, deadline - time.monotonic())))
        except subprocess.TimeoutExpired:
            interrupt.check()
            if any(stream.full for stream in streams):
                raise _TooMuch from None
            if time.monotonic() >= deadline:
                raise TimeoutError from None
        else:
            return


def _feed(stream: IO[bytes], text: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), stream:
        stream.write(text)


def _pump(stream: IO[bytes], into: _Collected, hide: Redactor, on_line: Callable[[str], None] | None) -> None:
    for raw in _lines(stream, into.most):
        if not into.takes(raw):
            continue
        text = hide(raw.decode("utf-8", "replace"))
        into.lines.append(text)
        if on_line is not None:
            with contextlib.suppress(Exception):  # a progress line that can't be drawn must not stop the draining
                on_line(text.rstrip("\n"))


def _lines(stream: IO[bytes], most: int | None) -> Iterator[bytes]:
    """The lines; one longer than `most` bytes comes in pieces."""
    with stream:
        while raw := stream.readline(-1 if most is None else most + 1):
            yield raw


def _end(child: subprocess.Popen[bytes], stop: signal.Signals) -> None:
    """End the whole process group: politely, then for good."""
    for sig, wait in ((stop, _GRACE_SECONDS), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, sig)
            os.killpg(child.pid, signal.SIGCONT)  # who stopped us may have stopped it, too: it is to hear this
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(wait)
            break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
