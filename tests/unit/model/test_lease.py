"""Who may take a lease is decided by values only."""

from __future__ import annotations

import datetime

import pytest

from reconciler.model.lease import Lease, Standing, Unreadable, standing

NOW = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)


def lease(ends: float, *, host: str = "a", id_: str = "1") -> Lease:
    """A lease that ends in so many seconds."""
    return Lease(host, 7, id_, NOW, NOW + datetime.timedelta(seconds=ends))


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (None, Standing.FREE),
        (lease(60), Standing.OTHERS),
        (lease(0), Standing.OTHERS),
        (lease(-9.9), Standing.OTHERS),
        (lease(-10), Standing.EXPIRED),
        (lease(60, host="me", id_="mine"), Standing.MINE),
        (lease(60, host="me", id_="before"), Standing.MINE),
        (lease(-60, host="me", id_="mine"), Standing.MINE),
        (lease(60, host="me"), Standing.OTHERS),
        (lease(60, host="copy of me", id_="mine"), Standing.OTHERS),
    ],
)
def test_standing(there: Lease | None, expected: Standing) -> None:
    assert standing(there, "me", ["mine", "before"], NOW, 10, NOW) is expected


HOUR = datetime.timedelta(hours=1)
EVER = Lease("a", 7, "1", NOW, datetime.datetime.max.replace(tzinfo=datetime.UTC))


@pytest.mark.parametrize("there", [EVER, Unreadable("it has no file lease.json"), lease(3600)])
def test_whatever_it_says_it_ends_an_hour_after_it_was_first_seen(there: Lease | Unreadable) -> None:
    grace = datetime.timedelta(seconds=10)
    almost, over = (NOW - HOUR - grace + datetime.timedelta(seconds=s) for s in (1, 0))
    assert standing(there, "me", [], NOW, 10, almost) is Standing.OTHERS
    assert standing(there, "me", [], NOW, 10, over) is Standing.EXPIRED
    assert standing(there, "me", [], NOW, 10, NOW) is Standing.OTHERS


def test_a_time_that_lies_far_back_is_over() -> None:
    there = Lease("a", 7, "1", NOW, datetime.datetime.min.replace(tzinfo=datetime.UTC))
    assert standing(there, "me", [], NOW, 10, NOW) is Standing.EXPIRED


def test_nobody_without_a_past_owns_anything() -> None:
    assert standing(lease(60, host="me", id_=""), "me", [], NOW, 10, NOW) is Standing.OTHERS


def test_times_of_other_zones_are_the_same_times() -> None:
    tokyo = datetime.timezone(datetime.timedelta(hours=9))
    there = Lease("a", 7, "1", NOW, (NOW + datetime.timedelta(seconds=1)).astimezone(tokyo))
    assert standing(there, "me", [], NOW, 0, NOW) is Standing.OTHERS


def test_what_people_read() -> None:
    assert str(lease(90)) == "a (process 7) until 2026-11-24 12:01:30 UTC"
