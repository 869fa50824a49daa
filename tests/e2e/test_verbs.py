"""The verbs people reach for: the way in, both sides of a difference, and the line that keeps hands off."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.contract.fleet import wait_until
from tests.e2e.world import World

pytestmark = pytest.mark.live


def kubectl(world: World, file: Path, *argv: str) -> str:
    """The real client with somebody's own kubeconfig."""
    binary = world.sandbox.machines_bin / "kubectl"
    command = [str(binary), f"--kubeconfig={file}", *argv]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def log_level(world: World, level: str) -> None:
    """What somebody changed by hand."""
    patch = json.dumps({"data": {"SID_LOG_LEVEL": level}})
    world.kubectl("-n", "sid", "patch", "configmap", "backend", "--type=merge", "-p", patch)


def test_the_kubeconfig_opens_the_cluster_alone_and_beside_others(world: World, tmp_path: Path) -> None:
    said = world.reconciler("kubeconfig", world.name)
    assert said.code == 0, said.all
    alone, mine = tmp_path / "alone", tmp_path / "mine"
    alone.write_text(said.out)
    mine.write_text("apiVersion: v1\nkind: Config\ncurrent-context: work\nclusters: []\ncontexts: []\nusers: []\n")
    merged = world.reconciler("kubeconfig", world.name, "--merge", env={"KUBECONFIG": str(mine)})
    assert merged.code == 0, merged.all
    assert "current-context: work" in mine.read_text()
    for file, context in ((alone, ()), (mine, ("--context", world.name))):
        nodes = json.loads(kubectl(world, file, *context, "get", "nodes", "-o", "json"))["items"]
        assert {n["metadata"]["name"] for n in nodes} == set(world.servers())
    assert world.reconciler("kubeconfig", "nowhere").code == 2


def test_ssh_leads_to_the_machine_that_is_meant(world: World) -> None:
    servers = world.observed()["components"]["infrastructure"]["server"]
    (address,) = (s["address"] for s in servers if s["name"] == f"{world.name}-worker-1")
    shown = world.reconciler("ssh", "--print", world.name, "worker-1")
    assert shown.out.rstrip().endswith(f"-- {address}"), shown.all
    said = world.reconciler("ssh", world.name, "worker-1", "--", "echo", "it is me")
    assert (said.code, said.out) == (0, "it is me\n"), said.all
    assert world.reconciler("ssh", world.name, "worker-1", "--", "exit 7").code == 7
    known = next(world.state.rglob("known_hosts"))
    before = known.read_text()
    known.write_text("\n".join(" ".join([*line.split()[:2], other_key(before, line)]) for line in before.splitlines()))
    try:
        refused = world.reconciler("ssh", world.name, "worker-1", "--", "true")
        assert refused.code == 255
        assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in refused.err
    finally:
        known.write_text(before)


def other_key(text: str, line: str) -> str:
    """The key of another machine."""
    return next(other.split()[2] for other in text.splitlines() if other.split()[2] != line.split()[2])


def test_diff_shows_both_sides_of_one_thing(world: World) -> None:
    same = world.reconciler("diff", world.name)
    assert (same.code, same.out) == (0, "no differences\n"), same.all
    log_level(world, "debug")
    try:
        said = world.reconciler("diff", world.name, "ConfigMap", "sid/backend")
        assert said.code == 3, said.all
        lines = said.out.splitlines()
        assert lines[0] == "--- ConfigMap sid/backend (live)"
        assert lines[-2:] == ["-debug", "+info"]
        assert world.reconciler("diff", world.name, f"{world.name}-worker-1").code == 0
        unknown = world.reconciler("diff", world.name, "ConfigMap", "sid/bakend")
        assert (unknown.code, "ConfigMap sid/backend" in unknown.err) == (2, True)
    finally:
        assert world.reconciler("apply", world.name).code == 0


def test_a_suspended_cluster_is_left_until_it_is_resumed(world: World) -> None:
    text = world.cluster_file.read_text()
    said = world.reconciler("suspend", world.name, "-m", "storage is being moved")
    assert said.code == 0, said.all
    assert "storage is being moved" in world.git("log", "-1", "--format=%B", "main")
    log_level(world, "debug")
    held = world.reconciler("apply", world.name)
    assert (held.code, "suspended" in held.out) == (0, True), held.all
    assert world.reconciler("suspend", world.name).out.endswith("nothing to commit\n")
    resumed = world.reconciler("resume", world.name)
    assert resumed.code == 0, resumed.all
    assert world.cluster_file.read_text() == text
    assert world.reconciler("apply", world.name).code == 0
    assert world.reconciler("diff", world.name).code == 0


def test_a_plan_that_is_watched_is_printed_when_it_is_another_one(world: World, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [*world.command, "--quiet", "plan", world.name, "--watch", "--every", "1", "-o", "json"]
    with out.open("w") as sink, subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT) as watching:
        try:
            wait_until(lambda: "in sync" in out.read_text(), 60, "the first plan")
            log_level(world, "debug")
            wait_until(lambda: "drifted" in out.read_text(), 60, "the plan of what was changed")
            log_level(world, "info")
        finally:
            watching.terminate()
            code = watching.wait(60)
    assert code == 0
    assert out.read_text().count('"cluster"') < 20
    assert yaml.safe_load(out.read_text()[: out.read_text().index("\n]") + 2])
    assert world.reconciler("apply", world.name).code == 0
