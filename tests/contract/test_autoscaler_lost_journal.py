"""A server on a machine that has no journal: what git says was decided, and nothing counts twice for it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from reconciler.model.autoscale import Decision
from reconciler.serve.autoscaler import Journal
from reconciler.serve.autoscaler.journal import waiting
from reconciler.serve.autoscaler.wire import externalgrpc_pb2 as pb
from tests.unit.serve.autoscaler.harness import Cloud, Place, running, until, uuid_of

from .test_autoscaler_survival import decisions, hook


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.make(tmp_path)


def live() -> Cloud:
    cloud = Cloud()
    cloud.boot("demo-worker-1", "demo-worker-2")
    return cloud


@contextmanager
def lost_afterwards(place: Place) -> Iterator[Any]:
    """A server whose disk is gone when it ends: its clone and its journal."""
    with running(place.server(live(), "lost", state=place.root / "lost-state")) as stub:
        yield stub
    for folder in ("lost", "lost-state"):
        shutil.rmtree(place.root / folder)


@contextmanager
def elsewhere(place: Place) -> Iterator[Any]:
    """A server of the same cluster on another machine."""
    with running(place.server(live(), "elsewhere", state=place.root / "fresh")) as stub:
        yield stub


def more(stub: Any, delta: int) -> None:
    stub.NodeGroupIncreaseSize(pb.NodeGroupIncreaseSizeRequest(id="worker", delta=delta), timeout=10)


def less(stub: Any, name: str) -> None:
    node = pb.ExternalGrpcNode(name=name, providerID=f"openstack:///{uuid_of(name)}")
    stub.NodeGroupDeleteNodes(pb.NodeGroupDeleteNodesRequest(id="worker", nodes=[node]), timeout=10)


def target(stub: Any) -> int:
    return int(stub.NodeGroupTargetSize(pb.NodeGroupTargetSizeRequest(id="worker"), timeout=10).targetSize)


def test_what_was_pushed_is_known_to_a_machine_that_never_saw_it(place: Place) -> None:
    with lost_afterwards(place) as first:
        more(first, 2)
        until(lambda: decisions(place))
    with elsewhere(place) as second:
        assert target(second) == 4  # so that Cluster Autoscaler has no reason to ask again
        more(second, 1)
        until(lambda: place.file()["worker"] == [1, 2, 3, 4, 5])
    assert len(decisions(place)) == 2


def test_what_was_never_pushed_is_asked_for_again_and_happens_once(place: Place) -> None:
    """Git's word is what the next one answers with, and whoever asks again for what is missing gets that, once."""
    held = hook(place, "pre-receive", "exit 1")
    with lost_afterwards(place) as first:
        more(first, 2)
        assert target(first) == 4
    held.unlink()
    with elsewhere(place) as second:
        assert target(second) == 2
        more(second, 2)  # as Cluster Autoscaler does, for the pods that still wait
        until(lambda: decisions(place))
        assert target(second) == 4
    assert place.file()["worker"] == [1, 2, 3, 4]
    assert len(decisions(place)) == 1


def test_a_removal_that_was_lost_is_asked_for_again_and_happens_once(place: Place) -> None:
    held = hook(place, "pre-receive", "exit 1")
    with lost_afterwards(place) as first:
        less(first, "demo-worker-1")
        assert target(first) == 1
    held.unlink()
    with elsewhere(place) as second:
        assert target(second) == 2
        less(second, "demo-worker-1")
        less(second, "demo-worker-1")
        until(lambda: decisions(place))
    assert place.file()["worker"] == [2]
    assert len(decisions(place)) == 1


def test_what_waits_is_counted_without_taking_it_over(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.add(Decision("0123456789ab", "worker", add=(3,), why="pods wait"))
    assert waiting(tmp_path) == 1
    assert len(journal.pending) == 1
    journal.done(["0123456789ab"])
    assert waiting(tmp_path) == 0
    assert waiting(tmp_path / "none") == 0
    journal.close()
