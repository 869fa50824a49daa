"""Leases on a real remote, by several processes: one has it at any time, and who is killed loses it."""

from __future__ import annotations

import datetime
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.adapters.git import GitLeases, leases
from reconciler.control.lease import HeldElsewhere, Terms, leased
from reconciler.control.sightings import Sightings
from reconciler.errors import Invalid, Permanent, Transient
from reconciler.model.lease import Lease, Unreadable
from reconciler.progress import QuietProgress
from tests.contract.test_git import Make, clone, git, remote

__all__ = ["clone", "remote"]

AUTHOR = ("Reconciler", "reconciler@example.org")
REF = "refs/reconciler/leases/demo"

# Takes the lease `times` times, or until it is killed, and appends to one log what it does while it has it.
HOLDER = """
    import os, random, signal, sys, time
    from pathlib import Path
    from reconciler import interrupt
    from reconciler.adapters.git import GitLeases, leases
    from reconciler.control.lease import Terms, leased
    from reconciler.errors import Transient
    from reconciler.progress import QuietProgress

    clone, state, log, seconds, grace, hold, times = (*map(Path, sys.argv[1:4]), *map(float, sys.argv[4:]))
    terms = Terms(GitLeases(clone, author=("R", "r@example.org")), seconds, grace)
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    interrupt.listen(signal.SIGTERM)
    (state / "demo").mkdir(parents=True, exist_ok=True)

    def say(word):
        os.write(out, f"{word} {os.getpid()}\\n".encode())

    done = 0
    while done < times:
        try:
            with leased(terms, "demo", state, QuietProgress()):
                say("has")
                ends = time.monotonic() + hold
                while time.monotonic() < ends and not interrupt.requested():
                    time.sleep(0.01)
                try:
                    interrupt.check()
                    say("leaves")
                except Transient as error:
                    say("stops")
                    print(error, flush=True)
                    break
            done += 1
        except Transient as error:
            print(error, flush=True)
            time.sleep(random.uniform(0.05, 0.3))
"""


class Holders:
    """Processes, each on its own clone as on a machine of its own, that share one log."""

    def __init__(self, make: Make, folder: Path) -> None:
        self._make, self._folder = make, folder
        self.log = folder / "log"
        self.script = folder / "holder.py"
        self.script.write_text(textwrap.dedent(HOLDER))
        self.running: dict[str, subprocess.Popen[str]] = {}

    def start(
        self, name: str, *, seconds: float = 60, grace: float = 0.5, hold: float = 60, times: int = 1
    ) -> subprocess.Popen[str]:
        folder = self._folder / name
        place = folder if folder.exists() else self._make(name)
        values = [str(v) for v in (place, self._folder / f"{name}-state", self.log, seconds, grace, hold, times)]
        command = [sys.executable, str(self.script), *values]
        self.running[name] = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return self.running[name]

    def said(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def holders(clone: Make, tmp_path: Path) -> Iterator[Holders]:
    made = Holders(clone, tmp_path)
    yield made
    for process in made.running.values():
        process.kill()
        process.communicate()


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def lease(host: str = "a", ends: float = 60) -> Lease:
    now = datetime.datetime.now(datetime.UTC)
    return Lease(host, 7, f"id of {host}", now, now + datetime.timedelta(seconds=ends))


def over(held: Lease) -> Lease:
    return replace(held, released=datetime.datetime.now(datetime.UTC))


def released(remote: Path) -> bool:
    """Does the remote say that the lease was given back?"""
    return bool(json.loads(git(remote, "show", f"{REF}:lease.json"))["released"])


def store(folder: Path) -> GitLeases:
    return GitLeases(folder, author=AUTHOR)


def test_taken_renewed_seen_and_given_back(remote: Path, clone: Make) -> None:
    """On a remote that lets nobody rewrite or delete branches, too: leases are none."""
    git(remote, "config", "receive.denyNonFastForwards", "true")
    git(remote, "config", "receive.denyDeletes", "true")
    one, two = store(clone("one")), store(clone("two"))
    assert one.shared()
    assert one.read("demo") is None
    first = one.swap("demo", None, lease())
    assert first == git(remote, "rev-parse", REF)
    seen = two.read("demo")
    assert seen is not None
    assert isinstance(seen[1], Lease)
    assert (seen[0], seen[1].host, seen[1].pid) == (first, "a", 7)
    second = one.swap("demo", first, lease())
    assert two.read("demo") == one.read("demo") != seen
    assert second
    assert one.swap("demo", second, over(lease()))
    there = two.read("demo")
    assert there
    assert isinstance(there[1], Lease)
    assert there[1].released


def test_whoever_is_wrong_about_what_is_there_changes_nothing(remote: Path, clone: Make) -> None:
    one, two = store(clone("one")), store(clone("two"))
    first = one.swap("demo", None, lease())
    assert two.swap("demo", None, lease("b")) is None
    second = one.swap("demo", first, lease())
    assert two.swap("demo", first, lease("b")) is None
    assert two.swap("demo", first, over(lease())) is None
    assert git(remote, "rev-parse", REF) == second
    last = one.swap("demo", second, over(lease()))
    assert two.swap("demo", second, lease("b")) is None
    assert git(remote, "rev-parse", REF) == last


def test_the_refs_history_says_who_had_it_when(remote: Path, clone: Make) -> None:
    """One commit a tenure, however often it was renewed; it begins anew when it grew long."""
    one, two = store(clone("one")), store(clone("two"))
    first = one.swap("demo", None, lease("a"))
    for _ in range(3):
        first = one.swap("demo", first, lease("a"))
    given_back = one.swap("demo", first, over(lease("a")))
    assert given_back
    assert two.read("demo") is not None
    second = two.swap("demo", given_back, lease("b"))
    assert second
    assert git(remote, "rev-list", REF).splitlines() == [second, given_back]
    said = [json.loads(git(remote, "show", f"{c}:lease.json")) for c in (given_back, second)]
    assert [(s["number"], s["host"], bool(s["released"])) for s in said] == [(1, "a", True), (2, "b", False)]


def test_the_history_of_leases_does_not_grow_for_ever(
    remote: Path, clone: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "_KEPT", 3)
    one, last = store(clone("one")), None
    for n in range(7):
        last = one.swap("demo", last, lease(f"host {n}"))
        assert last
    assert len(git(remote, "rev-list", REF).splitlines()) == 1
    assert json.loads(git(remote, "show", f"{REF}:lease.json"))["number"] == 7


def test_clusters_have_leases_of_their_own_and_checkouts_stay(clone: Make) -> None:
    folder = clone("one")
    before = (git(folder, "status", "--porcelain"), git(folder, "branch", "--all"))
    one = store(folder)
    assert one.swap("demo", None, lease())
    assert one.swap("other", None, lease())
    assert store(clone("two")).read("demo")
    assert (git(folder, "status", "--porcelain"), git(folder, "branch", "--all")) == before


def test_a_lease_says_who_and_until_when_and_no_secret(remote: Path, clone: Make) -> None:
    folder = clone("one")
    git(folder, "remote", "set-url", "origin", f"file://bot:s3cret@{remote}")
    git(folder, "config", f"url.file://{remote}.insteadOf", f"file://bot:s3cret@{remote}")
    store(folder).swap("demo", None, lease("machine-1"))
    said = git(remote, "log", "-1", "--format=%B%an%ae", "-p", "--root", REF)
    assert "demo: held by machine-1 (process 7) until 2" in said
    assert "s3cret" not in said


def test_a_remote_that_is_gone_and_one_that_refuses(remote: Path, clone: Make) -> None:
    one = store(clone("one"))
    hook = remote / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho no leases here >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(Permanent, match="nobody else is to blame") as caught:
        one.swap("demo", None, lease())
    assert "no leases here" in str(caught.value.evidence)
    shutil.rmtree(remote)
    with pytest.raises(Transient, match="can't be reached"):
        one.read("demo")
    with pytest.raises(Transient, match="can't be reached"):
        one.swap("demo", None, lease())


GOOD = json.dumps(
    {"number": 1, "host": "a", "pid": 7, "id": "1", "since": "2026-11-24T12:00:00Z", "expires": "2026-11-24T12:00:00Z"}
)


def planted(folder: Path, content: str, path: str = "lease.json", mode: str = "100644") -> str:
    """A commit on the lease's ref that somebody made by hand."""
    blob = git(folder, "hash-object", "-w", "--stdin", stdin=content)
    tree = git(folder, "mktree", stdin=f"{mode} {'commit' if mode == '160000' else 'blob'} {blob}\t{path}\n")
    return pushed(folder, git(folder, "commit-tree", tree, "-m", "x"))


def pushed(folder: Path, id_: str) -> str:
    git(folder, "push", "-q", "--force", "origin", f"{id_}:{REF}")
    return id_


@pytest.mark.parametrize(
    "content",
    [
        "", "null", "[]", "{}", "[" * 100_000, '{"a":' * 100_000, "\x00", '"' + "a" * 100_000 + '"',
        GOOD.replace('"a"', '["a"]'), GOOD.replace('"a"', '"\\u001b[31m"'), GOOD.replace('"a"', '"\\u202e"'),
        GOOD.replace('"a"', f'"{"a" * 1000}"'), GOOD.replace("7", "true"), GOOD.replace("7", "1e999"),
        GOOD.replace("7", "9" * 5000), GOOD.replace("2026-11-24T12:00:00Z", "9999-12-31T23:59:59-23:59"),
        GOOD.replace("2026-11-24T12:00:00Z", "2026-11-24T12:00:00"), GOOD.replace('"2026-11-24T12:00:00Z"', "9999"),
        GOOD.replace("}", ', "released": [1]}'), GOOD.replace("}", ', "commit": "--upload-pack=true"}'),
    ],
)  # fmt: skip
def test_a_file_that_is_no_lease_is_read_as_one_that_nobody_knows(clone: Make, content: str) -> None:
    id_ = planted(clone("eve"), content)
    there = store(clone("one")).read("demo")
    assert there
    assert there[0] == id_
    assert isinstance(there[1], Unreadable)
    assert str(there[1]).isprintable()
    assert len(str(there[1])) < 300


def test_a_ref_that_holds_no_commit_is_read_as_well_and_can_be_taken(remote: Path, clone: Make) -> None:
    eve, one = clone("eve"), store(clone("one"))
    blob = git(eve, "hash-object", "-w", "--stdin", stdin="x")
    tree = git(eve, "mktree", stdin=f"100644 blob {blob}\tx\n")
    tag = git(eve, "mktag", stdin=f"object {blob}\ntype blob\ntag x\ntagger a <a@b> 1 +0000\n\nx\n")
    link = planted(eve, "/etc/passwd", mode="120000")
    folder = pushed(
        eve, git(eve, "commit-tree", git(eve, "mktree", stdin=f"040000 tree {tree}\tlease.json\n"), "-m", "x")
    )
    module = pushed(
        eve, git(eve, "commit-tree", git(eve, "mktree", stdin=f"160000 commit {link}\tlease.json\n"), "-m", "x")
    )
    large = planted(eve, GOOD + " " * 100_000)
    for id_ in (blob, tree, tag, link, folder, module, large, git(eve, "rev-parse", "HEAD")):
        pushed(eve, id_)
        there = one.read("demo")
        assert there
        assert there[0] == id_
        assert isinstance(there[1], Unreadable)
        assert one.known("demo") == there
    taken = one.swap("demo", id_, lease("b"))
    assert git(remote, "rev-list", REF) == taken, "its history begins anew"


def test_what_cannot_be_fetched_is_no_reason_to_stop(clone: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A history that is too long to get in time, or objects that git does not take."""
    id_ = planted(clone("eve"), GOOD)
    one = store(clone("one"))

    def fetch(*_: object) -> str:
        raise Transient("no answer within 120 s")

    monkeypatch.setattr(leases._Place, "fetch", fetch)
    assert one.read("demo") == (id_, Unreadable("no answer within 120 s"))
    assert one.swap("demo", id_, lease("b"))


def test_a_file_of_the_first_version_is_a_lease(clone: Make) -> None:
    content = """{"number": 3, "host": "m", "pid": 7, "id": "0f", "commit": "c0ffee", "tookOver": "expired",
        "since": "2026-11-24T12:00:00.000001+00:00", "expires": "2026-11-24T12:05:00+00:00", "released": ""}"""
    planted(clone("eve"), content)
    there = store(clone("one")).read("demo")
    assert there
    since = datetime.datetime(2026, 11, 24, 12, 0, 0, 1, datetime.UTC)
    ends = datetime.datetime(2026, 11, 24, 12, 5, tzinfo=datetime.UTC)
    assert there[1] == Lease("m", 7, "0f", since, ends, "c0ffee", "expired", number=3)


def test_a_branch_that_ends_like_the_ref_is_not_the_ref(clone: Make) -> None:
    """`git ls-remote` lists whatever ends so, and this one first."""
    eve, one = clone("eve"), store(clone("one"))
    git(eve, "push", "-q", "origin", f"HEAD:refs/heads/{REF}")
    assert one.read("demo") is None
    held = one.swap("demo", None, lease())
    assert one.read("demo") == (held, one.read("demo")[1])  # type: ignore[index]
    assert one.swap("demo", held, over(lease()))


def test_a_ref_below_it_is_no_lease_and_goes(remote: Path, clone: Make) -> None:
    eve, one = clone("eve"), store(clone("one"))
    git(eve, "push", "-q", "origin", f"HEAD:{REF}/x", f"HEAD:{REF}/y/z")
    assert one.read("demo") is None
    assert one.swap("demo", None, lease())
    assert git(remote, "for-each-ref", "--format=%(refname)", "refs/reconciler") == REF


@pytest.mark.parametrize("content", [GOOD.replace("2026-11-24T12:00:00Z", "9999-12-31T23:59:59Z"), "no lease"])
def test_one_that_says_for_ever_is_taken_over_an_hour_after_it_was_first_seen(
    clone: Make, tmp_path: Path, content: str
) -> None:
    """By one process that sees it all the time, and by one that finds in a file when another saw it."""
    planted(clone("eve"), content)
    folder, state, now = clone("one"), tmp_path / "state", datetime.datetime.now(datetime.UTC)
    (state / "demo").mkdir(parents=True)

    def attempt(terms: Terms) -> bool:
        try:
            with leased(terms, "demo", state, QuietProgress()):
                return True
        except HeldElsewhere:
            return False

    def at(minutes: float) -> Terms:
        return Terms(store(folder), clock=lambda: now + datetime.timedelta(minutes=minutes))

    assert [attempt(at(minutes)) for minutes in (0, 59, 58, 61, 5)] == [False, False, False, True, True]


def test_a_value_that_moves_is_seen_anew(clone: Make, tmp_path: Path) -> None:
    eve, steady = clone("eve"), [0.0]
    (tmp_path / "state/demo").mkdir(parents=True)
    terms = Terms(store(clone("one")), sightings=Sightings(lambda: steady[0]))
    for _ in range(3):
        planted(eve, f"no lease {steady[0]}")
        with pytest.raises(HeldElsewhere), leased(terms, "demo", tmp_path / "state", QuietProgress()):
            pass
        steady[0] += 3000
    steady[0] += 1000
    with leased(terms, "demo", tmp_path / "state", QuietProgress()):
        pass


def test_without_a_remote_nothing_is_shared(clone: Make, tmp_path: Path) -> None:
    assert not store(tmp_path / "seed").shared()
    assert not GitLeases(clone("one"), author=AUTHOR, remote=None).shared()
    with pytest.raises(Invalid, match="has no remote"):
        GitLeases(tmp_path / "one", author=AUTHOR, remote="elsewhere").read("demo")


def test_of_eight_that_race_one_has_it_at_any_time(holders: Holders, remote: Path) -> None:
    racing = [holders.start(f"m{n}", hold=0.05, times=2) for n in range(8)]
    for process in racing:
        process.communicate(timeout=240)
    said = [line.split() for line in holders.said()]
    assert len(said) == 8 * 2 * 2
    for (came, who), (went, same) in zip(said[::2], said[1::2], strict=True):
        assert (came, went, who) == ("has", "leaves", same)
    assert released(remote)
    tenures = [json.loads(git(remote, "show", f"{c}:lease.json")) for c in git(remote, "rev-list", REF).split()]
    assert [s["number"] for s in tenures] == list(range(16, 0, -1))
    assert all(before["released"] <= after["since"] for after, before in itertools.pairwise(tenures)), (
        "two had it at once"
    )


def test_of_eight_that_see_an_expired_one_one_takes_it_over(holders: Holders, clone: Make) -> None:
    store(clone("dead")).swap("demo", None, lease("dead", ends=-5))
    for n in range(8):
        holders.start(f"m{n}", times=1)
    until(lambda: len(holders.said()) == 1)
    time.sleep(2)
    assert len(holders.said()) == 1


def test_a_killed_holders_lease_expires_and_is_taken_over(holders: Holders) -> None:
    first = holders.start("first", seconds=9)
    until(lambda: holders.said() == [f"has {first.pid}"])
    time.sleep(3.5)  # renewed at least once
    os.kill(first.pid, signal.SIGKILL)
    killed = time.monotonic()
    second = holders.start("second", seconds=3)
    until(lambda: holders.said()[-1] == f"has {second.pid}")
    assert time.monotonic() - killed > 1.5
    second.terminate()
    assert "'demo' is applied by another reconciler" in second.communicate(timeout=30)[0]


def test_who_was_killed_and_starts_again_need_not_wait(holders: Holders) -> None:
    first = holders.start("first", seconds=600)
    until(lambda: holders.said() == [f"has {first.pid}"])
    os.kill(first.pid, signal.SIGKILL)
    again = holders.start("first", seconds=600)
    until(lambda: holders.said()[-1] == f"has {again.pid}", 20)


def test_told_to_stop_it_gives_the_lease_back(holders: Holders, remote: Path) -> None:
    first = holders.start("first")
    until(lambda: holders.said() == [f"has {first.pid}"])
    first.terminate()
    assert "interrupted" in first.communicate(timeout=30)[0]
    assert released(remote)


def test_who_slept_past_its_end_stops_when_it_wakes(holders: Holders, remote: Path) -> None:
    first = holders.start("first", seconds=3)
    until(lambda: holders.said() == [f"has {first.pid}"])
    os.kill(first.pid, signal.SIGSTOP)
    second = holders.start("second")
    until(lambda: holders.said()[-1] == f"has {second.pid}")
    theirs = git(remote, "rev-parse", REF)
    os.kill(first.pid, signal.SIGCONT)
    assert "the lease of 'demo' was lost" in first.communicate(timeout=30)[0]
    assert holders.said()[-1] == f"stops {first.pid}"
    assert git(remote, "rev-parse", REF) == theirs


def test_a_remote_that_goes_away_stops_the_holder(holders: Holders, remote: Path) -> None:
    first = holders.start("first", seconds=3)
    until(lambda: holders.said() == [f"has {first.pid}"])
    remote.rename(remote.with_name("away.git"))
    assert "it could not be renewed in time" in first.communicate(timeout=30)[0]


def test_a_heartbeat_keeps_a_lease_that_is_shorter_than_the_work(clone: Make, tmp_path: Path) -> None:
    (tmp_path / "state/demo").mkdir(parents=True)
    one, two = store(clone("one")), store(clone("two"))
    with leased(Terms(one, 2.0, 0.0), "demo", tmp_path / "state", QuietProgress()):
        first = two.read("demo")
        time.sleep(3)
        last = two.read("demo")
        assert first is not None
        assert last is not None
        assert isinstance(first[1], Lease)
        assert isinstance(last[1], Lease)
        assert (last[1].id, last[1].since) == (first[1].id, first[1].since)
        assert last[1].expires > datetime.datetime.now(datetime.UTC)
