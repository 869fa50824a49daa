"""A daemon in a process of its own, listened to by its log, and a remote that tells it of every push."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from reconciler.adapters.kubernetes.connection import Connection, NotFound
from tests.e2e.world import BACKEND, PROJECT, World, edited

DEPLOYMENT = "/apis/apps/v1/namespaces/sid/deployments/backend"
SECRET = "what the forge and the daemon know"
# As forges do, it tells of branches and tags, and of nothing else.
_HOOK = """\
#!/bin/sh
grep -E ' refs/(heads|tags)/' | while read -r line; do echo "$line" | {python} -I "$0.py"; done
"""
_TELLER = """\
import hashlib, hmac, json, sys, urllib.request

for line in sys.stdin:
    before, after, ref = line.split()
    body = json.dumps({{"ref": ref, "before": before, "after": after}}).encode()
    signature = "sha256=" + hmac.new({secret!r}.encode(), body, hashlib.sha256).hexdigest()
    headers = {{"Content-Type": "application/json", "X-GitHub-Event": "push", "X-Hub-Signature-256": signature}}
    try:
        told = urllib.request.Request("http://127.0.0.1:{port}/webhook", body, headers)
        urllib.request.urlopen(told, timeout=5).read()
    except OSError as error:
        print(f"webhook: {{error}}", file=sys.stderr)
"""


@dataclass(frozen=True)
class Listening:
    """Settings of a daemon: their file, and what in them a test wants to know."""

    config: Path
    port: int
    cloud_poll: float


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listening(
    world: World,
    *,
    interval: float,
    config: Path | None = None,
    state: Path | None = None,
    cloud_poll: float = 15.0,
    workers: int = 4,
) -> Listening:
    """The world's settings with a door of its own."""
    config = config or world.config.with_name("daemon.yaml")
    port = free_port()
    secret = config.with_name("webhook-secret")
    secret.write_text(SECRET + "\n")
    settings: dict[str, Any] = yaml.safe_load(world.config.read_text())
    settings |= {
        "http": {"port": port},
        "webhook": {"secretFile": str(secret), "perMinute": 600.0},
        "daemon": {"interval": float(interval), "poll": float(interval), "cloudPoll": cloud_poll, "workers": workers},
    }
    settings |= {"state": str(state)} if state else {}
    config.write_text(yaml.safe_dump(settings))
    return Listening(config, port, cloud_poll)


def hooked(remote: Path, settings: Listening) -> None:
    """Let the bare remote tell the daemon of every push, as a forge does."""
    hook = remote / "hooks" / "post-receive"
    hook.with_name("post-receive.py").write_text(_TELLER.format(secret=SECRET, port=settings.port))
    hook.write_text(_HOOK.format(python=sys.executable))
    hook.chmod(0o755)


class Running:
    """`reconciler run` while the block lasts. `events` are the lines of its log so far."""

    def __init__(
        self, repo: Path, config: Path, *argv: str, counts: Path | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        self._env = {**os.environ, **(env or {})}
        start = [str(PROJECT / "benchmarks/counting.py"), str(counts)] if counts else ["-m", "reconciler"]
        rest = ["--repo", str(repo), "--config", str(config), "run", "--log-format", "json", *argv]
        self._argv = [sys.executable, *start, *rest]
        self.port = yaml.safe_load(config.read_text())["http"]["port"]
        self.events: list[dict[str, Any]] = []
        self.other: list[str] = []

    def __enter__(self) -> Running:
        self._process = subprocess.Popen(self._argv, stderr=subprocess.PIPE, text=True, cwd=PROJECT, env=self._env)
        self.pid = self._process.pid
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.code = self.stop()

    def stop(self) -> int:
        """End it politely, and return its exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(120)
        finally:
            self._process.kill()
            self._process.wait()
            self._reader.join(10)

    def _read(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            try:
                self.events.append(json.loads(line))
            except ValueError:
                self.other.append(line)

    def until(self, event: str, *, after: int = 0, seconds: float = 120, **fields: object) -> dict[str, Any]:
        """The first such event from number `after` on; it may still have to come."""
        deadline = time.monotonic() + seconds
        while True:
            for found in self.events[after:]:
                if found["event"] == event and all(found.get(k) == v for k, v in fields.items()):
                    return found
            assert self._process.poll() is None, f"the daemon ended: {self.other[-20:]} {self.events[-3:]}"
            assert time.monotonic() < deadline, f"no {event} {fields} in {self.events[-8:]} {self.other[-5:]}"
            time.sleep(0.005)

    def until_all(self, clusters: Sequence[str], *, seconds: float = 120) -> None:
        """Every cluster had its first cycle."""
        deadline = time.monotonic() + seconds
        while set(clusters) - {e.get("cluster") for e in tuple(self.events) if e["event"] == "cycle"}:
            assert self._process.poll() is None, f"the daemon ended: {self.other[-20:]}"
            assert time.monotonic() < deadline, "not every cluster had a cycle"
            time.sleep(0.2)

    def get(self, path: str) -> str:
        """What the daemon's door answers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    def metric(self, name: str) -> float:
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.get("/metrics"), re.MULTILINE)
        assert found, name
        return float(found[1])


def annotate(desk: Path, value: str) -> None:
    """Change the back end's Deployment in a clone, in a way that starts no pod anew."""
    with edited(desk / BACKEND, "Deployment") as deployment:
        deployment["metadata"].setdefault("annotations", {})["example.org/pushed"] = value


def deleted_and_back(world: World, patience: float = 60.0) -> float:
    """Seconds from when the back end's Deployment was deleted until there is another one. Raises AssertionError after
    `patience` seconds."""
    api = Connection(world.kubeconfig, None, 10)
    before = api.get(DEPLOYMENT)["metadata"]["uid"]
    api.request("DELETE", DEPLOYMENT, body={"propagationPolicy": "Background"})
    began = time.monotonic()
    while True:
        with contextlib.suppress(NotFound):
            if api.get(DEPLOYMENT)["metadata"]["uid"] != before:
                return time.monotonic() - began
        assert time.monotonic() - began < patience, "the Deployment did not come back"
        time.sleep(0.01)
