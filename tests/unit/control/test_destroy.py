"""A cluster's end against a world in memory: what goes in which order, who has to agree, what is kept, and kills."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.control import record
from reconciler.control.cycle import Cycle
from reconciler.control.destroy import wish_of
from reconciler.engine.destroy import Wish
from reconciler.errors import Transient
from reconciler.model.change import Class
from reconciler.model.outcome import Status
from reconciler.model.resource import Resource, Unknown
from reconciler.model.session import Session
from tests.unit.control.world import FILES, World
from tests.unit.examples import FILE

AGREED = Wish(agreed=True)
PV = Resource("PersistentVolume", "pv-1", {"claim": "x/home", "handle": "c1", "size": "10Gi", "policy": "Delete"}, "v1")
CLAIM = Resource("PersistentVolumeClaim", "x/home", id="p1")
BALANCER = Resource("Service", "x/web", id="s1")


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.settle()
    made.outliving = [BALANCER, CLAIM, PV]
    (made.root / "state" / "demo" / "kubespray").mkdir(parents=True, exist_ok=True)
    return made


def end(world: World, wish: Wish = AGREED) -> Cycle:
    return replace(world.cycle(), wish=wish)


def say(world: World, text: str) -> None:
    """Git says it below spec."""
    files = {path: content.decode() for path, content in world.files.items()}
    world.take({**files, FILE: f"{files[FILE]}  {text}\n"})


def test_all_of_it_goes_in_the_order_it_would_be_missed_in(world: World) -> None:
    outcome, _ = end(world).reconcile()
    assert (outcome.status, outcome.error) == (Status.DESTROYED, "")
    assert outcome.status.exit_code == 0
    log = [" ".join(line.split()[:3]) for line in world.log]
    assert log[0].startswith("moc prune")
    assert log[1] == "own retain pv-1"
    assert world.log[2].startswith("own prune")
    assert "Service x/web s1" in world.log[2]
    kinds = [line.split()[2] for line in world.log[3:]]
    assert all(line.startswith("cloud prune") for line in world.log[3:])
    assert set(kinds[:3]) == {"server"}
    assert "server" not in kinds[3:]
    assert kinds.index("router") < kinds.index("network")
    assert world.resources == []
    assert not [key for key in world.apis["own"].objects if key.kind != "Namespace"]


def test_the_record_says_that_it_was_destroyed_and_nothing_is_remembered_here(world: World) -> None:
    end(world).reconcile()
    files, message = world.recorded[-1]
    assert message.startswith("demo: destroyed")
    assert "status: destroyed" in files[f"demo/{record.OBSERVED}"]
    assert record.read_applied(files[f"demo/{record.APPLIED}"].encode()).resources is not None
    state = world.root / "state" / "demo"
    assert {entry.name for entry in state.iterdir()} <= {"lock", "lease", "lease-seen", "reached"}
    again, _ = end(world).reconcile()
    assert (again.status, again.steps) == (Status.DESTROYED, ())


def test_volumes_are_kept_and_told_unless_somebody_says_otherwise(world: World) -> None:
    kept, _ = end(world).check()
    (notice,) = kept.notices
    assert "volume c1 in the cloud, 10Gi, of x/home, is kept" in notice.why
    assert not [d for d in kept.differences if d.key.kind == CLAIM.kind]
    gone, _ = end(world, replace(AGREED, volumes=True)).check()
    assert gone.notices == ()
    assert [s.summary for s in gone.steps if "volumes with all" in s.summary]
    assert not [s for s in gone.steps if s.operation == "retain"]
    end(world, replace(AGREED, volumes=True)).reconcile()
    pruned = [line for line in world.log if line.startswith("own prune")]
    assert "PersistentVolumeClaim x/home p1" in pruned[-1]


def test_a_volume_that_its_class_keeps_is_told_also_when_volumes_go(world: World) -> None:
    world.outliving = [CLAIM, replace(PV, fields={**PV.fields, "policy": "Retain"})]
    current, _ = end(world, replace(AGREED, volumes=True)).check()
    assert ["its reclaim policy says so" in n.why for n in current.notices] == [True]


def test_what_is_on_a_machines_disk_is_lost_with_it(world: World) -> None:
    world.outliving = [CLAIM, replace(PV, fields={**PV.fields, "policy": "Retain", "local": True})]
    current, _ = end(world, Wish()).check()
    assert [n.why for n in current.notices] == ["pv-1, 10Gi, of x/home: it is on a machine's disk and goes with it"]
    assert "1 volume on machines' disks" in current.refusals[0].message


def test_git_asks_for_it_with_an_approval_of_its_own(world: World) -> None:
    say(world, "lifecycle: destroy")
    wish = wish_of(world.desired.cluster)
    assert wish is not None
    world.sessions = [Session("env-ada/notebook-0", "ada/notebook", "demo-worker-1")]
    blocked, _ = end(world, wish).reconcile()
    assert blocked.status is Status.BLOCKED
    assert world.log == []
    (refusal,) = blocked.after.refusals
    assert refusal.guard == "destroy"
    assert "3 machines" in refusal.message
    assert "the running sessions ada/notebook" in refusal.message
    assert "1 volume kept in the cloud" in refusal.message
    world.approve(blocked.after.digest)
    still, _ = end(world, wish).reconcile()
    assert still.status is Status.BLOCKED, "a plain approval is none of this"


def test_one_approval_is_for_all_of_it_however_often_it_is_killed(world: World) -> None:
    say(world, "lifecycle: destroy")
    wish = Wish()
    digest = end(world, wish).check()[0].digest
    world.approve(digest, "destroy")
    world.fails = {"cloud prune server": Transient("killed")}
    failed, _ = end(world, wish).reconcile()
    assert failed.status is Status.FAILED
    assert [r for r in world.resources if r.kind == "network"], "what hangs on what failed stays"
    assert end(world, wish).check()[0].digest == digest
    world.fails, world.outliving = {}, [PV]
    world.log.clear()
    done, _ = end(world, wish).reconcile()
    assert done.status is Status.DESTROYED
    assert not [line for line in world.log if line.startswith("own prune")]


def test_a_kill_between_members_of_a_control_plane_is_gone_on_from(tmp_path: Path) -> None:
    """What is left of it may not answer: that it was seen empty, and on which machines, was written down."""
    text = FILES[FILE].replace("controlPlane:\n    count: 1", "controlPlane:\n    count: 3")
    assert text != FILES[FILE]
    world = World(tmp_path, {**FILES, FILE: text})
    world.settle()
    world.fails = {"cloud prune network": Transient("killed")}
    before = {r.name: r for r in world.resources if r.kind == "server"}
    end(world).reconcile()
    left = list(world.resources)
    assert not [r for r in left if r.kind == "server"]
    world.fails, world.unseen = {}, Unknown("no quorum")
    world.resources = [*left, before["demo-cp-3"]]
    assert not end(world).check()[0].stopped
    world.resources = [*left, replace(before["demo-cp-3"], id="another")]
    assert end(world).check()[0].stopped, "one that was made since may hold anything"
    world.resources = [*left, *before.values()]
    assert end(world).check()[0].stopped, "all of them are there: it has to answer"


def test_the_approval_is_for_what_git_describes_and_for_the_volumes_it_names(world: World) -> None:
    kept, gone = (end(world, Wish(volumes=volumes)).check()[0].digest for volumes in (False, True))
    say(world, "lifecycle: destroy")
    assert end(world, Wish()).check()[0].digest == kept
    assert gone != kept


def test_a_failure_among_workloads_leaves_the_machines(world: World) -> None:
    world.fails = {"own prune": Transient("it is held")}
    outcome, _ = end(world).reconcile()
    assert (outcome.status, outcome.error) == (Status.FAILED, "it is held")
    assert len([r for r in world.resources if r.kind == "server"]) == 3


def test_a_cluster_that_does_not_answer_is_not_one_without_anything(world: World) -> None:
    world.unseen = Unknown("no answer")
    blocked, _ = end(world).reconcile()
    assert (blocked.status, [r.guard for r in blocked.after.refusals]) == (Status.BLOCKED, ["unknowns"])
    assert world.log == []
    outcome, _ = end(world, replace(AGREED, unreachable=True)).reconcile()
    assert world.resources == []
    assert outcome.status in (Status.DESTROYED, Status.UNKNOWN)


def test_a_cloud_that_does_not_answer_loses_nothing(world: World) -> None:
    world.kinds = {"port": Unknown("Neutron does not answer")}
    blocked, _ = end(world).reconcile()
    assert blocked.status is Status.BLOCKED
    assert [d.key.kind for d in blocked.after.unknown] == ["port"]


def test_a_freeze_holds_this_too(world: World) -> None:
    say(world, "maintenance: {freezes: [{from: '2026-11-01', until: '2026-12-24', reason: exams}]}")
    blocked, _ = end(world).reconcile()
    assert [r.guard for r in blocked.after.refusals] == ["freeze"]


@pytest.mark.parametrize("line", ["suspend: true", "mode: report"])
def test_what_nobody_may_change_nobody_destroys(world: World, line: str) -> None:
    say(world, line)
    end(world).reconcile()
    assert world.log == []
    assert len([r for r in world.resources if r.kind == "server"]) == 3


def test_what_the_cloud_has_not_any_more_keeps_no_cluster_alive(world: World) -> None:
    text = world.files[FILE].decode().replace("flavor: m1.large", "flavor: gone").replace("ubuntu-24.04", "gone")
    world.take({**{path: content.decode() for path, content in world.files.items()}, FILE: text})
    outcome, _ = end(world).reconcile()
    assert outcome.status is Status.DESTROYED
    assert [d for d in outcome.after.differences if d.cls is Class.UNKNOWN] == []
