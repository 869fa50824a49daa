"""One repository of a daemon: what can't be begun with is said, and tried again; alone it ends the daemon."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from reconciler import interrupt
from reconciler.control.board import document
from reconciler.control.workers import Workers
from reconciler.errors import Invalid, Problem, ReconcilerError
from reconciler.serve import member as module
from reconciler.serve.logs import Log, LogProgress
from reconciler.serve.member import Begun, Member, Parts, Served
from reconciler.serve.metrics import Metrics
from reconciler.serve.secret import Secret
from tests.unit.control.scene import Scene, scene, until


class Silent:
    def start(self) -> bool:
        return True

    def stop(self) -> None: ...


def begun(it: Scene, remote: str = "") -> Begun:
    parts = Parts(lambda _watcher, _progress: it.fleet.ways, lambda _seen: it.watcher, lambda _moved: Silent())
    return Begun(parts, it.terms, Secret("the webhook's secret", "webhook.secretFile"), remote)


class Running:
    """A member on a thread, until the block ends."""

    def __init__(self, name: str, begin: Callable[[], Begun]) -> None:
        self.events: list[dict[str, object]] = []
        progress = LogProgress(Log(), {})
        self.member = Member(Served(name, begin), Workers(2), self._told, lambda _: progress)
        self.thread = threading.Thread(target=self.member.run)

    def _told(self, event: str, **fields: Any) -> None:
        self.events.append({"event": event, **fields})

    def __enter__(self) -> Running:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        interrupt._asked.set()
        self.member.stop()
        self.thread.join(20)
        interrupt.forget()
        assert not self.thread.is_alive()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "delay", lambda *_, **__: 0.01)


def test_one_that_cant_be_begun_with_is_tried_again_as_it_is_by_then() -> None:
    it, mended = scene("demo"), threading.Event()
    wrong = Invalid("the settings have a mistake", problems=[Problem("physics.yaml", 3, 1, "git", "unknown key")])

    def begin() -> Begun:
        if not mended.is_set():
            raise wrong
        return begun(it, "git@forge.example.org:lab/physics.git")

    with Running("physics", begin) as running:
        board = running.member.board
        until(lambda: board.trouble[0] > 1)
        said = document([board])
        assert said["repositories"][0]["state"] == "unusable"
        assert said["git"]["reason"] == "physics: the settings have a mistake"
        assert b'reconciler_repository_usable{repository="physics"} 0.0' in Metrics([board], lambda: 0).page()
        assert "physics.yaml:3" in str(running.events[0]["problems"])
        assert running.member.secret is None
        mended.set()
        until(lambda: board.entries() and board.entries()[0].last)
        assert board.usable
        assert board.trouble == (0, "")
        assert [e["repository"] for e in document([board])["clusters"]] == ["physics"]
        assert running.member.forges_name == "lab/physics"
    assert running.member.error is None


def test_a_mistake_of_ours_is_one_repositorys_trouble_and_says_nothing_of_its_content() -> None:
    def begin() -> Begun:
        raise ValueError("hush")

    with Running("physics", begin) as running:
        until(lambda: running.member.board.trouble[0])
    assert "hush" not in str(running.events)
    assert "internal error" in str(running.events)


def test_the_only_one_ends_with_its_error() -> None:
    def begin() -> Begun:
        raise ReconcilerError("no clone")

    running = Running("", begin)
    running.member.run()
    assert running.member.error is not None
    assert running.events == []
    assert document([running.member.board])["repositories"][0]["repository"] is None


def test_what_was_begun_of_one_that_fails_half_way_is_let_go_of() -> None:
    """It is tried again each minute: no watches may pile up, and no worker is kept free for it."""
    it, closed = scene("demo"), list[str]()

    class Refs(Silent):
        def start(self) -> bool:
            raise OSError("too many open files")

    def begin() -> Begun:
        whole = begun(it)
        it.watcher.close = lambda: closed.append("watches")  # type: ignore[method-assign]
        return replace(whole, parts=replace(whole.parts, refs=lambda _: Refs()))

    with Running("physics", begin) as running:
        until(lambda: running.member.board.trouble[0] > 2)
    assert len(closed) > 1
    assert not running.member.workers._turns.members
