"""SIGKILL at random moments of a cycle that has work in every component: it converges, nothing is doubled or lost."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter

import pytest

from reconciler.toolchain import Toolbox
from tests.e2e.world import World

pytestmark = pytest.mark.live


def breaks(world: World) -> None:
    """Work for infrastructure and Kubernetes (a worker's machine is gone), workloads and applications."""
    world.mischief().delete_server(f"{world.name}-worker-2")
    world.kubectl("-n", "sid", "delete", "deployment", "backend", "--wait=false")
    world.kubectl("-n", "sid-web", "delete", "configmaps", "--all", "--wait=false")


def doubled(world: World) -> dict[str, int]:
    """Whatever of the cluster's there is more than once by its name."""
    c = world.mischief().connection
    found = Counter(f"server {s.name}" for s in c.compute.servers())
    for kind in ("ports", "security_groups", "networks", "subnets", "routers"):
        found += Counter(f"{kind} {r.name}" for r in getattr(c.network, kind)() if r.name.startswith(f"{world.name}-"))
    return {name: n for name, n in found.items() if n > 1}


def whole(world: World) -> dict[str, object]:
    """What has to be there after every round."""
    nodes = json.loads(world.kubectl("get", "nodes", "-o", "json"))["items"]
    ready = sorted(
        n["metadata"]["name"]
        for n in nodes
        if any(s["type"] == "Ready" and s["status"] == "True" for s in n["status"]["conditions"])
    )
    names = (["-n", "sid", "get", "deployments"], ["-n", "sid-web", "get", "configmaps,deployments,services"])
    there = sorted(line for argv in names for line in world.kubectl(*argv, "-o", "name").split())
    return {"servers": sorted(world.servers()), "nodes": ready, "objects": there}


def kill_after(world: World, seconds: float) -> bool:
    """Start an apply and SIGKILL it after so many seconds. False when it was done before that."""
    with (world.repo.parent / "killed.log").open("ab") as log:
        running = subprocess.Popen([*world.command, "apply", "--yes"], stdout=log, stderr=log)
        try:
            running.wait(seconds)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
            return True
    return False


def converges(world: World) -> None:
    """Within three cycles: what a killed tool still does may be in the way of the first."""
    for attempt in range(3):
        said = world.reconciler("apply", world.name)
        if said.code == 0:
            return
        sys.stdout.write(f"  attempt {attempt + 1}: exit code {said.code}\n{said.all[-3000:]}\n")
    raise AssertionError(said.all)


def rounds(world: World, toolbox: Toolbox, kills: int) -> None:
    """Until so many kills were seen, each in a round that was broken in the same way."""
    seed = int(os.environ.get("SOAK_SEED", time.time_ns() % 1_000_000))
    sys.stdout.write(f"SOAK_SEED={seed} does the same again\n")
    chance, seen, before = random.Random(seed), 0, whole(world)
    breaks(world)
    began = time.monotonic()
    said = world.reconciler("apply", world.name)
    assert said.code == 0, said.all
    length = time.monotonic() - began
    kept = {name: id_ for name, id_ in world.servers().items() if not name.endswith("worker-2")}
    assert whole(world) == before
    while seen < kills:
        commits, moment = world.history(), chance.uniform(0, length)
        breaks(world)
        killed = kill_after(world, moment)
        seen += killed
        sys.stdout.write(
            f"kill {seen} after {moment:.1f} of {length:.1f} s{'' if killed else ': it was done before'}\n"
        )
        sys.stdout.flush()
        converges(world)
        assert doubled(world) == {}
        assert whole(world) == before
        assert {n: i for n, i in world.servers().items() if n in kept} == kept, "what was whole was made anew"
        assert world.history()[: len(commits)] == commits, "the observed branch lost something"
    assert world.reconciler("drift", world.name).code == 0
    for workspace in ("infrastructure", "applications-moc"):
        code, plan = world.tofu_plan(toolbox, workspace)
        assert code == 0, plan


@pytest.mark.long
def test_killed_twice_at_random_it_converges(world: World, toolbox: Toolbox) -> None:
    """The short version of what `make soak` does."""
    rounds(world, toolbox, kills=2)


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
def test_killed_fifty_times_at_random_it_converges(world: World, toolbox: Toolbox) -> None:
    rounds(world, toolbox, kills=50)
