"""Programs are drained, ended, and never say a secret, whatever they do."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from reconciler import process
from reconciler.errors import Permanent, Transient
from reconciler.process import REDACTED, Redactor, run, spawn


def python(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-S", "-E", "-c", textwrap.dedent(code), *map(str, arguments)]


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def test_what_it_said_is_whole() -> None:
    done = run(python("import sys; print('a'); print('b', file=sys.stderr)"), timeout=20)
    assert (done.stdout, done.stderr, done.exit_code) == ("a\n", "b\n", 0)
    assert 0 < done.seconds < 20


def test_much_on_both_streams_at_once_does_not_hang() -> None:
    code = """
        import sys, threading
        def flood(stream):
            for _ in range(3000):
                stream.write("x" * 99 + "\\n")
        threads = [threading.Thread(target=flood, args=(s,)) for s in (sys.stderr, sys.stdout)]
        [t.start() for t in threads]; [t.join() for t in threads]
        """
    done = run(python(code), timeout=60)
    assert (len(done.stdout), len(done.stderr)) == (300_000, 300_000)


def test_stdin_reaches_it_and_none_is_empty() -> None:
    echo = python("import sys; sys.stdout.write(sys.stdin.read())")
    assert run(echo, timeout=20, stdin="péché\n").stdout == "péché\n"
    assert run(echo, timeout=20).stdout == ""


def test_much_on_stdin_that_nobody_reads_does_not_outlive_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_GRACE_SECONDS", 1.0)
    with pytest.raises(Transient, match="did not finish"):
        run(["sleep", "60"], timeout=0.3, stdin="x" * 1_000_000)


def test_a_stream_that_somebody_else_holds_open_is_not_taken_for_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(pipe: IO[bytes]) -> None:
        pipe.read()

    monkeypatch.setattr(process, "_GRACE_SECONDS", 0.2)
    with pytest.raises(Transient, match="its streams did not"):
        process.stream(["sh", "-c", "sleep 3 &"], give=lambda _: None, take=read, timeout=1)


def test_a_program_that_fails_leaves_evidence() -> None:
    code = "import sys; print('out'); [print(n, file=sys.stderr) for n in range(99)]; sys.exit(7)"
    with pytest.raises(Permanent, match="failed with exit code 7") as caught:
        run(python(code), timeout=20)
    evidence = caught.value.evidence
    assert evidence
    assert evidence.exit_code == 7
    assert evidence.last_lines == tuple(str(n) for n in range(59, 99))


def test_exit_codes_that_are_fine() -> None:
    two = python("raise SystemExit(2)")
    assert run(two, timeout=20, ok=(0, 2)).exit_code == 2
    assert run(two, timeout=20, check=False).exit_code == 2


@pytest.mark.parametrize("kind", ["missing", "not executable", "a folder", "no program"])
def test_what_cannot_be_started_is_no_traceback(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "tool"
    if kind == "a folder":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes(b"\x7fELF of another machine")
        path.chmod(0o755 if kind == "no program" else 0o644)
    with pytest.raises(Permanent, match="cannot start") as caught:
        run([path], timeout=5)
    assert caught.value.evidence
    assert caught.value.evidence.command == str(path)


def test_secrets_are_in_nothing_that_comes_back() -> None:
    seen: list[str] = []
    code = "import sys; print('p=' + sys.argv[1]); print(sys.argv[1], file=sys.stderr); sys.exit(1)"
    with pytest.raises(Permanent) as caught:
        run(python(code, "hunter2"), timeout=20, redact=Redactor(["hunter2"]), on_line=seen.append)
    assert seen == [f"p={REDACTED}"]
    assert caught.value.evidence
    assert caught.value.evidence.last_lines == (REDACTED,)
    assert "hunter2" not in repr(caught.value.evidence)


def test_the_longest_secret_goes_first_and_short_ones_stay() -> None:
    hide = Redactor(["pass", "password", "abc", ""])
    assert hide("password pass abc") == f"{REDACTED} {REDACTED} abc"


def test_lines_are_shown_as_they_come_and_a_broken_screen_stops_nothing() -> None:
    lines: list[str] = []
    errors: list[str] = []

    def broken(line: str) -> None:
        lines.append(line)
        raise ZeroDivisionError

    code = """
        import sys
        print("a\\nb", flush=True); print("e", file=sys.stderr)
        sys.stdout.buffer.write(b"\\xff\\n")
        """
    done = run(python(code), timeout=20, on_line=broken, on_error_line=errors.append)
    assert (lines, errors) == (["a", "b", "�"], ["e"])
    assert done.stdout == "a\nb\n�\n"


def test_the_environment_and_folder_are_the_ones_given(tmp_path: Path) -> None:
    code = "import os; print(os.getcwd(), os.environ.get('A'), os.environ.get('HOME'))"
    assert run(python(code), timeout=20, cwd=tmp_path, env={"A": "b"}).stdout == f"{tmp_path} b None\n"


def test_the_deadline_ends_it_politely(tmp_path: Path) -> None:
    code = """
        import pathlib, signal, sys, time
        def stop(*_):
            pathlib.Path(sys.argv[1]).write_text("put away")
            sys.exit(0)
        signal.signal(signal.SIGINT, stop)
        time.sleep(60)
        """
    with pytest.raises(Transient, match="did not finish within 2 s"):
        run(python(code, tmp_path / "note"), timeout=2, stop_signal=signal.SIGINT)
    assert (tmp_path / "note").read_text() == "put away"


def test_who_was_stopped_is_ended_politely_too(tmp_path: Path) -> None:
    """Whoever stopped us may have stopped it as well: a stopped program hears no SIGTERM."""
    program = (
        "import os, pathlib, signal, sys\n"
        f"signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path({str(tmp_path / 'polite')!r}).touch(), sys.exit()))\n"
        "os.kill(os.getpid(), signal.SIGSTOP)\n"
        "signal.pause()\n"
    )
    with pytest.raises(Transient, match="did not finish within"):
        run([sys.executable, "-c", program], timeout=3)
    assert (tmp_path / "polite").exists()


def test_the_deadline_ends_a_stubborn_program_and_its_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_GRACE_SECONDS", 0.5)
    code = """
        import os, pathlib, signal, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        pid = os.fork()
        if pid:
            pathlib.Path(sys.argv[1]).write_text(str(pid))
        time.sleep(60)
        """
    started = time.monotonic()
    with pytest.raises(Transient):
        run(python(code, tmp_path / "pid"), timeout=1)
    assert time.monotonic() - started < 15
    wait_for(lambda: not alive(int((tmp_path / "pid").read_text())))


def test_a_grandchild_that_holds_the_pipe_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_GRACE_SECONDS", 0.3)
    code = """
        import os, pathlib, sys, time
        pid = os.fork()
        if pid:
            pathlib.Path(sys.argv[1]).write_text(str(pid)); print("done", flush=True); os._exit(0)
        time.sleep(60)
        """
    done = run(python(code, tmp_path / "pid"), timeout=30)
    assert done.stdout == "done\n"
    assert done.seconds < 15
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_an_interrupt_ends_the_program_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    children: list[int] = []
    real = process._start

    def start(*arguments: object) -> subprocess.Popen[bytes]:
        child = real(*arguments)  # type: ignore[arg-type]
        children.append(child.pid)
        return child

    monkeypatch.setattr(process, "_start", start)
    monkeypatch.setattr(process, "_drain", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(["sleep", "60"], timeout=60)
    assert not alive(children[0])


def test_a_killed_reconciler_leaves_nothing_behind(tmp_path: Path) -> None:
    child = "import os,pathlib,sys,time; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(60)"
    note = tmp_path / "pid"
    parent = f"from reconciler.process import run; run({python(child, note)!r}, timeout=60)"
    mine = subprocess.Popen([sys.executable, "-c", parent], cwd=Path(process.__file__).parents[1])
    try:
        wait_for(lambda: note.exists() and note.read_text())
    finally:
        mine.kill()
        mine.wait()
    wait_for(lambda: not alive(int(note.read_text())))


def test_what_is_spawned_lives_on_in_a_session_of_its_own(tmp_path: Path) -> None:
    child = spawn(python("import os; print(os.getsid(0) == os.getpid(), flush=True)"), log=tmp_path / "log")
    assert child.wait(20) == 0
    child = spawn(python("print('again')"), log=tmp_path / "log")
    assert child.wait(20) == 0
    assert (tmp_path / "log").read_text() == "True\nagain\n"
    assert stat.S_ISREG((tmp_path / "log").stat().st_mode)
