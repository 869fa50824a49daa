"""A first SIGTERM lets what runs end politely and be written down; a second one ends at once. So does a terminal that
is closed, however often that is said. A thread can have a reason of its own to end what it runs."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType

from .errors import Transient

_TURN_SECONDS = 0.5
_asked = threading.Event()


def _none() -> str:
    return ""


# of one thread: why one cycle has to end is nothing to the others
_own: ContextVar[Callable[[], str]] = ContextVar("_own", default=_none)
_certain: ContextVar[Callable[[], str]] = ContextVar("_certain", default=_none)


def requested() -> bool:
    """Did somebody ask us to stop, or has this thread a reason of its own to?"""
    return _asked.is_set() or bool(_own.get()())


@contextmanager
def unless(reason: Callable[[], str] = _none, *, certain: Callable[[], str] = _none) -> Iterator[None]:
    """While the block runs, this thread is to stop as soon as `reason` says why ("": go on). `certain` says the same
    and may take its time: it asks whoever knows. What was asked outside of the block is asked as well."""
    cheap, sure = _own.get(), _certain.get()
    tokens = _own.set(lambda: cheap() or reason()), _certain.set(lambda: sure() or certain())
    try:
        yield
    finally:
        _own.reset(tokens[0])
        _certain.reset(tokens[1])


def wait(seconds: float) -> None:
    """Sleep, unless somebody asks us to stop. In short turns: the kernel may hand a signal to another thread, and
    Python calls its handler only when this one wakes."""
    end = time.monotonic() + seconds
    while not _asked.is_set() and (left := end - time.monotonic()) > 0:
        _asked.wait(min(left, _TURN_SECONDS))


def check() -> None:
    """Raises Transient when we are to stop: called before something new is begun."""
    if reason := "interrupted" if _asked.is_set() else _own.get()():
        raise _stopped(reason)


def check_own() -> None:
    """Raises Transient when this thread has a reason of its own to stop: called between the changes that one step makes
    and that a SIGTERM lets it finish."""
    own_check()()


def own_check() -> Callable[[], None]:
    """`check_own` for the threads that work for this one."""
    reason = _own.get()

    def check() -> None:
        if why := reason():
            raise _stopped(why)

    return check


def check_certain() -> None:
    """Raises Transient like `check`, and asks whoever knows: called right before something is started that changes
    what others may change, too."""
    check()
    if reason := _certain.get()():
        raise _stopped(reason)


def _stopped(reason: str) -> Transient:
    return Transient(reason, hint="run it again, it goes on from where things are")


def listen(*numbers: signal.Signals, also: Callable[[], None] = lambda: None) -> None:
    """From now on these signals ask us to stop, and call `also` once: in the main thread, between any two of its
    instructions. So does SIGHUP, unless whoever started us had it ignored (nohup)."""

    def ask(number: int, frame: FrameType | None) -> None:
        _ask(number, frame)
        also()

    def hung_up(number: int, frame: FrameType | None) -> None:
        if not _asked.is_set():  # the kernel says it, and a shell once more
            _leave_terminal()
            ask(number, frame)

    for number in numbers:
        signal.signal(number, ask)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, hung_up)


def forget() -> None:
    """Start over, as in a new process."""
    _asked.clear()


def _ask(number: int, _: FrameType | None) -> None:
    if _asked.is_set():
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
    _asked.set()


def _leave_terminal() -> None:
    """A terminal that is gone fails whatever is still said to it, and what is under way must not fail for that."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        with contextlib.suppress(OSError):  # it was closed from the start
            if stat.S_ISCHR(os.fstat(stream).st_mode):
                os.dup2(nowhere, stream)
    os.close(nowhere)
