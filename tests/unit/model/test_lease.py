"""Who may take a lease is decided by values only."""

from __future__ import annotations

import datetime

import pytest

from reconciler.model.lease import Lease, Standing, standing

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
    assert standing(there, "me", ["mine", "before"], NOW, grace=10) is expected


def test_nobody_without_a_past_owns_anything() -> None:
    assert standing(lease(60, host="me", id_=""), "me", [], NOW, grace=10) is Standing.OTHERS


def test_times_of_other_zones_are_the_same_times() -> None:
    tokyo = datetime.timezone(datetime.timedelta(hours=9))
    there = Lease("a", 7, "1", NOW, (NOW + datetime.timedelta(seconds=1)).astimezone(tokyo))
    assert standing(there, "me", [], NOW, grace=0) is Standing.OTHERS


def test_what_people_read() -> None:
    assert str(lease(90)) == "a (process 7) until 2026-11-24 12:01:30 UTC"
