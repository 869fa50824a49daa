"""A first signal asks, a second one ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reconciler import interrupt
from reconciler.errors import Transient
from reconciler.process import run

SCRIPT = """
    import signal, sys
    from reconciler import interrupt
    from reconciler.errors import Transient
    from reconciler.process import run
    interrupt.listen(signal.SIGTERM)
    print("ready", flush=True)
    try:
        run([sys.executable, "-c", sys.argv[1]], timeout=60, on_line=lambda line: print(line, flush=True))
    except Transient as error:
        print(error.message, flush=True)
"""
POLITE = """
import signal, sys, time
def end(*_):
    print("written down", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("at work", flush=True)
time.sleep(60)
"""
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("at work", flush=True)
time.sleep(60)
"""


def started(tmp_path: Path, program: str) -> subprocess.Popen[str]:
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    running = subprocess.Popen([sys.executable, script, program], stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    assert [running.stdout.readline().strip() for _ in range(2)] == ["ready", "at work"]
    return running


def test_the_first_lets_a_program_write_down_what_it_has(tmp_path: Path) -> None:
    running = started(tmp_path, POLITE)
    running.send_signal(signal.SIGTERM)
    said, _ = running.communicate(timeout=30)
    assert said.split("\n")[:2] == ["written down", "interrupted"]
    assert running.returncode == 0


def test_the_second_ends_at_once(tmp_path: Path) -> None:
    running = started(tmp_path, DEAF)
    running.send_signal(signal.SIGTERM)
    try:
        running.wait(2)
    except subprocess.TimeoutExpired:
        running.send_signal(signal.SIGTERM)
    assert running.wait(5) == -signal.SIGTERM


def test_a_thread_with_a_reason_of_its_own_ends_what_it_runs_and_no_other_does() -> None:
    ended = threading.Event()
    with interrupt.unless(lambda: "the lease is lost" if ended.is_set() else ""):
        interrupt.check()
        threading.Timer(0.3, ended.set).start()
        with pytest.raises(Transient, match="the lease is lost"):
            run([sys.executable, "-c", "import time; time.sleep(60)"], timeout=60)
        with ThreadPoolExecutor(1) as pool:
            assert not pool.submit(interrupt.requested).result()
    assert not interrupt.requested()


ELSEWHERE = """
    import signal, threading, time
    from reconciler import interrupt
    interrupt.listen(signal.SIGTERM)
    other = threading.Thread(target=time.sleep, args=(60,), daemon=True)
    other.start()
    def later():
        time.sleep(0.5)
        signal.pthread_kill(other.ident, signal.SIGTERM)
    threading.Thread(target=later, daemon=True).start()
    interrupt.wait(50)
    print(interrupt.requested())
"""


def test_reasons_add_up_and_who_knows_is_asked_only_before_something_is_begun() -> None:
    cheap, sure = [""], [""]
    with interrupt.unless(lambda: cheap[0], certain=lambda: sure[0]), interrupt.unless():
        check_own = interrupt.own_check()
        sure[0] = "taken over"
        interrupt.check()
        with pytest.raises(Transient, match="taken over"):
            interrupt.check_certain()
        cheap[0], sure[0] = "lost", ""
        for check in (interrupt.check, interrupt.check_own, interrupt.check_certain, check_own):
            with pytest.raises(Transient, match="lost"):
                check()
        with ThreadPoolExecutor(1) as pool:
            assert not pool.submit(interrupt.requested).result()
            assert isinstance(pool.submit(check_own).exception(), Transient)
    interrupt.check_certain()


def test_a_signal_that_another_thread_was_given_ends_the_wait() -> None:
    argv = [sys.executable, "-c", textwrap.dedent(ELSEWHERE)]
    assert subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True).stdout == "True\n"


HUNG_UP = """
    import fcntl, os, signal, sys, termios
    from pathlib import Path
    from reconciler import interrupt
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup
    interrupt.listen(signal.SIGTERM)
    print("ready", flush=True)
    interrupt.wait(30)
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGHUP)
        print("said to nobody", flush=True)
    Path(sys.argv[1]).write_text(str(interrupt.requested()))
"""


def test_a_terminal_that_is_closed_lets_it_end_politely(tmp_path: Path) -> None:
    script, written = tmp_path / "script.py", tmp_path / "written"
    script.write_text(textwrap.dedent(HUNG_UP))
    master, slave = os.openpty()

    argv = [sys.executable, str(script), str(written)]
    running = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    assert b"ready" in os.read(master, 100)
    os.close(master)
    assert running.wait(30) == 0
    assert written.read_text() == "True"


@pytest.mark.parametrize(("before", "code"), [(signal.SIG_IGN, "False"), (signal.SIG_DFL, "True")])
def test_who_started_us_may_have_it_ignored(before: signal.Handlers, code: str) -> None:
    text = f"""
    import os, signal
    from reconciler import interrupt
    signal.signal(signal.SIGHUP, {int(before)})
    interrupt.listen(signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGHUP)
    print(interrupt.requested())
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(text)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == code
