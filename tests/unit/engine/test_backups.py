"""When a snapshot is due, which of them go, and what reports say: by names and times alone."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.engine.backups import Kept, before_anew, due, newest, newest_told, notices, raised, surplus
from reconciler.model.backup import Backup
from reconciler.model.change import Severity
from reconciler.model.desired import Backups
from reconciler.model.plan import Plan

NOW = datetime.datetime(2026, 11, 29, 12, tzinfo=datetime.UTC)
DAILY = Backups(schedule="1d", keep=3, to="folder")
moments = st.datetimes(
    datetime.datetime(1970, 1, 1), datetime.datetime(2200, 1, 1), timezones=st.just(datetime.UTC)
).map(lambda moment: moment.replace(microsecond=0))
backups = st.builds(Backup, moments, st.integers(0, 10**18))


def ago(hours: float, revision: int = 7) -> Backup:
    return Backup(NOW - datetime.timedelta(hours=hours), revision)


@given(backups)
def test_a_name_says_all_there_is_to_know(backup: Backup) -> None:
    assert Backup.parse(backup.name) == backup


@pytest.mark.parametrize(
    "name",
    [
        "", "20261129T120000Z-7.db", "20261129T120000Z-7.db.age.part", ".20261129T120000Z-7.db.age.part",
        "20261329T120000Z-7.db.age", "20261129T120000Z-07.db.age", "../20261129T120000Z-7.db.age",
        "20261129T120000Z-7.db.age\n", "x20261129T120000Z-7.db.age", "\uff120261129T120000Z-7.db.age",
    ],
)  # fmt: skip
def test_what_is_called_otherwise_is_nobodys_of_ours(name: str) -> None:
    assert Backup.parse(name) is None


@given(st.lists(backups, unique=True), st.integers(1, 10))
def test_the_newest_stay_and_one_always_does(kept: Sequence[Backup], keep: int) -> None:
    latest = max((backup.taken for backup in kept), default=NOW)
    gone = surplus(kept, keep, latest)
    lost = before_anew(kept, latest)
    left = set(kept) - set(gone)
    assert len(left) - min(keep, len(kept)) <= (1 if lost else 0)
    assert not kept or max(kept) in left
    assert not lost or lost in left
    left -= {lost}
    assert all(a < b for a in gone for b in left)


def test_the_last_one_of_an_etcd_that_was_lost_stays_and_is_told() -> None:
    oldest, last, empty, later = ago(90, 5_000), ago(60, 6_000), ago(30, 40), ago(1, 90)
    assert surplus((oldest, last, empty, later), 1, NOW) == (oldest, empty)
    (notice,) = notices(Kept((last, later)), DAILY, NOW)
    assert notice.severity is Severity.MEDIUM
    assert f"etcd began anew after {last.name}, which is kept" in notice.why
    restored = ago(0, 40 + raised(later, NOW))
    assert before_anew((last, empty, restored), NOW) is None


def test_what_is_not_of_the_past_neither_counts_nor_makes_others_go() -> None:
    odd, own, before = ago(-24 * 365 * 1000), ago(0), ago(30)
    assert due(Kept((odd, before)), DAILY, NOW)
    assert surplus((odd, own, before), 1, NOW) == (before,)
    (notice,) = notices(Kept((odd, own)), DAILY, NOW)
    assert (notice.severity, notice.live) == (Severity.MEDIUM, NOW.isoformat(timespec="seconds"))
    assert f"{odd.name} is not of the past and counts for nothing" in notice.why
    (notice,) = notices(Kept((odd,)), DAILY, NOW)
    assert (notice.severity, notice.live) == (Severity.HIGH, None)


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        (Kept(), True), (Kept((ago(23.9),)), False), (Kept((ago(24), ago(99))), True),
        (Kept(unknown="the disk is not mounted"), False),
        (Kept((ago(-0.1),)), False),  # another machine's clock is ahead
    ],
)  # fmt: skip
def test_one_is_due_by_the_age_of_the_newest(kept: Kept, expected: bool) -> None:
    assert due(kept, DAILY, NOW) is expected


@pytest.mark.parametrize(
    ("kept", "level", "words"),
    [
        (Kept((ago(3), ago(90))), Severity.INFO, "20261129T090000Z-7.db.age, taken 2026-11-29 09:00 UTC"),
        (Kept((ago(36),)), Severity.MEDIUM, "late"),
        (Kept((ago(3),), failed="no room"), Severity.MEDIUM, "another could not be taken: no room"),
        (Kept((ago(72),)), Severity.HIGH, "older than three times its schedule"),
        (Kept(), Severity.HIGH, "there is no snapshot of etcd"),
        (Kept(failed="refused"), Severity.HIGH, "none could be taken: refused"),
        (Kept(unknown="no folder"), Severity.HIGH, "not known: no folder"),
        (Kept(unknown="no folder", hint="mount it"), Severity.HIGH, "not known: no folder (mount it)"),
    ],
)
def test_every_report_says_how_old_the_newest_is(kept: Kept, level: Severity, words: str) -> None:
    (notice,) = notices(kept, DAILY, NOW)
    assert (notice.severity, words in notice.why) == (level, True), notice.why
    plan = Plan("demo", "c0ffee", (notice,))
    assert plan.in_sync
    last = newest(kept, NOW)
    assert newest_told(plan) == (last.taken if last else None)


def test_a_report_stays_as_it_is_while_nothing_happens() -> None:
    kept = Kept((ago(1),))
    later = NOW + datetime.timedelta(hours=20)
    assert notices(kept, DAILY, NOW) == notices(kept, DAILY, later)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(1, 10**9)), min_size=2, max_size=2))
def test_no_revision_is_given_twice_whatever_is_restored_after_what(restores: Sequence[tuple[int, int]]) -> None:
    """Each a snapshot's revision, and how many seconds after the one before it is restored."""
    (first, _), (second, seconds) = restores
    before = first + raised(Backup(NOW, first), NOW)
    made = before + seconds * 999
    later = NOW + datetime.timedelta(seconds=seconds)
    for revision in (second, first, made):
        assert revision + raised(Backup(NOW, revision), later) > made
