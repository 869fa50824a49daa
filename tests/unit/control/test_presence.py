"""A kubeconfig that is not here says nothing: the machines say what is there, and silence is not absence."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.control import elsewhere
from reconciler.control.survey import Survey
from reconciler.errors import Invalid, Permanent, Transient
from reconciler.model.change import Class
from reconciler.model.naming import NEVER_RAN
from reconciler.model.outcome import Status
from reconciler.model.plan import Plan
from reconciler.model.resource import Resource, Unknown
from reconciler.spec.wiring import Output
from tests.unit.control.world import FILES, World
from tests.unit.engine.test_host_keys import block, ed25519
from tests.unit.examples import FILE
from tests.unit.spec.test_kubeconfig import kubeadms, text

THREE = {**FILES, FILE: FILES[FILE].replace("controlPlane:\n    count: 1", "controlPlane:\n    count: 3")}
ETCD = {**FILES, FILE: FILES[FILE] + "  etcd: {count: 3, flavor: m1.medium}\n"}
REFUSED = Unknown("Kubernetes refuses the credentials", refused=True)


def settled(root: Path, files: dict[str, str] = FILES) -> World:
    world = World(root, files)
    world.settle()
    world.machines.kubeconfig = text(kubeadms()).decode()
    world.machines.asked.clear()
    return world


@pytest.fixture
def world(tmp_path: Path) -> World:
    return settled(tmp_path)


def lose(world: World, *names: str) -> None:
    """As on another machine: nothing that a playbook left here."""
    (world.root / "kubeconfig").unlink()
    for name in names or ("installed.json", "fetched", "regained", "applied.yaml", "outputs.json", "durations.json"):
        (world.root / "state/demo" / name).unlink(missing_ok=True)


def installs(plan: Plan) -> list[str]:
    return [s.operation for s in plan.steps if s.operation.endswith(".yml")]


def unknown(plan: Plan) -> str:
    return next(str(d.why) for d in plan.differences if d.cls is Class.UNKNOWN and d.key.kind == "node")


def test_what_is_here_asks_no_machine(world: World) -> None:
    world.cycle().check()
    assert world.machines.asked == []


def test_a_lost_kubeconfig_comes_from_a_machine_and_all_is_in_sync(world: World) -> None:
    lose(world)
    plan, _ = world.cycle().check()
    assert (plan.in_sync, world.machines.asked) == (True, ["demo-cp-1 traces", "demo-cp-1 kubeconfig"])
    kept = json.loads((world.root / "kubeconfig").read_text())
    assert kept["clusters"][0]["cluster"]["server"].startswith("https://192.0.2.")
    assert (world.root / "kubeconfig").stat().st_mode & 0o777 == 0o600
    assert json.loads((world.root / "state/demo/installed.json").read_text()) == {"demo-cp-1": "server-demo-cp-1"}
    world.cycle().check()
    assert len(world.machines.asked) == 2


SILENT = [
    Transient("demo-cp-1 can't be asked over SSH: Connection timed out", hint="is the machine on?"),
    Permanent("demo-cp-1 could not answer: may not look into /etc/kubernetes"),
    Invalid("there is no private key /home/x", hint="say in the settings where the key lies"),
]


@pytest.mark.parametrize("error", SILENT)
def test_a_machine_that_says_nothing_is_unknown(world: World, error: Transient) -> None:
    lose(world)
    world.machines.silent["demo-cp-1"] = error
    outcome, _ = world.cycle().reconcile()
    assert (outcome.status, world.log) == (Status.UNKNOWN, [])
    assert unknown(outcome.after) == f"could not be observed: there is no kubeconfig of demo here, and {error.message}"


@pytest.mark.parametrize(
    ("status", "cure"), [("BUILD", "show"), ("SHUTOFF", "start"), ("ERROR", "show"), ("SUSPENDED", "resume")]
)
def test_a_machine_that_is_not_up_is_not_asked(world: World, status: str, cure: str) -> None:
    lose(world)
    world.resources = [
        replace(r, fields={**r.fields, "status": status}) if r.name == "demo-cp-1" and r.kind == "server" else r
        for r in world.resources
    ]
    plan, sight = world.cycle().check()
    assert (installs(plan), world.machines.asked) == ([], [])
    assert f"demo-cp-1 is {status} and can't be asked" in unknown(plan)
    assert isinstance(sight.presence, Unknown)
    assert f"openstack server {cure} server-demo-cp-1" in str(sight.presence.hint)


def test_a_server_that_never_ran_has_nothing_and_is_made_again(tmp_path: Path) -> None:
    """A first installation for which the cloud had no host: nobody could ever ask that one."""
    world = World(tmp_path, THREE)
    world.fails["kubespray cluster.yml"] = Transient("killed")
    world.cycle().reconcile()
    world.fails.clear()
    (tmp_path / "state/demo/installing.json").unlink()
    world.resources = [
        replace(r, fields={**r.fields, "status": "ERROR", NEVER_RAN: True})
        if (r.kind, r.name) == ("server", "demo-cp-2")
        else r
        for r in world.resources
    ]
    world.machines.asked.clear()
    plan, _ = world.cycle().check()
    assert (installs(plan), plan.refusals) == (["cluster.yml"], ())
    assert "demo-cp-2 traces" not in world.machines.asked


def test_who_says_that_it_is_another_server_is_not_believed(world: World) -> None:
    lose(world)
    other = "4b0e7a52-6b0c-4f0c-9a35-0d4c7d1f2a11"
    world.machines.says["demo-cp-1"] = f"traces: etcd=no kubelet=no kubeconfig=no instance={other} members=\n"
    plan, _ = world.cycle().check()
    assert installs(plan) == []
    assert "says that it is another server" in unknown(plan)


def test_one_that_is_silent_keeps_empty_ones_from_being_installed(tmp_path: Path) -> None:
    world = settled(tmp_path, THREE)
    lose(world)
    world.machines.installed.clear()
    world.machines.silent["demo-cp-3"] = SILENT[0]
    assert installs(world.cycle().check()[0]) == []
    world.machines.silent.clear()
    assert installs(world.cycle().check()[0]) == ["cluster.yml"]


def test_any_that_has_it_gives_it_though_others_are_silent_or_new(tmp_path: Path) -> None:
    world = settled(tmp_path, THREE)
    lose(world)
    world.machines.silent["demo-cp-1"] = SILENT[0]
    world.machines.installed.discard("server-demo-cp-2")
    plan, _ = world.cycle().check()
    assert world.machines.asked[-1] == "demo-cp-3 kubeconfig"
    kept = json.loads((world.root / "kubeconfig").read_text())
    (third,) = (r for r in world.resources if (r.kind, r.name) == ("server", "demo-cp-3"))
    assert kept["clusters"][0]["cluster"]["server"] == f"https://{third.fields['address']}:6443"
    assert installs(plan) == []


def test_a_part_without_a_kubeconfig_is_no_place_to_install(world: World) -> None:
    lose(world)
    world.machines.says["demo-cp-1"] = "traces: etcd=yes kubelet=no kubeconfig=no instance= members=\n"
    plan, _ = world.cycle().check()
    assert installs(plan) == []
    assert "demo-cp-1 has a part of a Kubernetes and no admin.conf" in unknown(plan)


def test_what_would_do_harm_is_not_kept(world: World) -> None:
    lose(world)
    hostile = kubeadms()
    hostile["users"][0]["user"]["exec"] = {"command": "x"}
    world.machines.kubeconfig = text(hostile).decode()
    plan, _ = world.cycle().check()
    assert installs(plan) == []
    assert "would run a program on this machine" in unknown(plan)
    assert not (world.root / "kubeconfig").exists()


def test_the_address_is_never_the_files(world: World) -> None:
    lose(world)
    world.resources = [
        replace(r, fields={**r.fields, "address": ""}) if (r.kind, r.name) == ("server", "demo-cp-1") else r
        for r in world.resources
    ]
    plan, _ = world.cycle().check()
    assert "demo-cp-1 has no address" in unknown(plan)
    assert not (world.root / "kubeconfig").exists()


def test_a_first_installation_that_was_killed_goes_on(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fails["kubespray cluster.yml"] = Transient("killed")
    assert world.cycle().reconcile()[0].status is Status.FAILED
    world.machines.installed = {"server-demo-cp-1"}
    world.fails.clear()
    outcome, _ = world.cycle().reconcile()
    assert outcome.status is Status.IN_SYNC
    assert not (tmp_path / "state/demo/installing.json").exists()


def test_the_same_on_another_machine_is_unknown_or_carried_on(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fails["kubespray cluster.yml"] = Transient("killed")
    world.cycle().reconcile()
    world.machines.installed = {"server-demo-cp-1"}
    (tmp_path / "state/demo/installing.json").unlink()
    assert installs(world.cycle().check()[0]) == []


def test_a_dead_control_plane_is_installed_again_from_anywhere(world: World) -> None:
    lose(world)
    world.lose("server", "demo-cp-1")
    world.nodes = Unknown("does not answer")
    world.machines.installed.clear()
    outcome, _ = world.cycle().reconcile()
    assert (outcome.status, "kubespray cluster.yml" in world.log) == (Status.IN_SYNC, True)


@pytest.mark.parametrize("known", [True, False])
def test_a_kubeconfig_that_nobody_answers_to_is_judged_by_the_machines(world: World, known: bool) -> None:
    """Its notes may be lost beside it: then only machines that all have nothing make it a dead one."""
    if not known:
        (world.root / "state/demo/installed.json").unlink()
    world.nodes = Unknown("does not answer")
    assert installs(world.cycle().check()[0]) == []
    assert bool(world.machines.asked) is not known
    world.machines.installed.clear()
    assert installs(world.cycle().check()[0]) == ([] if known else ["cluster.yml"])


def test_a_member_that_was_replaced_is_seen_by_its_nodes_server(tmp_path: Path) -> None:
    world = settled(tmp_path, THREE)
    world.resources = [
        replace(r, id="another") if (r.kind, r.name) == ("server", "demo-cp-2") else r for r in world.resources
    ]
    before = installs(world.cycle().check()[0])
    lose(world)
    plan, _ = world.cycle().check()
    assert installs(plan) == before
    assert "recover-control-plane.yml" in installs(plan)


def test_etcds_own_machines_are_asked_for_what_they_have(tmp_path: Path) -> None:
    world = settled(tmp_path, ETCD)
    before = json.loads((tmp_path / "state/demo/installed.json").read_text())
    lose(world)
    assert world.cycle().check()[0].in_sync
    assert json.loads((tmp_path / "state/demo/installed.json").read_text()) == before

    lose(world)
    world.machines.silent["demo-etcd-2"] = SILENT[0]
    world.cycle().check()
    assert not (tmp_path / "state/demo/installed.json").exists(), "half of it is none"

    world.machines.silent.clear()
    there = "traces: etcd=yes kubelet=no kubeconfig=no instance= members=etcd-demo-etcd-1,etcd-demo-etcd-2,\n"
    world.machines.says = {"demo-etcd-1": there, "demo-etcd-2": there.replace("yes", "no").replace("etcd-demo-", "x-")}
    world.cycle().check()
    assert json.loads((tmp_path / "state/demo/installed.json").read_text()) == {**before, "demo-etcd-2": ""}


@pytest.mark.parametrize("version", ["1.35.9", "1.38.0"])
def test_another_version_is_refused_as_with_the_kubeconfig(world: World, version: str) -> None:
    lose(world)
    world.take({**FILES, FILE: FILES[FILE].replace("1.36.3", version)})
    with pytest.raises(Invalid, match="asks for a Kubernetes it can't get"):
        world.cycle().check()


def test_a_refused_one_is_replaced_and_not_looked_for_all_the_time(world: World) -> None:
    world.nodes = REFUSED
    for _ in range(3):
        world.cycle().check()
    assert world.machines.asked == ["demo-cp-1 traces", "demo-cp-1 kubeconfig"]
    note = world.root / "state/demo/regained"
    os.utime(note, (1, 1))
    world.cycle().check()
    assert len(world.machines.asked) == 4


def test_who_refuses_is_there_whatever_machines_say(world: World) -> None:
    world.nodes = REFUSED
    world.machines.installed.clear()
    plan, _ = world.cycle().check()
    assert [d.key.name for d in plan.differences if d.cls is Class.UNKNOWN]
    assert not [s for s in plan.steps if s.targets != ("certificate kubeconfig",)]


def test_a_worker_is_not_deleted_while_nobody_can_be_asked(world: World) -> None:
    lose(world)
    world.machines.silent["demo-cp-1"] = SILENT[0]
    world.take({**FILES, FILE: FILES[FILE].replace("count: 2", "count: 1")})
    outcome, _ = world.cycle().reconcile()
    assert (outcome.status, [r.guard for r in outcome.after.refusals]) == (Status.BLOCKED, ["unknowns"])
    assert [r for r in world.resources if isinstance(r, Resource) and r.name == "demo-worker-2"]


def test_what_others_need_of_it_says_why_where_a_note_cannot_be_written(world: World) -> None:
    """Nothing of another cluster ends a look."""
    lose(world)
    shutil.rmtree(world.root / "state")
    (world.root / "state").write_text("no folder")
    world.consoles["server-demo-cp-1"] = block(ed25519(1))
    needed = frozenset({Output("demo", "services", "web/site", "address")})
    tools = world.cycle().tools
    known = elsewhere.gathered(needed, {"demo": world.desired}, {}, tools, Survey(lambda _: world, ("demo",)))
    assert not known.values
    assert "cannot write" in " ".join(known.why.values())
