"""One playbook at a time per cluster: among reconcilers, and after one that was killed while its playbook ran."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import Permanent, Transient

_PATIENCE_SECONDS = 5.0  # a playbook whose reconciler died ends by itself well within this


@contextmanager
def turn(cluster: str, ours: Path, playbook: Path) -> Iterator[None]:
    """Hold the lock `ours` while the block runs, with no process left over that holds the lock `playbook`: neither
    before nor after. Raises Transient when another reconciler is at work on the cluster."""
    with _held(ours) as held:
        if not held:
            raise Transient(f"another reconciler runs a playbook on {cluster}", hint="wait until it is done")
        end_leftover(playbook)
        try:
            yield
        finally:
            end_leftover(playbook)


def end_leftover(lock: Path) -> None:
    """Wait for the processes that hold `lock`, then end them. Raises Permanent when they won't end."""
    if _free_within(lock, _PATIENCE_SECONDS):
        return
    # a process group's id is not given out again while one of the group lives, and one does: it holds the lock
    with contextlib.suppress(ProcessLookupError, ValueError):
        os.killpg(int(lock.read_text()), signal.SIGKILL)
    if not _free_within(lock, _PATIENCE_SECONDS):
        raise Permanent("a playbook of an earlier run does not end", hint=f"see which processes hold {lock} (`fuser`)")


def _free_within(lock: Path, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        with _held(lock) as held:
            if held or time.monotonic() > deadline:
                return held
        time.sleep(0.05)


@contextmanager
def _held(lock: Path) -> Iterator[bool]:
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
