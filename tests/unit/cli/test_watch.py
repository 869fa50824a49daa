"""`plan --watch`: again when a ref moved, printed when it is another one."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from reconciler.cli.watch import Again, watched
from reconciler.model.outcome import Status
from reconciler.model.plan import Plan
from reconciler.report.view import View, view

PLAN = view(Plan("demo", "c0ffee"), status=Status.IN_SYNC)


class Enough(Exception):
    """Ends a test's watch."""


def test_only_another_plan_is_shown() -> None:
    other = replace(PLAN, digest="another", status=Status.DRIFTED)
    looks = iter([[PLAN], [PLAN], [replace(PLAN, results=())], [other], [other], []])
    shown: list[list[View]] = []

    def look() -> list[View]:
        try:
            return next(looks)
        except StopIteration:
            raise Enough from None

    again = Again(0)
    with pytest.raises(Enough):
        watched(look, shown.append, again)
    assert shown == [[PLAN], [other], []]


def test_a_ref_that_moved_ends_the_wait() -> None:
    again = Again(60)
    threading.Timer(0.05, again.moved).start()
    started = time.monotonic()
    again.wait()
    assert time.monotonic() - started < 30


def test_what_moved_during_a_look_is_looked_at_again() -> None:
    again = Again(60)
    again.moved()
    again.wait()  # returns at once
    Again(0).wait()
