"""Killed anywhere, it converges; blind in one eye, it keeps its hands still."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.adapters.openstack import OpenStackCloud
from reconciler.control.machine_lock import Neighbours, alone_here
from reconciler.sandbox.sandbox import Sandbox
from reconciler.toolchain import Toolbox
from tests.e2e.world import World

pytestmark = pytest.mark.live
_PATIENCE = 180.0


def until(condition: Callable[[], bool], process: subprocess.Popen[bytes], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert process.poll() is None, f"ended before {what}"
        assert time.monotonic() < deadline, f"never saw {what}"
        time.sleep(0.05)


def kill_when(world: World, condition: Callable[[], bool], what: str) -> None:
    """Start an apply, and SIGKILL it in the middle of things."""
    with (world.repo.parent / "killed.log").open("ab") as log:
        running = subprocess.Popen([*world.command, "apply", "--yes"], stdout=log, stderr=log)
        until(condition, running, what)
        running.send_signal(signal.SIGKILL)
        running.wait()


def children_named(word: str, world: World) -> list[int]:
    """Processes whose command line or folder names both the word and this world's state."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            said = (entry / "cmdline").read_bytes() + (entry / "cwd").readlink().as_posix().encode()
        except OSError:
            continue
        if word.encode() in said and str(world.state).encode() in said:
            found.append(int(entry.name))
    return found


def names(world: World) -> Counter[str]:
    """How many servers of each name there are: none may ever exist twice."""
    found = world.mischief().connection.compute.servers()
    return Counter(s.name for s in found if s.name.startswith(f"{world.name}-"))


def test_killed_while_terraform_and_the_playbook_run(sandbox: Sandbox, toolbox: Toolbox, tmp_path: Path) -> None:
    world = World(sandbox, tmp_path, "kill", cidr="10.22.0.0/24", workers=1)

    kill_when(world, lambda: bool(names(world)), "the first server")
    # tofu was told to stop when its parent died; kill it too, in the middle of whatever it is doing
    for pid in children_named("tofu", world):
        os.kill(pid, signal.SIGKILL)
    kill_when(world, lambda: bool(children_named("ansible-playbook", world)), "the playbook")

    said = world.reconciler("apply", "kill")
    assert said.code == 0, said.all
    assert names(world) == {"kill-cp-1": 1, "kill-worker-1": 1}
    assert world.reconciler("drift", "kill").code == 0
    code, plan = world.tofu_plan(toolbox, "infrastructure")
    assert code == 0, plan

    commits, master = world.history(), world.servers()["kill-cp-1"]
    world.mischief().delete_server("kill-worker-1")
    kill_when(world, lambda: bool(children_named("tofu", world)), "tofu")
    said = world.reconciler("apply", "kill")
    assert said.code == 0, said.all
    assert names(world) == {"kill-cp-1": 1, "kill-worker-1": 1}
    assert world.servers()["kill-cp-1"] == master, "the control plane was made anew"
    code, plan = world.tofu_plan(toolbox, "infrastructure")
    assert code == 0, plan
    assert world.history()[: len(commits)] == commits, "the observed branch lost something"
    assert len(world.history()) > len(commits)

    world.lose_state()  # and the control plane with it, as seen from any other machine
    world.mischief().delete_server("kill-cp-1")
    planned = world.reconciler("plan", "kill")
    assert "cluster.yml" in planned.out, planned.all
    said = world.reconciler("apply", "kill")
    assert said.code == 0, said.all
    assert names(world) == {"kill-cp-1": 1, "kill-worker-1": 1}
    assert world.servers()["kill-cp-1"] != master
    assert world.reconciler("drift", "kill").code == 0


def test_with_nova_unreachable_nothing_is_planned_for_deletion(world: World) -> None:
    before, commits = world.servers(), world.history()
    world.sandbox.cloud.stop("nova")
    try:
        said = world.reconciler("plan", "demo")
        assert said.code == 1, said.all
        assert "could not be observed" in said.all
        assert not re.search(r"\d+ to delete|prune", said.out.lower()), said.out
        assert "server" in said.all
        said = world.reconciler("apply", "demo")
        assert said.code == 1, said.all
    finally:
        world.sandbox.cloud.up()
    assert world.servers() == before
    assert world.history()[: len(commits)] == commits
    said = world.reconciler("apply", "demo")
    assert said.code == 0, said.all
    assert world.servers() == before


def test_who_applies_from_another_clone_of_this_machine_keeps_an_apply_off(world: World, tmp_path: Path) -> None:
    """By the id that Keystone has for the project, whatever the clone and its remote."""
    project = OpenStackCloud("sandbox", clouds_file=world.sandbox.clouds_yaml, timeout=30).project()
    assert project == world.mischief().connection.current_project_id
    world.kubectl("-n", "sid", "delete", "configmap", "backend")
    commits = world.history()
    with alone_here(Neighbours(lambda _: project, tmp_path / "their clone"), world.name, "sandbox", None):
        said = world.reconciler("apply", world.name)
        assert said.code == 1, said.all
        assert f"{world.name!r} is applied on this machine by another reconciler: process {os.getpid()} of" in said.all
        assert "their clone" in said.all
        assert "backend" not in world.kubectl("-n", "sid", "get", "configmaps", "-o", "name").split("/")
        assert world.history() == commits
    said = world.reconciler("apply", world.name)
    assert said.code == 0, said.all


def test_services_that_a_cluster_does_not_use_may_be_silent(world: World) -> None:
    for service in ("cinder", "octavia"):
        world.sandbox.cloud.stop(service)
    try:
        said = world.reconciler("drift", "demo")
        assert said.code == 0, said.all
    finally:
        world.sandbox.cloud.up()
