"""One reconciler at a time applies a cluster from this machine, whichever clone or user it is of.

The lock is a name among this machine's sockets (of Linux's abstract ones), which only one process can have: no file
lies about that somebody else could own, delete, link elsewhere or leave behind, the kernel frees it when its holder
dies, and says truly whose process that is.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import hashlib
import json
import os
import pwd
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .. import interrupt
from ..clock import utc_now
from ..errors import Permanent
from .lease import HeldElsewhere, Tenure

_ATTEMPTS = 3  # whoever has it may be gone before it is asked who it is
_ANSWER_SECONDS = 1.0
_ANSWER_BYTES = 4096
_LONGEST = 300  # characters of what a holder says of itself
_CALLERS = 4096  # who calls a holder that is stopped stays in its queue; of a full one nobody hears whose it is
_PEER = struct.Struct("3i")


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What reconcilers of one machine keep apart by: the id of the project that a cloud's login leads to, and the
    `clone`, which is told to whoever is kept off. `project` raises as Cloud.project does."""

    project: Callable[[str], str]
    clone: Path


@contextmanager
def alone_here(there: Neighbours | None, cluster: str, cloud: str, tenure: Tenure | None) -> Iterator[None]:
    """Keep every other reconciler of this machine from applying the cluster while the block runs.

    Who has a lease on the same remote is kept off by that: a holder whose lease `tenure` took over starts nothing more,
    though it may be stopped and have this lock for long. Then the lock is had as soon as that process lets go of it.
    Raises HeldElsewhere, which says whose process has it; Permanent where the cloud names no project, or this machine
    has no such locks.
    """
    if there is None:
        yield
        return
    lock = MachineLock(there.project(cloud), cluster, there.clone)
    if refusal := lock.refused(tenure):
        raise refusal

    def certain() -> str:
        again = lock.refused(tenure)
        return again.message if again else ""

    try:
        with interrupt.unless(certain=certain):
            yield
    finally:
        lock.release()


@dataclass(frozen=True)
class Holder:
    """Whose process has the lock, by the kernel's word (0: one of another container), and what that says of itself."""

    pid: int
    uid: int
    says: str | None = None

    def __str__(self) -> str:
        try:
            user = pwd.getpwuid(self.uid).pw_name
        except KeyError:
            user = f"user {self.uid}"
        process = f"process {self.pid}" if self.pid else "a process in another container"
        return f"{process} of {user}" + (f", {self.says}" if self.says else "")

    @property
    def hint(self) -> str:
        if not self.pid:
            return "wait for it to end; in that container, or outside of all, `ps aux | grep reconciler` finds it"
        shown = f"`ps -fp {self.pid}` says more"
        if self.says is None:
            return f"it does not answer: is it stopped? `kill -CONT {self.pid}` lets it go on; {shown}"
        return f"wait for it to end; {shown}"


@dataclass
class MachineLock:
    """The lock of one cluster in the project with the id `project`, taken from a `clone`."""

    project: str
    cluster: str
    clone: Path
    _socket: socket.socket | None = None
    _answering: threading.Thread | None = None
    _since: datetime.datetime = field(default_factory=utc_now)

    @property
    def name(self) -> str:
        """The socket's name: it says neither project nor cluster, and any machine's is the same for both."""
        digest = hashlib.sha256(f"{self.project}\0{self.cluster}".encode()).hexdigest()
        return f"\0reconciler/{digest}"

    def refused(self, tenure: Tenure | None = None) -> HeldElsewhere | None:
        """Take the lock if we don't have it yet; why we must not go on without it, or None. Raises Permanent where this
        machine has no such locks."""
        for _ in range(_ATTEMPTS):
            if self._socket or self._bound():
                return None
            if holder := self.holder():
                break
        else:
            holder = None
        if holder and tenure and tenure.fenced(holder.pid, began(holder.pid)):
            return None
        return HeldElsewhere(
            f"{self.cluster!r} is applied on this machine by another reconciler: {holder or 'it does not say which'}",
            holder=str(holder or "another reconciler on this machine"),
            hint=holder.hint if holder else "wait for it to end, or look for it with: ps aux | grep reconciler",
        )

    def release(self) -> None:
        """Let go of the lock. A socket lives as long as somebody waits for callers at it."""
        if self._socket is None:
            return
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if self._answering:
            self._answering.join()
        self._socket.close()
        self._socket = None

    def _bound(self) -> bool:
        try:
            ours = socket.socket(socket.AF_UNIX)
            try:
                ours.bind(self.name)
                ours.listen(_CALLERS)
            except OSError:
                ours.close()
                raise
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise Permanent(
                f"this machine can't keep others from applying {self.cluster!r} at once: {error.strerror}",
                hint="abstract sockets of Linux are needed; a sandbox that forbids them has to allow them",
            ) from None
        self._socket = ours
        named = f"lock of {self.cluster}"
        self._answering = threading.Thread(target=self._answer, args=(ours,), name=named, daemon=True)
        self._answering.start()
        return True

    def _answer(self, ours: socket.socket) -> None:
        """Say who we are to whoever is refused."""
        about = json.dumps({"clone": str(self.clone), "since": self._since.isoformat(timespec="seconds")}).encode()
        while True:
            try:
                caller, _ = ours.accept()
            except OSError as error:
                if error.errno in (errno.EINVAL, errno.EBADF):  # released
                    return
                interrupt.wait(_ANSWER_SECONDS)  # no more open files, for now
                continue
            with caller, contextlib.suppress(OSError):
                caller.settimeout(_ANSWER_SECONDS)
                caller.sendall(about)

    def holder(self) -> Holder | None:
        """Who has it, without taking it; None where nobody has it, or that is not to be known."""
        with socket.socket(socket.AF_UNIX) as caller:
            caller.settimeout(_ANSWER_SECONDS)
            try:
                caller.connect(self.name)
                pid, uid, _ = _PEER.unpack(caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
            except OSError:
                return None
            try:
                return Holder(pid, uid, _read(caller.recv(_ANSWER_BYTES)))
            except OSError:
                return Holder(pid, uid)


def _read(answer: bytes) -> str | None:
    """What a holder says of itself. Anybody may have taken the name: it is bounded text, or it counts for nothing."""
    try:
        document = json.loads(answer)
        clone, since = document["clone"], datetime.datetime.fromisoformat(document["since"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    if not isinstance(clone, str) or not clone.isprintable() or len(clone) > _LONGEST:
        return None
    return f"from the clone {clone}, since {since:%Y-%m-%d %H:%M:%S} UTC"


def began(pid: int) -> datetime.datetime | None:
    """When (UTC) a process of this machine began; None where that is not to be known."""
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
        boot = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime "))
        return datetime.datetime.fromtimestamp(int(boot.split()[1]) + ticks / os.sysconf("SC_CLK_TCK"), datetime.UTC)
    except (OSError, ValueError, IndexError, StopIteration):
        return None
