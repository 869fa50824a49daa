"""A daemon loads one cluster at a time: it checks it against all others, and one folder's mistake stops that folder."""

from __future__ import annotations

from reconciler.errors import Problem
from reconciler.ports import Snapshot
from tests.unit.spec.test_confined import ACROSS, BOTH

from .scene import scene, until

LINK = Problem("desired/b/x.yaml", 1, 1, "", "desired/b/x.yaml is a symbolic link")


def test_checks_between_clusters_hold_for_each_on_its_own() -> None:
    for more, message in ACROSS.values():
        it = scene("a", "b", "c")
        it.repository.push({path: text.encode() for path, text in {**BOTH, **more}.items()})
        with it.running():
            until(lambda: it.cycles("a") and it.cycles("b") and it.cycles("c"))  # noqa: B023 - called within this turn
        assert message in str(it.cycles("b")[0]["problems"])
        assert {it.cycles(name)[0]["outcome"] for name in "ac"} == {"in sync"}


def test_a_file_that_can_not_be_had_stops_the_cluster_it_belongs_to() -> None:
    it = scene("a", "b")
    before = it.repository.snapshot

    def spoilt(*arguments: object) -> Snapshot:
        return Snapshot(before(*arguments).files, {LINK.file: LINK})  # type: ignore[arg-type]

    it.repository.snapshot = spoilt  # type: ignore[method-assign, assignment]
    with it.running():
        until(lambda: it.cycles("a") and it.cycles("b"))
    assert "symbolic link" in str(it.cycles("b")[0]["problems"])
    assert it.cycles("a")[0]["outcome"] == "in sync"


def test_a_cluster_that_gets_a_mistake_still_has_what_it_claimed() -> None:
    more, message = ACROSS["a host of two applications"]
    theirs = more["desired/b/applications/two.yaml"]
    it = scene("a", "b")
    it.repository.push({path: text.encode() for path, text in {**BOTH, **more}.items() if "two" not in path})
    with it.running():
        until(lambda: it.cycles("a") and it.cycles("b"))
        it.repository.push({"desired/a/cluster.yaml": b"a: [", "desired/b/applications/two.yaml": theirs.encode()})
        it.fleet.pushed("refs/heads/main")
        until(lambda: len(it.cycles("a")) > 1 and len(it.cycles("b")) > 1)
    assert message in str(it.cycles("b")[-1]["problems"])
