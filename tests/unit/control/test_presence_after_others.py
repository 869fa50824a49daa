"""What another machine did meanwhile: the notes and the kubeconfig that are here are of before, and the machines say
what is there now."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.errors import Transient
from reconciler.model.resource import Unknown
from tests.unit.control.test_presence import (
    ETCD,
    REFUSED,
    SILENT,
    THREE,
    installs,
    lose,
    settled,
    unknown,
)
from tests.unit.control.world import FILES, World
from tests.unit.examples import FILE
from tests.unit.spec.test_kubeconfig import kubeadms, text


@pytest.fixture
def world(tmp_path: Path) -> World:
    return settled(tmp_path)


def other_servers(world: World, *names: str) -> None:
    """As another machine replaced these: they are new servers, and joined as such."""
    again = {r.id: f"new-{r.name}" for r in world.resources if r.kind == "server" and r.name in names}
    world.machines.installed |= set(again.values())
    world.resources = [replace(r, id=again.get(r.id, r.id)) for r in world.resources]
    assert isinstance(world.nodes, list)
    world.nodes = [
        replace(n, fields={**n.fields, "provider_id": f"openstack:///new-{n.name}"}) if n.name in names else n
        for n in world.nodes
    ]


@pytest.mark.parametrize("names", [("demo-cp-1",), ("demo-cp-1", "demo-cp-2", "demo-cp-3")])
def test_what_another_machine_replaced_is_neither_dead_nor_lost(tmp_path: Path, names: tuple[str, ...]) -> None:
    """The note that is here is of the servers before: the cluster is well, and says so."""
    world = settled(tmp_path, THREE)
    other_servers(world, *names)
    assert world.cycle().check()[0].in_sync
    note = json.loads((tmp_path / "state/demo/installed.json").read_text())
    assert all(note[name] == f"new-{name}" for name in names)


def test_machines_of_etcds_own_that_another_machine_replaced_are_not_lost(tmp_path: Path) -> None:
    world = settled(tmp_path, ETCD)
    other_servers(world, "demo-etcd-2")
    world.machines.silent["demo-etcd-2"] = SILENT[0]
    assert "recover-control-plane.yml" in installs(world.cycle().check()[0])
    world.machines.silent.clear()
    assert world.cycle().check()[0].in_sync


@pytest.mark.parametrize("here", [True, False])
def test_an_old_note_makes_no_living_control_plane_a_dead_one(world: World, here: bool) -> None:
    """Every server that this machine knows is gone, and the API can't be asked by what is here."""
    other_servers(world, "demo-cp-1")
    if here:
        world.nodes = Unknown("does not answer")
    else:
        (world.root / "kubeconfig").unlink()
    plan, _ = world.cycle().check()
    assert installs(plan) == []
    assert (world.root / "kubeconfig").exists()


def test_a_new_control_plane_that_is_silent_is_not_dead(world: World) -> None:
    other_servers(world, "demo-cp-1")
    world.nodes = Unknown("does not answer")
    world.machines.silent["demo-cp-1"] = SILENT[0]
    plan, _ = world.cycle().check()
    assert installs(plan) == []
    assert unknown(plan) == "could not be observed: does not answer"


def elsewhere(world: World) -> str:
    """The kubeconfig here names an address that no control plane has, and nobody answers there; returns what it was."""
    lose(world)
    world.cycle().check()
    text = (world.root / "kubeconfig").read_text()
    (world.root / "kubeconfig").write_text(re.sub(r"192\.0\.2\.\d+", "192.0.2.200", text))
    world.nodes = Unknown("does not answer")
    return text


def test_a_kubeconfig_of_an_address_that_no_control_plane_has_is_fetched_again(world: World) -> None:
    text = elsewhere(world)
    world.machines.asked.clear()
    for _ in range(2):
        world.cycle().check()
    assert world.machines.asked == ["demo-cp-1 traces", "demo-cp-1 kubeconfig"]
    assert (world.root / "kubeconfig").read_text() == text


def test_a_load_balancer_that_cannot_be_seen_makes_no_address_an_old_one(world: World) -> None:
    elsewhere(world)
    world.kinds["load_balancer"] = Unknown("Octavia is down")
    world.take({**FILES, FILE: FILES[FILE] + "  apiLoadBalancer: {}\n"})
    world.machines.asked.clear()
    world.cycle().check()
    assert world.machines.asked == []


def test_an_installation_that_another_machine_ended_is_not_gone_on_with(tmp_path: Path) -> None:
    """What this machine began is all it knows; the API lives, though nobody gets there from here."""
    world = World(tmp_path)
    world.fails["kubespray cluster.yml"] = Transient("killed")
    world.cycle().reconcile()
    world.fails.clear()
    world.machines.installed, world.machines.living = {"server-demo-cp-1"}, {"demo-cp-1"}
    world.machines.kubeconfig = text(kubeadms()).decode()
    world.nodes = Unknown("does not answer")
    assert [installs(world.cycle().check()[0]) for _ in range(2)] == [[], []]
    world.machines.living.clear()
    assert installs(world.cycle().check()[0]) == ["cluster.yml"]


def test_a_kubeconfig_that_was_given_and_is_refused_stays(world: World, tmp_path: Path) -> None:
    """Also where every server that is known here is gone."""
    given = tmp_path / "given"
    given.mkdir()
    (given / "demo.yaml").touch()
    (world.root / "kubeconfig").unlink()
    other_servers(world, "demo-cp-1")
    world.nodes = REFUSED
    cycle = world.cycle()
    plan, _ = replace(cycle, tools=replace(cycle.tools, kubeconfigs=given)).check()
    assert installs(plan) == []
    assert world.machines.asked == ["demo-cp-1 traces"]
    assert not (world.root / "kubeconfig").exists()
