"""Older never replaces newer, and a wrong clock keeps nobody from recording."""

from __future__ import annotations

import datetime

import pytest

from reconciler.engine.freshness import replaces

NOW = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)


def before(seconds: float) -> datetime.datetime:
    return NOW - datetime.timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("ours", "theirs", "unchanged", "after_it", "may"),
    [
        (before(1), before(2), False, False, True),
        (before(2), before(2), False, False, True),
        (before(3), before(2), False, False, False),
        (before(3), before(2), True, False, False),  # a listing that was shared, from before their look
        (before(3), before(2), True, True, True),  # it was here before we looked: their clock is ahead
        (before(3), None, True, False, True),  # written by 0.1.0, and what the cycle began with
        (before(3), None, False, False, False),  # written by 0.1.0 meanwhile
        (before(3), before(-60), True, False, True),  # from the future: their clock says nothing
        (before(3), before(-60), False, False, False),
    ],
)
def test_which_look_is_newer(
    ours: datetime.datetime, theirs: datetime.datetime | None, unchanged: bool, after_it: bool, may: bool
) -> None:
    assert replaces(ours, theirs, NOW, unchanged=unchanged, after_it=after_it) is may
