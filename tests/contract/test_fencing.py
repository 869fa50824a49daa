"""What keeps a holder that slept past its lease from writing: numbers that go on, and a commit that is in its way."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from reconciler.adapters.git import GitRepository, leases
from reconciler.control.lease import Lost, Terms, leased
from reconciler.errors import Transient
from reconciler.model.lease import LAST_NUMBER
from reconciler.progress import QuietProgress
from tests.contract.test_git import Make, clone, git, remote
from tests.contract.test_git_leases import AUTHOR, REF, planted, store

__all__ = ["clone", "remote"]


def number(remote: Path) -> int:
    """The number of the last lease on the remote."""
    return int(json.loads(git(remote, "show", f"{REF}:lease.json"))["number"])


def test_numbers_go_on_where_the_ref_was_deleted_or_holds_something_else(
    remote: Path, clone: Make, tmp_path: Path
) -> None:
    """By what this machine remembers, and by what was recorded; a forged one is met and stops nobody."""
    folder, numbers = clone("one"), []

    def took(recorded: int = 0, state: str = "state") -> int:
        (tmp_path / state / "demo").mkdir(parents=True, exist_ok=True)
        with leased(Terms(store(folder)), "demo", tmp_path / state, QuietProgress(), recorded=recorded) as tenure:
            assert tenure
            tenure.check(recorded)
            numbers.append((tenure.lease.number, number(remote)))
        return number(remote)

    assert [took(), took()] == [1, 2]
    git(remote, "update-ref", "-d", REF)
    assert took() == 3
    git(remote, "update-ref", "-d", REF)
    assert took(recorded=40, state="another machine's") == 41
    released = git(remote, "show", f"{REF}:lease.json")
    planted(folder, released.replace('"number": 41', f'"number": {LAST_NUMBER}'))
    assert [took(), took(recorded=LAST_NUMBER)] == [LAST_NUMBER, LAST_NUMBER]
    assert all(held == written for held, written in numbers)


def repository(folder: Path) -> GitRepository:
    return GitRepository(folder, author=AUTHOR)


def test_a_number_that_is_none_counts_for_nothing(clone: Make) -> None:
    one, two = repository(clone("one")), repository(clone("two"))
    assert one.lease_number("demo") == 0
    last = 0
    for turn, (said, number) in enumerate({
        "12": 12, "-13": None, "1" * 400: None, "\u0661": None, "0x10": None, "9" * 16: LAST_NUMBER, "13": 13,
    }.items()):  # fmt: skip
        last = last if number is None else number
        one.record("demo", {"demo/x": f"{turn}"}, f"demo: in sync\n\nChanges: 0\nLease-Number: {said}\n")
        two.fetch()
        assert two.lease_number("demo") == last
    assert two.lease_number("other") == 0


@pytest.mark.parametrize("recorded", [False, True])
def test_what_was_ready_to_be_pushed_before_a_takeover_comes_too_late(
    remote: Path, clone: Make, recorded: bool
) -> None:
    """On the first record of all as well. What is recorded stays as it is."""
    one, two = repository(clone("one")), repository(clone("two"))
    if recorded:
        two.record("demo", {"demo/x": "0"}, "demo: in sync\n")
    asked = 0

    def files(_: Mapping[str, bytes]) -> Mapping[str, str]:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise Lost("asked again")
        two.fence("demo", "demo: lease taken over\n")  # as if we slept between this question and the push
        return {"demo/x": "1"}

    with pytest.raises(Lost, match="asked again"):
        one.record("demo", files, "demo: in sync\n")
    told = git(remote, "log", "--format=%s", "observed").splitlines()
    assert told == ["demo: lease taken over", *["demo: in sync"] * recorded]
    two.fetch()
    assert two.observed("demo") == ({"demo/x": b"0"} if recorded else {})
    assert two.record("demo", {"demo/x": "2"}, "demo: in sync\n")


def test_who_lost_the_lease_looks_for_no_damage(clone: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every object of the clone would be read for it."""
    one = repository(clone("one"))

    def look(_: object) -> bool:
        raise AssertionError("looked for damage")

    monkeypatch.setattr(one, "_mend", look)

    def files(_: Mapping[str, bytes]) -> Mapping[str, str]:
        raise Lost("taken over")

    with pytest.raises(Lost):
        one.record("demo", files, "demo: in sync\n")


def test_a_lease_that_cant_be_read_while_something_is_recorded_stops_nothing_for_ever(
    clone: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody took it over, and what he pushed does not arrive: the clone is looked at, which is locked by then."""
    folder, eve, ended = clone("one"), clone("eve"), threading.Event()
    (tmp_path / "state/demo").mkdir(parents=True)

    def cut_off(*_: object) -> str:
        raise Transient("the git remote 'origin' can't be reached")

    def record() -> None:
        with leased(Terms(store(folder)), "demo", tmp_path / "state", QuietProgress()) as tenure:
            assert tenure

            def files(_: Mapping[str, bytes]) -> Mapping[str, str]:
                planted(eve, "no lease")
                monkeypatch.setattr(leases._Place, "fetch", cut_off)
                tenure.check(0)
                raise AssertionError

            with pytest.raises(Lost, match="somebody whose lease can't be read"):
                repository(folder).record("demo", files, "demo: in sync\n")
        ended.set()

    threading.Thread(target=record, daemon=True).start()
    assert ended.wait(60)


def test_without_a_remote_nobody_has_to_be_kept_off(clone: Make, tmp_path: Path) -> None:
    folder = clone("one")
    git(folder, "remote", "remove", "origin")
    repository(folder).fence("demo", "demo: lease taken over\n")
    assert "observed" not in git(folder, "branch", "--all")
