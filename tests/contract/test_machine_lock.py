"""Two clones on one machine: one of them applies a cluster at any time, and who is refused hears whose process does."""

from __future__ import annotations

import datetime
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from reconciler import interrupt
from reconciler.control import machine_lock
from reconciler.control.lease import HeldElsewhere, Tenure, Terms, leased
from reconciler.control.machine_lock import Holder, MachineLock, Neighbours, alone_here, began
from reconciler.errors import Permanent, Transient
from reconciler.progress import QuietProgress
from tests.contract.test_git import Make, clone, remote
from tests.contract.test_git_leases import store

__all__ = ["clone", "remote"]

HOLDER = """
    import sys, time
    from pathlib import Path
    from reconciler.control.machine_lock import Neighbours, alone_here

    with alone_here(Neighbours(lambda _: sys.argv[1], Path(sys.argv[2])), "demo", "moc", None):
        print("has it", flush=True)
        time.sleep(600)
"""


@pytest.fixture
def project(tmp_path: Path) -> str:
    """The id of a project that no other test has."""
    return f"project of {tmp_path} {os.getpid()}"


Start = Callable[[], subprocess.Popen[str]]


def stop(process: subprocess.Popen[str]) -> None:
    """Stop a process with all its threads, and see it stopped."""
    process.send_signal(signal.SIGSTOP)
    threads = list(Path(f"/proc/{process.pid}/task").glob("*/stat"))
    while any(thread.read_text().rpartition(")")[2].split()[0] != "T" for thread in threads):
        time.sleep(0.01)


@pytest.fixture
def holder(project: str, tmp_path: Path) -> Iterator[Start]:
    """Another process, of another clone, that holds the lock of demo."""
    running = []

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", textwrap.dedent(HOLDER), project, str(tmp_path / "another clone")]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        assert running[-1].stdout
        assert running[-1].stdout.readline() == "has it\n"
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


def here(project: str, folder: Path) -> Neighbours:
    return Neighbours(lambda _: project, folder)


def test_who_comes_second_hears_whose_process_has_it_and_gets_it_when_that_dies(
    project: str, holder: Start, tmp_path: Path
) -> None:
    first = holder()
    began_at = began(first.pid)
    assert began_at
    assert abs(began_at - datetime.datetime.now(datetime.UTC)) < datetime.timedelta(minutes=5)
    refused = pytest.raises(HeldElsewhere, match="'demo' is applied on this machine by another reconciler")
    with refused as caught, alone_here(here(project, tmp_path), "demo", "moc", None):
        pass
    assert f"process {first.pid} of " in caught.value.message
    assert f"from the clone {tmp_path}/another clone, since 2" in caught.value.message
    with alone_here(here(project, tmp_path), "other", "moc", None):
        pass
    with alone_here(here(f"another {project}", tmp_path), "demo", "moc", None):
        pass
    first.kill()
    first.wait()
    for _ in range(2):
        with alone_here(here(project, tmp_path), "demo", "moc", None):
            pass


def test_of_a_holder_that_is_stopped_the_kernel_says_whose_it_is(project: str, holder: Start, tmp_path: Path) -> None:
    first = holder()
    stop(first)
    with pytest.raises(HeldElsewhere) as caught, alone_here(here(project, tmp_path), "demo", "moc", None):
        pass
    assert f"process {first.pid} of " in caught.value.message
    assert f"is it stopped? `kill -CONT {first.pid}` lets it go on" in str(caught.value.hint)


def test_however_often_one_that_is_stopped_was_called_it_is_known_whose_it_is(
    project: str, holder: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who took its lease over calls it before each step, and must not be kept off by the eleventh call."""
    monkeypatch.setattr(machine_lock, "_ANSWER_SECONDS", 0.02)
    first = holder()
    stop(first)
    lock = MachineLock(project, "demo", tmp_path)
    for _ in range(60):
        refusal = lock.refused()
        assert refusal
        assert f"process {first.pid} of " in refusal.message


def test_of_a_holder_in_another_container_no_number_is_told() -> None:
    holder = Holder(0, 0)
    assert str(holder) == "a process in another container of root"
    assert "ps -fp" not in holder.hint


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"\xff\x00", b"[" * 4000, b"{}", b"[]", b'"a"', b'{"clone": 1, "since": "2026-11-24T12:00:00"}',
        b'{"clone": "\\u001b[31m", "since": "2026-11-24T12:00:00"}', b'{"clone": "a", "since": 1}',
        b'{"clone": "' + b"a" * 1000 + b'", "since": "2026-11-24T12:00:00"}',
    ],
)  # fmt: skip
def test_whoever_took_the_name_may_say_what_he_likes(project: str, tmp_path: Path, answer: bytes) -> None:
    """He keeps us off, and his process is named; what he says is bounded text, or left out."""
    lock = MachineLock(project, "demo", tmp_path)
    with socket.socket(socket.AF_UNIX) as eve:
        eve.bind(lock.name)
        eve.listen(8)
        with socket.socket(socket.AF_UNIX) as first:
            first.connect(lock.name)
            eve.settimeout(5)
            answering = _answers(eve, answer)
            refusal = lock.refused()
            answering.join()
    assert refusal
    assert f"on this machine by another reconciler: process {os.getpid()} of " in refusal.message
    assert refusal.message.isprintable()
    assert len(refusal.message) < 300


def _answers(eve: socket.socket, answer: bytes) -> threading.Thread:
    def serve() -> None:
        for _ in range(2):
            caller, _address = eve.accept()
            caller.sendall(answer)
            caller.close()

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_nobody_who_does_not_take_calls_is_waited_for(project: str, tmp_path: Path) -> None:
    lock = MachineLock(project, "demo", tmp_path)
    with socket.socket(socket.AF_UNIX) as eve:
        eve.bind(lock.name)
        began_at = time.monotonic()
        refusal = lock.refused()
        assert time.monotonic() - began_at < 10
    assert refusal
    assert "it does not say which" in refusal.message


def test_without_a_project_there_is_no_lock_and_nothing_is_done(tmp_path: Path) -> None:
    def nowhere(_: str) -> str:
        raise Permanent("cloud 'moc' does not say which project it logs us in to")

    with (
        pytest.raises(Permanent, match="which project"),
        alone_here(Neighbours(nowhere, tmp_path), "demo", "moc", None),
    ):
        raise AssertionError


SLEEPER = """
    import sys, time
    from pathlib import Path
    from reconciler import interrupt
    from reconciler.adapters.git import GitLeases
    from reconciler.control.lease import Terms, leased
    from reconciler.control.machine_lock import Neighbours, alone_here
    from reconciler.errors import Transient
    from reconciler.progress import QuietProgress

    clone, state = Path(sys.argv[1]), Path(sys.argv[2])
    (state / "demo").mkdir(parents=True, exist_ok=True)
    terms = Terms(GitLeases(clone, author=("R", "r@example.org")), 3.0, 0.5)
    there = Neighbours(lambda _: sys.argv[3], clone)
    with leased(terms, "demo", state, QuietProgress()) as tenure, alone_here(there, "demo", "moc", tenure):
        print("has it", flush=True)
        sys.stdin.readline()
        try:
            interrupt.check_certain()
            print("goes on", flush=True)
        except Transient as error:
            print(error, flush=True)
"""


def test_a_holder_that_slept_past_its_lease_keeps_nobody_with_a_lease_off_and_starts_nothing(
    project: str, clone: Make, tmp_path: Path
) -> None:
    """Who has no lease on that remote waits for its process: nothing else would stop it."""
    command = [sys.executable, "-c", textwrap.dedent(SLEEPER), str(clone("one")), str(tmp_path / "one-state"), project]
    first = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert first.stdout
        assert first.stdout.readline() == "has it\n"
        stop(first)
        there, place = here(project, tmp_path), clone("two")
        with pytest.raises(HeldElsewhere), alone_here(there, "demo", "moc", None):
            pass
        for _ in range(2):  # the second time it is not the one whose lease was taken over
            with _leased(place, tmp_path / "two-state") as tenure, alone_here(there, "demo", "moc", tenure):
                interrupt.check_certain()
        with leased(Terms(store(place), 60), "demo", tmp_path / "two-state", QuietProgress()) as tenure:
            assert tenure
            with alone_here(there, "demo", "moc", tenure):
                first.send_signal(signal.SIGCONT)
                said = first.communicate("\n", timeout=60)[0]
                assert "the lease of 'demo' was lost" in said
                interrupt.check_certain()  # and now the lock is had
                with pytest.raises(HeldElsewhere), alone_here(there, "demo", "moc", None):
                    pass
    finally:
        first.kill()
        first.communicate()


@contextmanager
def _leased(place: Path, state: Path) -> Iterator[Tenure | None]:
    """The lease, as soon as it can be had."""
    (state / "demo").mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        deadline = time.monotonic() + 60
        while True:
            try:
                tenure = held.enter_context(leased(Terms(store(place), 60, 0.5), "demo", state, QuietProgress()))
                break
            except Transient:
                assert time.monotonic() < deadline
                time.sleep(0.2)
        yield tenure
