"""Many clusters, one thread that decides: nobody waits for another, nothing is done twice, failures recover."""

from __future__ import annotations

import datetime
import re
import threading
import time
from dataclasses import dataclass, field

import pytest

from reconciler.control.board import State
from reconciler.control.cloudwatch import CloudWatch
from reconciler.control.lease import HeldElsewhere
from reconciler.control.ways import Terms
from reconciler.errors import Invalid, ReconcilerError, Transient
from reconciler.model.outcome import Status
from reconciler.ports import Touched
from reconciler.spec.load import FLEET
from tests.unit.spec.tenancy.scene import entry, fleet

from .scene import cluster_file, scene, until


def test_every_cluster_is_looked_at_when_it_begins_and_watched_from_then_on() -> None:
    it = scene("a", "b")
    with it.running():
        until(lambda: it.cycles("a") and it.cycles("b"))
        assert it.entry("a").state is State.IDLE
    assert sorted(it.begun) == ["a", "b"]
    assert it.watcher.followed.keys() == {"a", "b"}
    assert it.expected == [False, False]


def test_a_push_to_one_cluster_starts_that_one_only_and_takes_the_lease_first() -> None:
    it = scene("a", "b")
    with it.running():
        until(lambda: it.cycles("a") and it.cycles("b"))
        it.repository.push({"desired/b/cluster.yaml": cluster_file("b", "  suspend: true\n")})
        it.fleet.pushed("refs/heads/main", "f" * 40)
        until(lambda: len(it.cycles("b")) == 2)
        time.sleep(0.1)
    assert len(it.cycles("a")) == 1
    assert it.cycles("b")[1]["trigger"] == "webhook"
    assert it.cycles("b")[1]["commit"] == f"{1:012x}"[-12:] or it.cycles("b")[1]["commit"] == f"{1:040x}"[:12]
    assert it.expected == [False, False, True]


def test_a_push_that_nobody_read_is_fetched_and_frees_nothing_that_backs_off() -> None:
    it = scene("a", "b")
    it.does["a"] = lambda: Status.FAILED
    with it.running():
        until(lambda: it.cycles("b") and it.entry("a").failures)
        before = it.repository.fetched
        it.fleet.missed()
        until(lambda: it.repository.fetched > before)
        time.sleep(0.1)
        assert len(it.cycles("a")) == 1, "anybody can have a push missed, and no stranger starts a cycle"
        it.repository.push({"desired/b/cluster.yaml": cluster_file("b", "\n")})
        it.fleet.missed()
        until(lambda: len(it.cycles("b")) == 2)
    assert it.cycles("b")[1]["trigger"] == "poll"


def test_a_push_to_another_branch_or_by_ourselves_is_nobodys_business() -> None:
    it = scene("a")
    with it.running():
        until(lambda: it.cycles("a"))
        before = it.repository.fetched
        for ref in ("refs/heads/observed", "refs/heads/feature", "refs/reconciler/leases/a"):
            it.fleet.pushed(ref)
        until(lambda: sum(e["event"] == "ignored" for e in it.events) == 3)
    assert it.repository.fetched == before


def test_what_comes_while_a_cycle_runs_leads_to_exactly_one_more() -> None:
    it, go = scene("a"), threading.Event()
    it.does["a"] = lambda: Status.IN_SYNC if go.wait(20) else Status.FAILED
    with it.running():
        until(lambda: it.begun)
        for n in range(50):
            it.fleet.seen("a", f"Deployment {n} changed")
        go.set()
        until(lambda: len(it.cycles("a")) == 2)
        time.sleep(0.1)
    assert len(it.begun) == 2
    assert it.cycles("a")[1]["trigger"] == "kubernetes"


def test_a_cluster_that_takes_long_keeps_no_other_waiting() -> None:
    it, go = scene("a", "b", workers=2), threading.Event()
    it.does["a"] = lambda: Status.IN_SYNC if go.wait(20) else Status.FAILED
    with it.running():
        until(lambda: it.cycles("b"))
        for n in range(2, 6):
            it.fleet.seen("b", "something")
            until(lambda: len(it.cycles("b")) == n)  # noqa: B023 - called within this turn
        assert it.entry("a").state is State.RUNNING
        go.set()
    assert len(it.cycles("a")) == 1


def test_no_more_than_the_workers_there_are_and_people_go_first() -> None:
    it = scene(*"abcdef", workers=2)
    lock, now, most = threading.Lock(), [0], [0]

    def slow() -> Status:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.05)
        with lock:
            now[0] -= 1
        return Status.IN_SYNC

    it.does = dict.fromkeys("abcdef", slow)
    with it.running():
        until(lambda: all(it.cycles(n) for n in "abcdef"))
    assert most == [2]


def test_one_that_fails_says_why_and_when_it_is_tried_again_and_recovers_by_itself() -> None:
    it, works = scene("a", "b", interval=1), threading.Event()

    def sick() -> Status:
        if not works.is_set():
            raise Transient("the cloud does not answer", hint="wait")
        return Status.IN_SYNC

    it.does["a"] = sick
    with it.running():
        until(lambda: it.cycles("a") and it.entry("a").failures)
        entry = it.entry("a")
        assert (entry.state, entry.reason) == (State.BACKING_OFF, "the cloud does not answer")
        assert entry.next
        assert entry.next > datetime.datetime.now(datetime.UTC)
        assert it.cycles("a")[0]["error"] == "the cloud does not answer"
        assert it.cycles("a")[0]["hint"] == "wait"
        works.set()
        until(lambda: it.entry("a").last and it.entry("a").state is State.IDLE and not it.entry("a").failures)
    assert all(c["outcome"] == "in sync" for c in it.cycles("b"))


def test_a_webhook_without_anything_new_retries_what_fails_and_nothing_else() -> None:
    it = scene("a", "b")
    it.does["a"] = lambda: Status.FAILED
    with it.running():
        until(lambda: it.cycles("b") and it.entry("a").failures)
        it.fleet.pushed("refs/heads/main")
        until(lambda: len(it.cycles("a")) == 2)
        time.sleep(0.1)
    assert len(it.cycles("b")) == 1
    assert it.cycles("a")[1]["trigger"] == "webhook"


def test_a_mistake_of_ours_in_one_cluster_leaves_the_others_alone() -> None:
    it = scene("a", "b", interval=1)
    it.does["a"] = lambda: Status(str(1 / 0))
    with it.running():
        until(lambda: len(it.cycles("b")) >= 2 and it.cycles("a"))
    assert "internal error: ZeroDivisionError" in str(it.cycles("a")[0]["error"])


def test_a_mistake_of_ours_is_told_by_its_place_and_without_what_may_be_a_secret() -> None:
    it = scene("a")

    def leaky() -> Status:
        raise ValueError("Invalid header value b'Bearer eyJSECRET'")

    it.does["a"] = leaky
    with it.running():
        until(lambda: it.cycles("a") and it.entry("a").failures)
        shown = f"{it.events} {it.fleet.board.document()}"
    assert "SECRET" not in shown
    assert re.fullmatch(
        r"internal error: ValueError at reconciler/control/fleet\.py:\d+ \(_cycle\)", str(it.cycles("a")[0]["error"])
    )


def test_a_mistake_in_one_clusters_yaml_leaves_the_others_alone_and_has_its_line() -> None:
    it = scene("a", "b")
    with it.running():
        until(lambda: it.cycles("a") and it.cycles("b"))
        it.repository.push(
            {"desired/a/cluster.yaml": b"kind: Nonsense\n", "desired/b/cluster.yaml": cluster_file("b", "\n")}
        )
        it.fleet.pushed("refs/heads/main")
        until(lambda: len(it.cycles("a")) == 2 and len(it.cycles("b")) == 2)
    assert it.cycles("b")[1]["outcome"] == "in sync"
    assert "desired/a/cluster.yaml:1" in str(it.cycles("a")[1]["problems"])


def test_what_the_policy_does_not_allow_one_cluster_leaves_the_others_alone_and_has_its_line() -> None:
    it = scene("good", "bad", "worse")
    it.repository.push(
        {
            FLEET: fleet(entry("good"), entry("bad", clouds=["moc"])).encode(),
            "desired/good/cluster.yaml": cluster_file("good", "  # a comment\n"),
        }
    )
    with it.running():
        until(lambda: it.cycles("good") and it.cycles("bad") and it.cycles("worse"))
    assert set(it.begun) == {"good"}
    assert "desired/bad/cluster.yaml:6:3: spec.cloud: bad may not use cloud 'sandbox'" in str(it.cycles("bad")[0])
    assert "worse may not use cloud 'sandbox'" in str(it.cycles("worse")[0]["problems"])
    assert it.cycles("good")[0]["outcome"] == "in sync"


def test_a_cluster_that_another_reconciler_applies_shows_who() -> None:
    it = scene("a")

    def held() -> Status:
        raise HeldElsewhere("'a' is applied by another reconciler: ci (process 7)", holder="ci (process 7)", hint="")

    it.does["a"] = held
    with it.running():
        until(lambda: it.cycles("a") and it.entry("a").failures)
        assert it.entry("a").holder == "ci (process 7)"
        assert it.fleet.board.document()["clusters"][0]["leaseHolder"] == "ci (process 7)"


def test_new_and_gone_clusters_come_and_go_with_the_commit() -> None:
    it = scene("a")
    with it.running():
        until(lambda: it.cycles("a"))
        it.repository.remote.append({"desired/c/cluster.yaml": cluster_file("c")})
        it.fleet.pushed("refs/heads/main")
        until(lambda: it.cycles("c"))
        assert [e.cluster for e in it.fleet.board.entries()] == ["c"]
    assert it.watcher.followed["a"] == ()


def test_a_remote_that_is_away_stops_nobody_and_is_told() -> None:
    it = scene("a", poll=1, interval=1)
    it.repository.down = True
    with it.running():
        until(lambda: len(it.cycles("a")) >= 2)
        until(lambda: it.fleet.board.document()["git"]["failures"])
        it.repository.down = False
        it.repository.push({"desired/a/cluster.yaml": cluster_file("a", "\n")})
        until(lambda: any(c["trigger"] == "poll" for c in it.cycles("a")))
        until(lambda: not it.fleet.board.document()["git"]["failures"])


def test_a_ref_that_moved_here_is_seen_without_asking_the_remote() -> None:
    it = scene("a")
    with it.running():
        until(lambda: it.cycles("a"))
        before = it.repository.fetched
        it.repository.push({"desired/a/cluster.yaml": cluster_file("a", "\n")})
        it.repository.local = 1
        it.fleet.moved()
        until(lambda: len(it.cycles("a")) == 2)
    assert it.cycles("a")[1]["trigger"] == "local"
    assert it.repository.fetched == before


def test_a_server_that_changed_starts_its_cluster() -> None:
    it = scene("a", "a-b", cloud_poll=1)
    with it.running():
        until(lambda: it.cycles("a") and it.cycles("a-b"))
        time.sleep(0.2)  # the first look at the cloud is what the next ones are compared with
        it.feed = [Touched("id-1", "a-b-worker-1", "", "2026 DELETED ")]
        until(lambda: len(it.cycles("a-b")) == 2)
        time.sleep(1.2)
    assert it.cycles("a-b")[1]["trigger"] == "cloud"
    assert (len(it.cycles("a")), len(it.cycles("a-b"))) == (1, 2)


def test_names_choose_the_clusters_and_a_wrong_one_is_an_error() -> None:
    it = scene("a", "b", names=("b",))
    with it.running():
        until(lambda: it.cycles("b"))
    assert it.begun == ["b"]
    with pytest.raises(Invalid, match="there is no cluster 'c'"), scene("a", names=("c",)).running():
        pass


def test_stopping_waits_for_what_runs() -> None:
    it, go = scene("a"), threading.Event()
    it.does["a"] = lambda: Status.IN_SYNC if go.wait(20) else Status.FAILED
    threading.Timer(0.3, go.set).start()
    with it.running():
        until(lambda: it.begun)
    assert it.cycles("a")[0]["outcome"] == "in sync"


@pytest.mark.parametrize(
    ("followed", "ref", "concerns"),
    [
        ("origin/main", "refs/heads/main", True),
        ("origin/main", "refs/heads/observed", False),
        ("main", "refs/heads/main", True),
        ("refs/remotes/origin/main", "refs/heads/main", True),
        ("origin/main", "refs/heads/not-main", False),
        ("HEAD", "refs/heads/any", True),
        ("HEAD", "refs/heads/observed", False),
        ("HEAD", "refs/reconciler/leases/a", False),
        ("v1", "refs/tags/v1", True),
    ],
)
def test_which_pushes_concern_us(followed: str, ref: str, concerns: bool) -> None:
    assert Terms(ref=followed).follows(ref) is concerns


@dataclass
class News:
    found: list[Touched] = field(default_factory=list)
    asked: list[datetime.datetime] = field(default_factory=list)
    error: ReconcilerError | None = None

    def touched(self, since: datetime.datetime) -> tuple[Touched, ...]:
        self.asked.append(since)
        if self.error:
            raise self.error
        return tuple(self.found)


def test_news_of_a_cloud_are_told_once_and_nothing_is_lost_while_it_is_away() -> None:
    now = [datetime.datetime(2026, 11, 25, 4, 0, tzinfo=datetime.UTC)]
    news = News([Touched("1", "a-worker-1", "a", "t0 ACTIVE")])
    watch = CloudWatch(news, lambda: now[0])
    assert watch.look() == frozenset()
    news.found = [Touched("1", "a-worker-1", "a", "t1 DELETED")]
    now[0] += datetime.timedelta(seconds=15)
    assert {t.stamp for t in watch.look()} == {"t1 DELETED"}
    assert watch.look() == frozenset()
    first = now[0]
    news.error = Transient("away")
    now[0] += datetime.timedelta(hours=1)
    with pytest.raises(Transient):
        watch.look()
    news.error = None
    watch.look()
    assert news.asked[-1] < first  # asked again from before it went away


def test_a_deleted_server_without_metadata_is_told_by_its_name() -> None:
    found = [Touched("1", "a-b-worker-1", "", "t DELETED "), Touched("2", "x", "gone", "t ACTIVE")]
    assert dict(CloudWatch.owners(found, ("a", "a-b"))) == {"a-b": "server a-b-worker-1 deleted"}
