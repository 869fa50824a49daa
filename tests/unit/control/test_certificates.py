"""Certificates in a cycle: an end is told and stops nothing; a refused kubeconfig is fetched, and not for ever."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest

from reconciler.errors import Permanent
from reconciler.model.naming import CERTIFICATE, ENDS
from reconciler.model.outcome import Status
from reconciler.model.resource import Resource, Unknown
from tests.unit.control.world import FILES, World
from tests.unit.examples import FILE

REFUSED = Unknown("Kubernetes refuses the credentials", "they are wrong or expired: get new ones", refused=True)
FETCH = ["forget ", "kubespray cluster.yml", "label "]


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.settle()
    return made


def ending(world: World, **left: int) -> None:
    """Certificates with so many days left, by name."""
    ends = {name.replace("_", "-"): world.now + datetime.timedelta(days=days) for name, days in left.items()}
    world.certificates = [Resource(CERTIFICATE, name, {ENDS: end.isoformat()}) for name, end in ends.items()]


def test_an_end_that_comes_near_is_told_and_nothing_is_run(world: World) -> None:
    ending(world, kubeconfig=300, api_server=20)
    outcome, _ = world.cycle().reconcile()
    assert (outcome.status, outcome.steps, world.log) == (Status.DRIFTED, (), [])
    (told,) = outcome.after.open
    assert (str(told.key), told.action, str(told.severity)) == ("certificate api-server", "none", "medium")
    assert told.why.startswith("ends 2026-12-14 12:00 UTC: ask for a newer patch in spec.kubernetes.version")


def test_a_repair_is_recorded_as_applied_though_a_certificate_ends(world: World) -> None:
    ending(world, kubeconfig=1)
    world.lose("port", "demo-worker-1")
    outcome, _ = world.cycle().reconcile()
    assert (outcome.status, world.log) == (Status.DRIFTED, ["terraform infrastructure"])
    assert "kind: node" in world.recorded_state["demo/applied.yaml"]
    assert CERTIFICATE not in world.recorded_state["demo/applied.yaml"]


def test_a_day_that_passes_is_no_change_to_write_down(world: World) -> None:
    ending(world, kubeconfig=20, api_server=20)
    world.cycle().reconcile()
    before = dict(world.recorded_state)
    world.now += datetime.timedelta(days=3)
    world.cycle().reconcile()
    assert world.recorded_state == before
    assert "certificate kubeconfig" in before["demo/drift.md"]
    assert ENDS not in before["demo/observed.yaml"]
    world.now += datetime.timedelta(days=11)
    world.cycle().reconcile()
    assert world.recorded_state != before  # it is high by now


def test_a_kubeconfig_that_is_refused_is_fetched_again(world: World) -> None:
    world.nodes = REFUSED
    plan, _ = world.cycle().check()
    assert [(s.operation, s.targets) for s in plan.steps] == [("cluster.yml", ("certificate kubeconfig",))]
    outcome, _ = world.cycle().reconcile()
    assert (outcome.status, world.log) == (Status.IN_SYNC, FETCH)
    assert world.playbooks[-1].limit == ()


def test_what_comes_back_refused_is_not_fetched_for_ever(world: World) -> None:
    for _ in range(3):
        world.nodes = REFUSED
        world.useless.add("kubespray cluster.yml")
        outcome, _ = world.cycle().reconcile()
        assert outcome.status is Status.UNKNOWN
    assert world.log == FETCH


def test_a_fetch_that_failed_is_tried_in_the_next_cycle(world: World) -> None:
    world.nodes = REFUSED
    world.fails["kubespray cluster.yml"] = Permanent("sudo needs a password")
    assert world.cycle().reconcile()[0].status is Status.FAILED
    world.fails.clear()
    assert world.cycle().reconcile()[0].status is Status.IN_SYNC


def test_once_it_is_trusted_the_next_refusal_is_a_new_one(world: World) -> None:
    for _ in range(2):
        world.nodes = REFUSED
        assert world.cycle().reconcile()[0].status is Status.IN_SYNC
    assert world.log == FETCH * 2


@pytest.mark.parametrize("why", ["silent", "another server", "another version", "another member", "never written down"])
def test_when_in_doubt_it_stays_unknown(world: World, tmp_path: Path, why: str) -> None:
    world.nodes = Unknown("does not answer") if why == "silent" else REFUSED
    if why == "another server":
        two = {"demo-cp-1": "server-demo-cp-1", "demo-cp-2": "gone"}
        (tmp_path / "state/demo/installed.json").write_text(json.dumps(two))
    if why == "another version":
        world.take({**FILES, FILE: FILES[FILE].replace("1.36.3", "1.36.4")})
    if why == "another member":
        world.take({**FILES, FILE: FILES[FILE].replace("count: 1", "count: 3")})
    if why == "never written down":
        (tmp_path / "state/demo/installed.json").unlink()
    outcome, _ = world.cycle().reconcile()
    assert outcome.status is Status.UNKNOWN
    assert not world.playbooks
