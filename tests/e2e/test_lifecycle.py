"""A cluster through its life, with real SSH and Ansible: each change by the smallest playbook, on the fewest hosts."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from reconciler.sandbox.sandbox import Sandbox
from tests.contract.fleet import wait_until

from .world import PROJECT, World

pytestmark = pytest.mark.live

NAME = "life"
OLD, NEW = "1.35.9", "1.36.3"


@pytest.fixture(scope="module")
def world(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Installed with a version of the nodes that is one minor release behind."""
    made = World(sandbox, tmp_path_factory.mktemp("life"), NAME, cidr="10.33.0.0/24")
    made.edit(f'version: "{NEW}"', f'version: "{OLD}"\n    variables: {{sandbox_older_nodes: true}}')
    made.commit("an older release")
    said = made.reconciler("apply", NAME)
    assert said.code == 0, said.all
    return made


def runs(world: World) -> list[Path]:
    """The logs of all playbooks, oldest first."""
    found: list[tuple[float, Path]] = []
    for log in world.state.rglob("artifacts/*/stdout"):
        with contextlib.suppress(FileNotFoundError):  # only the last runs are kept
            found.append((log.stat().st_mtime, log))
    return [log for _, log in sorted(found)]


def recap(log: Path) -> set[str]:
    """The hosts a playbook did anything on."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", log.read_text())
    return set(re.findall(r"^(\S+)\s+: ok=", text.partition("PLAY RECAP")[2], re.MULTILINE))


def playbooks(world: World, before: list[Path]) -> dict[str, set[str]]:
    """What ran since, each with its hosts."""
    fresh = [log for log in runs(world) if log not in before]
    return {log.parent.name.partition(".yml")[0]: recap(log) for log in fresh}


def joining(world: World, before: list[Path]) -> bool:
    """Has a scale.yml begun with its tasks since?"""
    fresh = [log for log in runs(world) if log not in before and log.parent.name.startswith("scale")]
    return any("TASK [" in log.read_text() for log in fresh)


def versions(world: World) -> dict[str, str]:
    nodes = json.loads(world.kubectl("get", "nodes", "-o", "json"))["items"]
    return {n["metadata"]["name"]: n["status"]["nodeInfo"]["kubeletVersion"] for n in nodes}


def apply(world: World, old: str, new: str) -> tuple[dict[str, set[str]], str]:
    """Change the cluster's file and apply it; return what ran and what was said."""
    before = runs(world)
    if old:
        world.edit(old, new)
        world.commit(f"{new}")
    said = world.reconciler("apply", NAME)
    assert said.code == 0, said.all
    return playbooks(world, before), said.all


def named(*parts: str) -> set[str]:
    return {f"{NAME}-{part}" for part in parts}


def test_growing_touches_the_new_hosts_only(world: World) -> None:
    before = world.servers()
    ran, _ = apply(world, "count: 2", "count: 4")
    assert set(ran) == {"facts", "scale"}
    assert ran["scale"] == named("worker-3", "worker-4")
    assert world.servers().keys() - before.keys() == named("worker-3", "worker-4")
    assert versions(world).keys() == named("cp-1", "worker-1", "worker-2", "worker-3", "worker-4")


def test_one_in_the_middle_is_drained_first_and_its_server_goes_last(world: World) -> None:
    """Not one of the first two: the environment's volume lies on one of them, and a guard would ask about that."""
    before = world.servers()
    ran, said = apply(world, "count: 4", "count: 3\n      without: [3]")
    assert set(ran) == {"remove-node"}
    assert world.servers() == {name: id for name, id in before.items() if name != f"{NAME}-worker-3"}
    assert versions(world).keys() == named("cp-1", "worker-1", "worker-2", "worker-4")
    (log,) = [log for log in runs(world) if log.parent.name.startswith("remove-node")][-1:]
    drained = log.read_text().index("Drain the node")
    assert drained < log.read_text().index("Delete the node")
    assert said.index("remove-node.yml") < said.index(f"deleted server {NAME}-worker-3"), said


def test_a_server_deleted_behind_our_back_comes_back_under_its_name(world: World) -> None:
    before = world.servers()
    world.mischief().delete_server(f"{NAME}-worker-4")
    ran, _ = apply(world, "", "")
    assert ran["scale"] == named("worker-4")
    after = world.servers()
    assert {name for name in after if after[name] != before[name]} == named("worker-4")
    provider = world.kubectl("get", "node", f"{NAME}-worker-4", "-o", "jsonpath={.spec.providerID}")
    assert provider == f"openstack:///{after[f'{NAME}-worker-4']}"


def test_labels_need_no_playbook(world: World) -> None:
    ran, _ = apply(world, "hub.jupyter.org/node-purpose: user", "hub.jupyter.org/node-purpose: core")
    assert ran == {}
    label = "{.metadata.labels.hub\\.jupyter\\.org/node-purpose}"
    assert world.kubectl("get", "node", f"{NAME}-worker-4", "-o", f"jsonpath={label}") == "core"


def test_a_host_that_stops_answering_in_the_middle_is_the_next_cycles(world: World) -> None:
    before = runs(world)
    world.edit("count: 3", "count: 5")
    world.commit("two more, one of which dies")
    with (world.repo.parent / "dying.log").open("wb") as log:
        running = subprocess.Popen([*world.command, "apply", "--yes"], stdout=log, stderr=log)
        wait_until(lambda: joining(world, before), 240, "scale.yml")
        compute, dying = world.mischief().connection.compute, world.servers()[f"{NAME}-worker-6"]
        compute.stop_server(dying)
        code = running.wait(300)
    said = (world.repo.parent / "dying.log").read_text()
    assert code == 1, said
    assert f"{NAME}-worker-6" in said
    assert world.reconciler("apply", NAME).code == 0
    assert versions(world).keys() == named("cp-1", "worker-1", "worker-2", "worker-4", "worker-5", "worker-6")
    assert world.servers()[f"{NAME}-worker-6"] == dying
    assert world.reconciler("drift", NAME).code == 0


def test_an_upgrade_waits_for_sessions_that_are_in_use_and_names_them(world: World) -> None:
    """By what their pods say; one that nobody is at work in is in nobody's way."""
    notes = "cluster-autoscaler.kubernetes.io/safe-to-evict=false", "research.moc/idle-after=3600"
    pod = "-n", "env-ada", "annotate", "--overwrite", "pod", "--all"
    world.kubectl(*pod, *notes)
    try:
        world.edit(f'version: "{OLD}"', f'version: "{NEW}"')
        world.commit("an upgrade")
        said = world.reconciler("plan", NAME)
        assert said.code == 4, said.all
        told = " ".join(said.out.split())
        assert "would end running sessions (ada/ada-jupyter on life-worker-" in told
        assert "maxEndedSessions" in told
        world.kubectl(*pod, "research.moc/last-activity=2026-01-01T00:00:00Z")
        assert world.reconciler("plan", NAME).code == 3
    finally:
        world.kubectl(*pod, "cluster-autoscaler.kubernetes.io/safe-to-evict=true", "research.moc/idle-after-")
        world.edit(f'version: "{NEW}"', f'version: "{OLD}"')
        world.commit("not yet")


def test_an_upgrade_goes_in_batches_behind_the_control_plane(world: World) -> None:
    assert set(versions(world).values()) == {f"v{OLD}"}
    servers = world.servers()
    world.lose_state()  # any machine can do it
    ran, _ = apply(world, f'version: "{OLD}"', f'version: "{NEW}"\n    upgrade: {{batch: "2"}}')
    assert set(ran) == {"upgrade-cluster"}
    assert set(versions(world).values()) == {f"v{NEW}"}
    assert world.servers() == servers
    (log,) = [log for log in runs(world) if log.parent.name.startswith("upgrade-cluster")]
    plays = re.findall(r"^PLAY \[(.*?)\]", log.read_text(), re.MULTILINE)
    assert plays.index("Upgrade the control plane") < plays.index("Upgrade the workers")
    assert plays.count("Upgrade the workers") == 3  # five workers, two at a time


def test_told_to_stop_it_ends_the_playbook_and_the_next_cycle_goes_on(world: World) -> None:
    before = runs(world)
    world.edit("count: 5", "count: 6")
    world.commit("one more")
    with (world.repo.parent / "stopped.log").open("wb") as log:
        running = subprocess.Popen([*world.command, "apply", "--yes"], stdout=log, stderr=log, cwd=PROJECT)
        # facts.yml is the first of the two: the end is far
        wait_until(lambda: set(runs(world)) - set(before), 240, "a playbook")
        running.send_signal(signal.SIGTERM)
        code = running.wait(60)
    said = (world.repo.parent / "stopped.log").read_text()
    assert code == 1, said
    assert re.search(r"(facts|scale)\.yml was interrupted", said), said
    assert "Traceback" not in said
    assert not [p for p in os.listdir("/proc") if p.isdigit() and _is_playbook(p, world)]
    apply(world, "", "")
    assert versions(world).keys() >= named("worker-7")
    assert world.reconciler("drift", NAME).code == 0


def _is_playbook(pid: str, world: World) -> bool:
    try:
        said = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"ansible-playbook" in said and os.fsencode(world.state) in said


def test_a_node_that_stays_away_is_rebooted(world: World) -> None:
    """The limit is the smallest there is; Kubernetes itself takes 40 s to notice."""
    world.edit(f'version: "{NEW}"', f'version: "{NEW}"\n    repair: {{rebootAfter: 1}}')
    world.commit("no patience")
    before, ran = world.servers(), runs(world)
    for pid in kubelets(before[f"{NAME}-worker-1"]):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: away(world, f"{NAME}-worker-1") > 60, 300, "a node that is away for a minute")
    said = world.reconciler("apply", NAME)
    assert said.code == 0, said.all
    assert f"rebooted {NAME}-worker-1" in said.all
    assert playbooks(world, ran) == {}
    assert world.servers() == before
    assert away(world, f"{NAME}-worker-1") == 0
    found = next(s for s in world.mischief().connection.compute.servers() if s.id == before[f"{NAME}-worker-1"])
    assert "reconciler.rebooted" in found.metadata
    assert world.reconciler("drift", NAME).code == 0


def kubelets(server: str) -> list[int]:
    """What plays the kubelet on one machine: its processes carry the server's id."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if (entry / "cmdline").read_bytes().startswith(b"kwok") and server in (entry / "environ").read_text():
                found.append(int(entry.name))
        except (OSError, ValueError):
            continue
    assert found
    return found


def away(world: World, node: str) -> float:
    """For how many seconds a node has not been Ready."""
    said = json.loads(world.kubectl("get", "node", node, "-o", "json"))["status"]["conditions"]
    ready = next(c for c in said if c["type"] == "Ready")
    since = datetime.datetime.fromisoformat(ready["lastTransitionTime"])
    return 0 if ready["status"] == "True" else (datetime.datetime.now(datetime.UTC) - since).total_seconds()


def test_its_end_is_said_first_approved_by_itself_and_leaves_nothing(world: World) -> None:
    """The last of this file: a plan that names what is lost, no word without an approval, a kill in the middle, and
    then neither machine nor network, a record that says so, and the volume kept."""
    said = world.reconciler("destroy", NAME)
    assert (said.code, "nobody is here to type the name" in said.all) == (2, True), said.all
    assert world.reconciler("destroy", NAME, "--yes", "demo").code == 2
    before = world.servers()
    world.edit("spec:\n", "spec:\n  lifecycle: destroy\n")
    world.commit("its end")
    said = world.reconciler("apply", NAME)
    assert said.code == 4, said.all
    told = " ".join(said.out.split())
    assert f"what is lost: {len(before)} machines" in told
    assert "on machines' disks" in told
    assert "env-ada/ada-jupyter: it is on a machine's disk and goes with it" in told
    assert world.servers() == before
    (digest,) = set(re.findall(r"plan: '([0-9a-f]{12})', guards: \[destroy\]", told))
    yes = f"{{plan: '{digest}', guards: [destroy], expires: '2099-01-01'}}"
    world.edit("  kubernetes:\n", f"  guards: {{approvals: [{yes}]}}\n  kubernetes:\n")
    world.commit("approved")
    with (world.repo.parent / "ending.log").open("wb") as log:
        running = subprocess.Popen([*world.command, "apply", "--yes", NAME], stdout=log, stderr=log)
        wait_until(lambda: set(world.servers()) < set(before) or running.poll() is not None, 240, "a machine less")
        running.kill()
        running.wait()
    for _ in range(3):  # what was under way when it was killed may be in the way of the first
        said = world.reconciler("apply", NAME)
        if said.code == 0:
            break
    assert said.code == 0, said.all
    assert world.servers() == {}
    network = world.mischief().connection.network
    for kind in ("networks", "subnets", "routers", "ports", "security_groups"):
        assert [r.name for r in getattr(network, kind)() if r.name.startswith(f"{NAME}-")] == []
    assert world.observed()["status"] == "destroyed"
    assert world.git("log", "-1", "--format=%s", "observed") == f"{NAME}: destroyed\n"
    assert not list(world.state.rglob("admin.conf"))
    assert world.reconciler("drift", NAME).code == 0
