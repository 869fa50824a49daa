"""Repositories that share the workers of one process: none starves, and none sees what is another's."""

from __future__ import annotations

import threading

import pytest

from reconciler.control.workers import Workers
from reconciler.model.outcome import Status

from .scene import Scene, scene, until


class Counted:
    """Cycles that wait for `go`, and how many were at work at once."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.most = self._now = 0
        self._guard = threading.Lock()

    def __call__(self) -> Status:
        with self._guard:
            self._now += 1
            self.most = max(self.most, self._now)
        self.go.wait(20)
        with self._guard:
            self._now -= 1
        return Status.IN_SYNC


def of(it: Scene, cycle: Counted, *names: str) -> None:
    it.does |= dict.fromkeys(names, cycle)


def test_one_cluster_waits_for_no_two_hundred_of_another_repository() -> None:
    workers, cycle = Workers(3), Counted()
    many = [f"c{number}" for number in range(40)]
    big, small = scene(*many, share=workers.share("big")), scene("demo", share=workers.share("small"))
    of(big, cycle, *many)
    of(small, cycle, "demo")
    with big.running():
        until(lambda: len(big.begun) == 2)
        with small.running():
            until(lambda: small.begun == ["demo"], "the small one, while all that the big one may have are at work")
            assert len(big.begun) == 2
            cycle.go.set()
            until(lambda: len(big.begun) == 40 and small.cycles("demo"))
    assert cycle.most == 3


def test_one_worker_is_shared_in_turn() -> None:
    workers, order = Workers(1), list[str]()
    a, b = (scene("x", "y", "z", share=workers.share(name)) for name in ("a", "b"))
    started = threading.Event()

    def noted(name: str) -> Status:
        started.wait(20)
        order.append(name)
        return Status.IN_SYNC

    a.does |= dict.fromkeys("xyz", lambda: noted("a"))
    b.does |= dict.fromkeys("xyz", lambda: noted("b"))
    with a.running():
        until(lambda: a.begun)
        with b.running():
            until(lambda: any(e["event"] == "commit" for e in b.events))
            started.set()
            until(lambda: len(order) == 6)
    assert order == ["a", "b"] * 3


def test_clusters_of_one_name_know_nothing_of_each_other() -> None:
    workers = Workers(4)
    physics, chemistry = scene("demo", share=workers.share("p")), scene("demo", share=workers.share("c"))
    physics.outputs["demo"] = {"api.endpoint": "https://physics"}
    chemistry.does["demo"] = lambda: Status.FAILED
    with physics.running():
        until(lambda: physics.cycles("demo"))
        with chemistry.running():
            until(lambda: chemistry.cycles("demo"))
            physics.fleet.pushed("refs/heads/main")
            physics.fleet.seen("demo", "a node")
            until(lambda: len(physics.cycles("demo")) >= 2)
            assert physics.entry("demo").failures == 0
            assert chemistry.entry("demo").failures >= 1
            assert chemistry.repository.fetched == 1
    assert "physics" not in str(chemistry.events)


def test_one_that_breaks_off_is_told_at_once_and_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own cycle may go on for an hour."""
    workers, cycle = Workers(2), Counted()
    broken, other = scene("x", "y", share=workers.share("broken")), scene("demo", "z", share=workers.share("other"))
    of(broken, cycle, "x", "y")

    def runs_until_it_breaks_off() -> None:
        with broken.running():
            until(lambda: broken.fleet._queued and len(broken.begun) == 1, "one at work, and one that waits")
            monkeypatch.setattr(broken.fleet, "_asked", lambda _: 1 / 0)
            broken.fleet.pushed("refs/heads/main")
            until(lambda: any(e["event"] == "broke-off" for e in broken.events))
            assert "ZeroDivisionError" in broken.fleet.board.trouble[1]
            assert "broken" not in workers._turns.waiting
            with other.running():
                until(lambda: other.cycles("demo") and other.cycles("z"))
            cycle.go.set()

    with pytest.raises(ZeroDivisionError):
        runs_until_it_breaks_off()
