"""Watches must not end unnoticed: a peer that is dead, threads that begin together, and errors nobody thought of."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest
import urllib3
import yaml

from reconciler.adapters.kubernetes import KubernetesWatches, watch
from reconciler.ports import Api
from tests.unit.adapters.kubernetes.authority import DAY, Authority
from tests.unit.adapters.kubernetes.test_certificates import NOW

KINDS = frozenset({"v1/ConfigMap"})


@dataclass
class Peer:
    """An HTTP/2 server that takes every request and answers none; it answers pings when it is not `dead`."""

    dead: bool
    connections: int = 0
    requests: int = 0
    lost: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        protocol: Any = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        protocol.initiate_connection()
        writer.write(protocol.data_to_send())
        try:
            while data := await reader.read(65536):
                events = protocol.receive_data(data)
                self.requests += sum(isinstance(e, h2.events.RequestReceived) for e in events)
                answer = protocol.data_to_send()
                if not self.dead:
                    writer.write(answer)
        except OSError:
            pass
        self.lost += 1


@contextmanager
def serving(peer: Peer, folder: Path) -> Iterator[Api]:
    """The peer on loopback, and a kubeconfig for it."""
    authority = Authority()
    pair = authority.pair("apiserver", NOW + 365 * DAY)
    (folder / "server.pem").write_bytes(pair.certificate + pair.key)
    (folder / "ca.pem").write_bytes(authority.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    context.set_alpn_protocols(["h2"])
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    begun = asyncio.start_server(peer.meet, "127.0.0.1", 0, ssl=context)
    server = asyncio.run_coroutine_threadsafe(begun, loop).result(10)
    port = server.sockets[0].getsockname()[1]
    said = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "clusters": [
            {"name": "a", "cluster": {"server": f"https://127.0.0.1:{port}", "certificate-authority": "ca.pem"}}
        ],
        "users": [{"name": "a", "user": {"token": "x"}}],
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(said))
    try:
        yield Api(folder / "kubeconfig", None, KINDS, nodes=True)
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"_ANSWER_SECONDS": 0.2, "_PING_SECONDS": 0.5, "_RETRY_SECONDS": (0.01, 0.05)}.items():
        monkeypatch.setattr(watch, name, value, raising=False)


@contextmanager
def watching() -> Iterator[KubernetesWatches]:
    watches = KubernetesWatches(lambda _cluster, _what: None)
    try:
        yield watches
    finally:
        watches.close()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_peer_that_is_dead_is_left_for_a_new_connection(tmp_path: Path) -> None:
    peer = Peer(dead=True)
    with serving(peer, tmp_path) as api, watching() as watches:
        watches.follow("demo", [api])
        until(lambda: peer.connections >= 3 and peer.lost >= 2)


def test_one_request_that_takes_long_breaks_nobody_elses_stream(tmp_path: Path) -> None:
    """An API behind the API server that hangs: it is tried again and again, on the connection that works."""
    peer = Peer(dead=False)
    with serving(peer, tmp_path) as api, watching() as watches:
        watches.follow("demo", [api])
        until(lambda: peer.requests >= 8)
        assert (peer.connections, peer.lost) == (1, 0)


def test_threads_that_begin_together_have_one_loop() -> None:
    for _ in range(50):
        barrier, found = threading.Barrier(8), list[Any]()

        def begin(watches: KubernetesWatches, barrier: threading.Barrier = barrier, found: list[Any] = found) -> None:
            barrier.wait()
            found.append(watches._running())

        with watching() as watches:
            threads = [threading.Thread(target=begin, args=(watches,)) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(10)
        assert len(found) == 8
        assert len(set(found)) == 1


@pytest.mark.parametrize("error", ["MaxRetryError", "ConfigException", "RuntimeError"])
def test_a_stream_outlives_whatever_goes_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str) -> None:
    from kubernetes.config import ConfigException

    pool = urllib3.HTTPConnectionPool("idp.example.org")
    errors = {
        "MaxRetryError": urllib3.exceptions.MaxRetryError(pool, "/", None),
        "ConfigException": ConfigException("no"),
        "RuntimeError": RuntimeError("no"),
    }
    asked: list[float] = []

    def down(_: object) -> dict[str, str]:
        asked.append(time.monotonic())
        raise errors[error]

    monkeypatch.setattr(watch, "credentials", down)
    with serving(Peer(dead=False), tmp_path) as api, watching() as watches:
        watches.follow("demo", [api])
        until(lambda: len(asked) > 8)


def concerned(*events: tuple[str, dict[str, Any]], kind: str = "v1/Endpoints") -> list[str]:
    """What is told of these events of one kind."""
    told: list[str] = []
    watched = watch._Watched(Api(Path("x"), None, KINDS), lambda _, what: told.append(what), lambda *_: None)
    watched._kinds["demo"] = KINDS
    stream = watch._Stream(kind, known={})
    for what, metadata in events:
        watched._took(stream, {"type": what, "object": {"metadata": metadata}})
    return told


def labelled(manager: str, how: str, uid: str = "u") -> dict[str, Any]:
    part_of = "applyset.kubernetes.io/part-of"
    books = {"manager": manager, "operation": how, "fieldsV1": {"f:metadata": {"f:labels": {f"f:{part_of}": {}}}}}
    return {"name": "web", "uid": uid, "labels": {part_of: "demo.workloads"}, "managedFields": [books]}


def test_a_controllers_copy_of_our_label_starts_no_look() -> None:
    copy = labelled("kube-controller-manager", "Update")
    assert concerned(("ADDED", copy), ("MODIFIED", {**copy, "generation": 2}), ("DELETED", copy)) == []
    assert concerned(("ADDED", labelled("kubectl", "Apply"))) == ["Endpoints web added"]
    assert concerned(("ADDED", labelled("kubectl-create", "Update")), kind="v1/ConfigMap") == ["ConfigMap web added"]


def test_what_was_ours_and_has_other_books_now_is_told() -> None:
    mine, now = labelled("reconciler", "Apply"), labelled("kubectl-patch", "Update")
    assert concerned(("ADDED", mine), ("MODIFIED", now)) == ["Endpoints web changed"]


def test_what_nests_too_deeply_to_be_read_is_asked_for_again_as_a_whole_and_not_at_once() -> None:
    stream, pauses = watch._Stream("v1/ConfigMap", version="7"), []
    watched = watch._Watched(Api(Path("x"), None, KINDS), lambda *_: None, lambda *_: None)
    watched._streams["v1/ConfigMap"] = stream

    async def keep(monkeypatch: pytest.MonkeyPatch) -> None:
        async def paused(seconds: float) -> None:
            pauses.append(seconds)
            watched._streams.clear()

        def unreadable(_: object) -> None:
            raise RecursionError

        monkeypatch.setattr(asyncio, "sleep", paused)
        monkeypatch.setattr(watched, "_watch", unreadable)
        await watched._keep(stream)

    with pytest.MonkeyPatch.context() as monkeypatch:
        asyncio.run(keep(monkeypatch))
    assert stream.version == ""
    assert min(pauses) > 100
