"""Certificates that end soon are renewed where git wants it: in a window, one control plane after another."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.control import renewal
from reconciler.control.cycle import Cycle
from reconciler.errors import Invalid, Transient
from reconciler.model.naming import CERTIFICATE, ENDS
from reconciler.model.outcome import Outcome, Status
from reconciler.model.resource import Resource, Unknown
from tests.unit.control.world import FILES, Machines, World
from tests.unit.examples import FILE
from tests.unit.spec.test_kubeconfig import kubeadms, text

OPEN = "  maintenance: {windows: [{start: '11:00', hours: 2}]}\n"  # the world's time is noon
CLOSED = "  maintenance: {windows: [{start: '20:00', hours: 2}]}\n"
RENEWED = ["renew demo-cp-1", "renew demo-cp-2", "renew demo-cp-3"]


@dataclass
class Renewing(Machines):
    """Machines whose certificates are good for a year once the last was asked; `fails` is one that is silent."""

    fails: str = ""

    def ask(self, cluster: str, inventory: object, machine: str, script: str, *, seconds: float = 20) -> str:
        if script != renewal.SCRIPT:
            return super().ask(cluster, {}, machine, script, seconds=seconds)
        if machine == self.fails:
            raise Transient(f"{machine} can't be asked over SSH: no route to host")
        self.world.log.append(f"renew {machine}")
        if machine == RENEWED[-1].split()[1]:
            ending(self.world, 365)
        return "renewed\n"


def ending(world: World, days: int) -> None:
    end = (world.now + datetime.timedelta(days=days)).isoformat()
    world.certificates = [Resource(CERTIFICATE, name, {ENDS: end}) for name in ("kubeconfig", "api-server")]


def scene(tmp_path: Path, window: str = OPEN, days: int = 20) -> World:
    content = FILES[FILE].replace("count: 1", "count: 3", 1)
    content = content.replace('version: "1.36.3"', 'version: "1.36.3"\n    certificates: {renew: true}', 1)
    world = World(tmp_path, {**FILES, FILE: content + OPEN})
    world.settle()
    world.take({**FILES, FILE: content + window})
    ending(world, days)
    return world


def cycle(world: World, fails: str = "") -> Cycle:
    world.machines = Renewing(world, kubeconfig=text(kubeadms()).decode(), fails=fails)
    return world.cycle()


def reconciled(world: World, fails: str = "") -> Outcome:
    return cycle(world, fails).reconcile()[0]


def test_in_a_window_they_are_renewed_one_control_plane_after_another(tmp_path: Path) -> None:
    world = scene(tmp_path)
    plan, _ = cycle(world).check()
    (step,) = plan.steps
    assert (step.operation, step.targets) == ("renew-certificates", ("demo-cp-1", "demo-cp-2", "demo-cp-3"))
    assert step.command == "k8s-certs-renew.sh on demo-cp-1, demo-cp-2, demo-cp-3, over SSH"
    outcome = reconciled(world)
    assert (outcome.status, world.log) == (Status.IN_SYNC, RENEWED)
    assert "https://" in cycle(world).tools.kubespray.kubeconfig("demo").read_text()


def test_outside_a_window_nothing_waits_for_it(tmp_path: Path) -> None:
    world = scene(tmp_path, CLOSED)
    world.lose("port", "demo-worker-1")
    outcome = reconciled(world)
    assert (outcome.status, world.log) == (Status.DRIFTED, ["terraform infrastructure"])
    assert {d.why.partition(": ")[2] for d in outcome.after.open} == {
        "renewed in the next maintenance window, on one control plane after another "
        "(spec.kubernetes.certificates.renew)"
    }


def test_while_there_is_time_nothing_is_done(tmp_path: Path) -> None:
    world = scene(tmp_path, days=40)
    assert (reconciled(world).status, world.log) == (Status.IN_SYNC, [])


def test_behind_one_that_fails_no_other_is_touched_and_the_next_cycle_goes_on(tmp_path: Path) -> None:
    world = scene(tmp_path)
    outcome = reconciled(world, fails="demo-cp-2")
    assert (outcome.status, world.log) == (Status.FAILED, RENEWED[:1])
    assert "demo-cp-2 can't be asked" in outcome.error
    world.log.clear()
    assert (reconciled(world).status, world.log) == (Status.IN_SYNC, RENEWED)


@pytest.mark.parametrize(("days", "renewed"), [(-1, RENEWED), (20, [])])
def test_while_the_api_says_nothing_only_what_has_ended_is_renewed(
    tmp_path: Path, days: int, renewed: list[str]
) -> None:
    world = scene(tmp_path, days=days)
    world.nodes = Unknown("the API does not prove who it is")
    reconciled(world)
    assert world.log == renewed


def test_without_a_window_git_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as refused:
        scene(tmp_path, "")
    (problem,) = refused.value.problems
    assert problem.file == FILE
    assert "say when, under spec.maintenance.windows" in problem.message
