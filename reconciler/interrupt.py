"""A first SIGTERM lets what runs end politely and be written down; a second one ends at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from .errors import Transient

_asked = threading.Event()


def requested() -> bool:
    """Did somebody ask us to stop?"""
    return _asked.is_set()


def wait(seconds: float) -> None:
    """Sleep, unless somebody asks us to stop."""
    _asked.wait(seconds)


def check() -> None:
    """Raises Transient when somebody asked us to stop: called before something new is begun."""
    if requested():
        raise Transient("interrupted", hint="run it again, it goes on from where things are")


def listen(*numbers: signal.Signals) -> None:
    """From now on these signals ask us to stop."""
    for number in numbers:
        signal.signal(number, _ask)


def forget() -> None:
    """Start over, as in a new process."""
    _asked.clear()


def _ask(number: int, _: FrameType | None) -> None:
    if _asked.is_set():
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
    _asked.set()
