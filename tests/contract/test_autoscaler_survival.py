"""What goes wrong between a decision and git: no decision is lost, none counts twice. Real processes, a real remote."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from reconciler.serve.autoscaler import Journal
from reconciler.serve.autoscaler.wire import externalgrpc_pb2 as pb
from tests.e2e.world import PROJECT
from tests.unit.serve.autoscaler.harness import Cloud, Place, running, stub_of, until, uuid_of


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.make(tmp_path)


class Process:
    """A server in a process of its own, and a client."""

    def __init__(self, place: Place, clone: str = "bot", state: str = "state") -> None:
        if not (place.root / clone).exists():
            place.clone(clone)
        argv = [sys.executable, "-m", "tests.unit.serve.autoscaler.serving", str(place.root), clone]
        self.popen = subprocess.Popen([*argv, str(place.root / state)], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
        assert self.popen.stdout
        line = self.popen.stdout.readline()
        assert line.startswith("port "), line
        self.port = line.split()[1]
        self.connect()

    def connect(self) -> None:
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.port}")
        self.stub: Any = stub_of(self.channel)

    def more(self, delta: int = 1, group: str = "worker") -> None:
        self.stub.NodeGroupIncreaseSize(pb.NodeGroupIncreaseSizeRequest(id=group, delta=delta), timeout=5)

    def less(self, name: str) -> None:
        node = pb.ExternalGrpcNode(name=name, providerID=f"openstack:///{uuid_of(name)}")
        self.stub.NodeGroupDeleteNodes(pb.NodeGroupDeleteNodesRequest(id="worker", nodes=[node]), timeout=5)

    def target(self, group: str = "worker") -> int:
        return int(self.stub.NodeGroupTargetSize(pb.NodeGroupTargetSizeRequest(id=group), timeout=5).targetSize)

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()

    def end(self) -> None:
        self.channel.close()
        self.popen.terminate()
        assert self.popen.wait(60) == 0


@contextlib.contextmanager
def process(place: Place, clone: str = "bot", state: str = "state") -> Iterator[Process]:
    made = Process(place, clone, state)
    try:
        yield made
    finally:
        if made.popen.poll() is None:
            made.end()
        if made.popen.stdout:
            made.popen.stdout.close()


def told(server: Process, worker: int, gpu: int) -> bool:
    return (server.target(), server.target("gpu")) == (worker, gpu)


def settled(place: Place) -> bool:
    """Is everything that was decided in git?"""
    journals = [file for state in ("s1", "s2") for file in (place.root / state).rglob("*.jsonl")]
    assert journals
    return all(file.stat().st_size == 0 for file in journals)


def hook(place: Place, name: str, script: str) -> Path:
    path = place.remote / "hooks" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def decisions(place: Place) -> list[str]:
    return [line for message in place.log() for line in message.splitlines() if line.startswith("Autoscale-Decision")]


@pytest.mark.parametrize("when", ["pre-receive", "post-receive"])
def test_killed_in_the_middle_of_a_push(place: Place, when: str) -> None:
    """Before the remote took it, and after it did and could not say so any more."""
    marker = place.root / "pushing"
    held = hook(place, when, f"touch {marker}\nsleep 60")
    with process(place) as first:
        first.more(2)
        assert first.target() == 4
        until(marker.exists)
        first.kill()
    held.unlink()
    with process(place) as second:  # another process, the same machine: it finds the journal
        assert second.target() == 4
        until(lambda: len(decisions(place)) == 1 and place.file()["worker"] == [1, 2, 3, 4])
        second.more(1)
        until(lambda: len(decisions(place)) == 2 and place.file()["worker"] == [1, 2, 3, 4, 5])
    assert [d.split()[2:] for d in decisions(place)] == [["worker", "+1"], ["worker", "+2"]]


def test_the_remote_is_down_and_answers_come_in_time(place: Place) -> None:
    """A remote that hangs: answers take no second, and what was decided meanwhile is one commit."""
    held = hook(place, "pre-receive", "sleep 8")
    with process(place) as server:
        server.more(1)
        time.sleep(0.5)  # it is pushing now
        started = time.monotonic()
        server.more(1)
        server.more(1, "gpu")
        server.less("demo-worker-1")
        assert time.monotonic() - started < 4
        assert (server.target(), server.target("gpu")) == (3, 1)
        held.unlink()
        until(lambda: place.file() == {"gpu": [1], "worker": [2, 3, 4]} if len(place.log()) > 1 else None)
        assert (server.target(), server.target("gpu")) == (3, 1)
    assert len(decisions(place)) == 4
    assert len(place.log()) == 3  # the first alone, what came while it was pushed together


def test_the_remote_is_gone_for_a_while(place: Place) -> None:
    with process(place) as server:
        away = place.remote.rename(place.root / "away.git")
        server.more(3)
        assert server.target() == 5
        time.sleep(1)
        server.kill()
        away.rename(place.remote)
    with process(place) as server:
        assert server.target() == 5
        until(lambda: len(place.log()) > 1 and place.file() == {"worker": [1, 2, 3, 4, 5]})


def test_a_push_that_is_refused_is_tried_again(place: Place) -> None:
    held = hook(place, "pre-receive", "echo no >&2; exit 1")
    with process(place) as server:
        server.more(1)
        time.sleep(1.5)
        assert server.target() == 3
        assert len(place.log()) == 1
        held.unlink()
        until(lambda: len(place.log()) > 1 and place.file() == {"worker": [1, 2, 3]})


def test_two_servers_at_once(place: Place) -> None:
    """In clones of their own and, the third, in one that is shared, journals' folder and all."""
    with process(place, "one", "s1") as one, process(place, "two", "s2") as two, process(place, "two", "s2") as three:
        one.more(1)
        two.more(1, "gpu")
        three.more(1)
        until(lambda: len(decisions(place)) == 3)
        assert place.file() == {"gpu": [1], "worker": [1, 2, 3, 4]}
        for server in (one, two, three):
            until(partial(told, server, 4, 1))
        for server in (one, two):  # both at the same moment, and the bound is of both
            with contextlib.suppress(grpc.RpcError):
                server.more(1)
        until(lambda: place.file()["worker"] == [1, 2, 3, 4, 5])
        until(lambda: settled(place))  # or the second, which found no room, finds some when a machine goes
        for server in (one, two, three):
            until(partial(told, server, 5, 1))
        one.less("demo-worker-2")
        two.less("demo-worker-2")
        until(lambda: place.file()["worker"] == [1, 3, 4, 5])
        time.sleep(1)
    assert place.file()["worker"] == [1, 3, 4, 5]
    assert not [m for m in place.log() if "from 5 to 3" in m]


def test_cluster_autoscaler_starts_anew_in_the_middle(place: Place) -> None:
    held = hook(place, "pre-receive", "sleep 3")
    with process(place) as server:
        server.more(2)
        server.channel.close()  # its successor asks from the beginning
        server.connect()
        assert server.target() == 4
        held.unlink()
        until(lambda: len(place.log()) > 1 and place.file() == {"worker": [1, 2, 3, 4]})


def test_people_commit_at_the_same_time(place: Place) -> None:
    with process(place) as server:
        for number in range(3):
            server.more(1)
            place.edit("team: blue", f"team: blue{number}") if number == 0 else place.edit(
                f"team: blue{number - 1}", f"team: blue{number}"
            )
        until(lambda: len(decisions(place)) == 3)
        assert place.file() == {"worker": [1, 2, 3, 4, 5]}


def test_a_pull_request_holds_what_is_not_merged(place: Place) -> None:
    """One commit on top of main; told as the target; merged, however; or refused by deleting the branch."""
    cloud = Cloud()
    cloud.boot("demo-worker-1", "demo-worker-2")
    bot = "autoscale/demo"
    with running(place.server(cloud, proposal=bot)) as stub:

        def more(delta: int) -> None:
            stub.NodeGroupIncreaseSize(pb.NodeGroupIncreaseSizeRequest(id="worker", delta=delta))

        def target() -> int:
            return int(stub.NodeGroupTargetSize(pb.NodeGroupTargetSizeRequest(id="worker")).targetSize)

        more(1)
        until(lambda: bot in branches(place) and place.file(bot) == {"worker": [1, 2, 3]})
        assert len(place.log()) == 1
        more(1)
        until(lambda: place.file(bot) == {"worker": [1, 2, 3, 4]})
        assert (len(place.log(bot)), target()) == (2, 4)
        place.edit("team: blue", "team: green")  # people go on meanwhile
        seed = place.root / "seed"
        squash = ["-c", "user.name=Ada", "-c", "user.email=a@example.org"]
        for argv in (["fetch", "-q"], ["merge", "-q", "--squash", f"origin/{bot}"],
                     [*squash, "commit", "-q", "-m", "squashed"], ["push", "-q", "origin", "HEAD:main"]):  # fmt: skip
            subprocess.run(["git", "-C", seed, *argv], check=True, capture_output=True)
        assert place.file() == {"worker": [1, 2, 3, 4]}
        more(1)
        until(lambda: place.file(bot) == {"worker": [1, 2, 3, 4, 5]})
        assert place.log(bot)[1] == "squashed"
        subprocess.run(["git", "-C", seed, "push", "-q", "origin", f":{bot}"], check=True, capture_output=True)
        until(lambda: target() == 4)


def branches(place: Place) -> str:
    said = subprocess.run(["git", "-C", place.remote, "branch"], capture_output=True, text=True, check=True)
    return said.stdout


def test_a_torn_line_was_never_promised(tmp_path: Path) -> None:
    from reconciler.model.autoscale import Decision

    journal = Journal(tmp_path)
    kept = Decision("a" * 12, "worker", (3,), why="x")
    journal.add(kept)
    journal.add(Decision("b" * 12, "worker", (4,)))
    journal.done(["b" * 12])
    (path,) = tmp_path.glob("*.jsonl")
    with path.open("ab") as file:
        file.write(b'{"decision": {"id": "ccc')
    journal._file.close()  # what a crash does
    second = Journal(tmp_path)
    assert second.pending == (kept,)
    assert len(list(tmp_path.glob("*.jsonl"))) == 1
    second.close()
    third = Journal(tmp_path)
    assert third.pending == (kept,)
    third.done([kept.id])
    third.close()
    assert list(tmp_path.glob("*.jsonl")) == []
