"""A daemon in a process of its own, and strangers who hold a thousand connections to it: its work goes on.

It has few file descriptors, as services do; there is no cloud, so every cycle fails and is tried again.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import json
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from reconciler.sandbox import gitops
from reconciler.serve.files import raised
from tests.unit.examples import CLUSTER

SECRET = b"between the forge and us"
TOKEN = "0123456789abcdef-reader"
CANARY = "stranger-canary-5b1f"
FILES = 400  # the daemon's, hard
CONNECTIONS = 1200
LOG_BYTES = 64 * 1024


@dataclass
class Daemon:
    process: subprocess.Popen[bytes]
    port: int
    log: Path
    desk: Path

    def events(self, name: str) -> list[dict[str, str]]:
        lines = self.log.read_text().splitlines()
        return [e for e in map(json.loads, lines) if e["event"] == name]

    def until(self, condition: Callable[[], object], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, self.log.read_text()[-2000:]
            assert time.monotonic() < deadline, self.log.read_text()[-4000:]
            time.sleep(0.05)

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20, source_address=("127.0.3.1", 0))
        with contextlib.closing(connection):
            connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def push(self, text: str) -> str:
        """A commit on the remote, told of as a forge does. Returns its id."""
        (self.desk / "README.md").write_text(text)
        gitops.commit(self.desk, text)
        commit = gitops.git("-C", self.desk, "rev-parse", "HEAD").strip()
        body = json.dumps({"ref": "refs/heads/main", "after": commit}).encode()
        signature = "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()
        told = {"Content_Type": "application/json", "X_GitHub_Event": "push", "X_Hub_Signature_256": signature}
        assert self.ask("POST", "/webhook", body, **told)[0] == 202
        return commit


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    remote, desk, clone, log = (tmp_path / name for name in ("remote.git", "desk", "clone", "log"))
    gitops.git("init", "--quiet", "--bare", "--initial-branch=main", remote)
    gitops.git("clone", "--quiet", remote, desk)
    for name, text in (("desired/demo/cluster.yaml", CLUSTER), ("terraform/openstack-cluster/main.tf", "")):
        (desk / name).parent.mkdir(parents=True)
        (desk / name).write_text(text)
    gitops.git("-C", desk, "checkout", "--quiet", "-B", "main")
    gitops.commit(desk, "a cluster")
    gitops.git("clone", "--quiet", remote, clone)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "clouds.yaml").write_text("clouds: {}\n")
    settings = {
        "clouds": str(tmp_path / "clouds.yaml"),
        "state": str(tmp_path / "state"),
        "cache": str(tmp_path / "cache"),
        "http": {"address": "0.0.0.0", "port": port, "tokenFile": str(tmp_path / "token")},
        "webhook": {"secretFile": str(tmp_path / "secret")},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))
    argv = [sys.executable, "-m", "reconciler", "-C", str(clone), "--config", str(tmp_path / "config.yaml")]
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [*argv, "run", "--ref", "origin/main", "--log-format", "json"],
            stderr=sink,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (FILES // 2, FILES)),  # noqa: PLW1509
        )
    running = Daemon(process, port, log, desk)
    try:
        running.until(lambda: running.events("listening") and running.events("cycle"))
        yield running
        process.terminate()
        assert process.wait(60) == 0
        assert running.events("stopped")
    finally:
        process.kill()
        process.wait()


class Strangers:
    """Idle connections from several addresses, each opened again when it is cut, until the block ends; and nonsense."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._over = threading.Event()
        self._held: list[socket.socket] = []
        self.opened = 0

    def __enter__(self) -> Strangers:
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(30)
        for wire in self._held:
            wire.close()

    def _go_on(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(OSError):
                self._open()
            if len(self._held) >= CONNECTIONS:
                self._held.pop(0).close()
                self._over.wait(0.01)

    def _open(self) -> None:
        place = (f"127.0.1.{self.opened % 20 + 1}", 0)
        wire = socket.create_connection(("127.0.0.1", self._port), timeout=0.5, source_address=place)
        self._held.append(wire)
        self.opened += 1
        nonsense = (
            b"",
            f"GET /{CANARY} HTTP/1.1\r\nHost: {CANARY}\r\n\r\n".encode(),
            f"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-GitHub-Delivery: {CANARY}"
            "\r\nContent-Length: 0\r\n\r\n".encode(),
            b"\x16\x03\x01 no HTTP \r\n\r\n",
            b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{",
        )
        wire.sendall(nonsense[self.opened % 40] if self.opened % 40 < len(nonsense) else b"")


def test_a_thousand_idle_connections_cost_neither_cycles_nor_files_nor_disk(daemon: Daemon) -> None:
    assert raised() > CONNECTIONS + 200, "this test's own connections"
    with Strangers(daemon.port) as strangers:
        daemon.until(lambda: strangers.opened >= CONNECTIONS)
        for n in range(3):
            commit = daemon.push(f"while they are there, {n}")
            daemon.until(lambda commit=commit: [e for e in daemon.events("commit") if e["commit"] == commit[:12]])  # type: ignore[misc]
            assert daemon.descriptors() < FILES // 2
        cycles = len(daemon.events("cycle"))
        daemon.until(lambda: len(daemon.events("cycle")) > cycles)
        assert daemon.ask("GET", "/healthz") == (200, "ok\n")
        assert daemon.ask("GET", "/status")[0] in (401, 429)
        status, page = daemon.ask("GET", "/metrics", Authorization=f"Bearer {TOKEN}")
        assert status == 200
        assert CANARY not in page, "no label is a stranger's"
    assert strangers.opened > CONNECTIONS
    log = daemon.log.read_text()
    assert len(log) < LOG_BYTES
    assert "Traceback" not in log
    assert "Too many open files" not in log
    assert {"cut", "webhook"} <= {json.loads(line)["event"] for line in log.splitlines()}
