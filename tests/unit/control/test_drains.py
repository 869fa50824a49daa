"""What a plan moves is told before it is applied, and a drain that hangs while it hangs."""

from __future__ import annotations

import threading
from pathlib import Path

from reconciler.control.drains import told
from reconciler.model.change import Class
from reconciler.model.guest import Guest
from reconciler.progress import QuietProgress
from tests.unit.examples import FILE

from .world import FILES, World

GUESTS = (
    Guest("sid/db-0", "demo-worker-2", volumes=("sid/data",), pinned=("sid/data",)),
    Guest("sid/shell", "demo-worker-2", alone=True),
    Guest("sid/web-1", "demo-worker-2", volumes=("sid/pages",), budgets=("sid/web",)),
    Guest("sid/stays", "demo-worker-1", budgets=("sid/web",)),
)


def shrunk(root: Path, guests: tuple[Guest, ...], count: int = 1) -> World:
    world = World(root)
    world.settle()
    world.guests = guests
    (root / "state/demo/kubespray").mkdir(parents=True, exist_ok=True)
    world.take({**FILES, FILE: FILES[FILE].replace("count: 2", f"count: {count}")})
    return world


def test_a_plan_says_which_pods_and_volumes_move_and_what_holds_them(tmp_path: Path) -> None:
    plan, _ = shrunk(tmp_path, GUESTS).cycle().check()
    assert {str(d.key): d.why for d in plan.notices} == {
        "node demo-worker-2": "pods that move to other machines: sid/web-1; volumes that move with them: sid/pages; "
        "pods that nothing makes anew: sid/shell; volumes that lie on this machine alone: sid/data",
        "PodDisruptionBudget sid/web": "allows no disruption now: it will hold the drain of demo-worker-2 "
        "(pods: sid/web-1)",
    }
    assert all(d.cls is Class.NOTICE for d in plan.notices)


def test_data_that_lies_on_a_machine_goes_with_nobodys_plain_yes(tmp_path: Path) -> None:
    plan, _ = shrunk(tmp_path, GUESTS).cycle().check()
    (refusal,) = plan.refusals
    assert refusal.guard == "stateful-volumes"
    assert "sid/data on demo-worker-2" in refusal.message


def test_the_last_workers_are_told_with_their_pods(tmp_path: Path) -> None:
    plan, _ = shrunk(tmp_path, GUESTS[1:], count=0).cycle().check()
    (message,) = [r.message for r in plan.refusals if r.guard == "last-workers"]
    assert "demo-worker-1, demo-worker-2, with 3 pods" in message


def test_guests_change_nothing_of_what_is_approved(tmp_path: Path) -> None:
    with_guests, _ = shrunk(tmp_path, GUESTS).cycle().check()
    (tmp_path / "other").mkdir()
    without, _ = shrunk(tmp_path / "other", ()).cycle().check()
    assert with_guests.digest == without.digest


class Told(QuietProgress):
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.heard = threading.Event()

    def log(self, text: str) -> None:
        self.lines.append(text)
        self.heard.set()


def test_a_drain_that_hangs_is_told_while_it_hangs() -> None:
    held = (Guest("sid/web-1", "w2", budgets=("sid/web",), draining=True), Guest("sid/x", "w1"))
    progress = Told()
    with told(lambda: held, progress, after=0.05, poll=0.01):
        assert progress.heard.wait(10)
    assert progress.lines[0] == (
        "w2 has been draining for 1 min; still there: sid/web-1 (PodDisruptionBudget sid/web allows no disruption)"
    )
    assert not any("w1" in line for line in progress.lines)


def test_a_drain_that_does_not_hang_is_not_told_of() -> None:
    progress, asked = Told(), threading.Event()

    def ask() -> tuple[Guest, ...]:
        asked.set()
        return (Guest("sid/web-1", "w2", draining=True),)

    with told(ask, progress, after=60, poll=0.01):
        assert asked.wait(10)
    assert progress.lines == []
