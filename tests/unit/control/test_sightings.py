"""When a value was first seen: known by who saw it, whatever the clock says, and by who comes after."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from reconciler.control.sightings import Sightings

NOW = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)


def test_it_is_the_same_for_this_process_and_the_next(tmp_path: Path) -> None:
    file, steady = tmp_path / "seen", [100.0]
    one = Sightings(lambda: steady[0])
    assert one.first(file, "a", NOW) == NOW
    steady[0] += 60
    assert one.first(file, "a", NOW + MINUTE) == NOW
    assert Sightings().first(file, "a", NOW + 5 * MINUTE) == NOW
    assert Sightings().first(file, "b", NOW + 5 * MINUTE) == NOW + 5 * MINUTE


def test_a_clock_that_is_set_moves_nothing_for_who_was_there(tmp_path: Path) -> None:
    file, steady = tmp_path / "seen", [100.0]
    one = Sightings(lambda: steady[0])
    one.first(file, "a", NOW)
    steady[0] += 60
    for clock in (NOW + 600 * MINUTE, NOW - 600 * MINUTE):
        assert clock - one.first(file, "a", clock) == MINUTE


def test_a_clock_that_was_set_back_counts_from_now(tmp_path: Path) -> None:
    file = tmp_path / "seen"
    Sightings().first(file, "a", NOW)
    assert Sightings().first(file, "a", NOW - MINUTE) == NOW - MINUTE
    assert Sightings().first(file, "a", NOW) == NOW - MINUTE


@pytest.mark.parametrize("text", [b"", b"a", b"a b c", b"a 2026-11-24T12:00:00", b"a yesterday", b"\xff\xfe"])
def test_a_note_that_cannot_be_read_is_none(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "seen"
    file.write_bytes(text)
    assert Sightings().first(file, "a", NOW) == NOW
    assert Sightings().first(file, "a", NOW + MINUTE) == NOW
