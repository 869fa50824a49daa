"""The daemon in a process of its own: told of a push by a webhook, of what is deleted by watch and cloud, and stopped.

How fast it is on a machine with nothing else to do is measured in benchmarks/bench_daemon.py; here are bounds that a
busy machine holds.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox import gitops
from tests.e2e.daemon import Listening, Running, annotate, deleted_and_back, hooked, listening
from tests.e2e.world import World

pytestmark = pytest.mark.live

BUSY_SECONDS = 30.0


@pytest.fixture(scope="module")
def settings(world: World, tmp_path_factory: pytest.TempPathFactory) -> Listening:
    return listening(world, interval=600, cloud_poll=2, config=tmp_path_factory.mktemp("daemon") / "reconciler.yaml")


@pytest.fixture(scope="module")
def daemon(world: World, settings: Listening) -> Iterator[Running]:
    before = world.head()
    hooked(world.remote, settings)
    try:
        with Running(world.repo, settings.config, "--ref", "origin/main") as running:
            running.until("cycle", cluster="demo", outcome="in sync", seconds=600)
            yield running
        assert running.code == 0
        assert running.events[-1]["event"] == "stopped"
        assert [line for line in running.other if "Traceback" in line] == []
    finally:
        (world.remote / "hooks" / "post-receive").unlink()
        world.back_to(before)  # what was pushed from elsewhere is gone again


def test_a_push_is_applied_soon_after_the_webhook(world: World, daemon: Running, tmp_path: Path) -> None:
    desk = tmp_path / "desk"
    gitops.git("clone", "--quiet", world.remote, desk)
    annotate(desk, str(time.time()))
    began = time.time()
    gitops.commit(desk, "a change by push")
    applying = daemon.until("applying", cluster="demo", trigger="webhook")
    assert datetime.fromisoformat(applying["time"]).timestamp() - began < BUSY_SECONDS
    daemon.until("cycle", cluster="demo", trigger="webhook", outcome="in sync", seconds=300)


def test_a_deleted_deployment_is_back_and_nothing_follows_our_own_repair(world: World, daemon: Running) -> None:
    seen = len(daemon.events)
    deleted_and_back(world, BUSY_SECONDS)
    daemon.until("cycle", after=seen, cluster="demo", trigger="kubernetes", outcome="in sync", seconds=300)
    time.sleep(3)
    begun = [e for e in daemon.events[seen:] if e["event"] == "begin" and e["trigger"] == "kubernetes"]
    assert len(begun) <= 2


def test_a_deleted_server_is_noticed_by_the_cloud_s_own_news_and_made_again(world: World, daemon: Running) -> None:
    cycle: dict[str, Any] = {}
    for _ in range(3):  # a cycle that Kubernetes brought about may be first
        seen, deleted = len(daemon.events), world.servers()["demo-worker-2"]
        world.mischief().connection.compute.delete_server(deleted)
        ended = seen
        while world.servers().get("demo-worker-2", deleted) == deleted:
            cycle = daemon.until("cycle", after=ended, cluster="demo", seconds=600)
            ended = 1 + daemon.events.index(cycle)
        assert cycle["outcome"] == "in sync"
        if any(e["event"] == "begin" and e["trigger"] == "cloud" for e in daemon.events[seen:]):
            return
    raise AssertionError("the cloud's own news began no cycle")


def test_what_it_says_of_itself(world: World, daemon: Running, settings: Listening) -> None:
    command = [sys.executable, "-m", "reconciler", "--config", str(settings.config), "status", "-o", "json"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    (cluster,) = json.loads(said.stdout)["clusters"]
    assert cluster["cluster"] == "demo"
    assert cluster["last"]["outcome"] == "in sync"
    assert daemon.get("/healthz") == "ok\n"
    assert daemon.get("/readyz") == "ok\n"
    assert daemon.metric("reconciler_watches") > 5
    assert 'reconciler_cycles_total{cluster="demo",outcome="in sync"}' in daemon.get("/metrics")
    log = json.dumps(daemon.events)
    assert settings.config.with_name("webhook-secret").read_text().strip() not in log
