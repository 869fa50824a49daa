"""One cycle per cluster in one folder of state: what lies there is written by one at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import Transient
from ..files import unwritable


@contextmanager
def one_cycle(state: Path, cluster: str) -> Iterator[None]:
    """Keep every other cycle of the cluster from this folder of state while the block runs. The kernel lets go of the
    lock when its holder dies. Raises Transient while another one runs, and where we may not write: it may be another
    user's folder."""
    file = state / cluster / "lock"
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        opened = file.open("w")
    except OSError as error:
        raise unwritable(file, error) from None
    with opened as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            hint = "wait for it to end, or look for it with: ps aux | grep reconciler"
            raise Transient(f"another cycle for {cluster!r} is running", hint=hint) from None
        yield
