"""A cycle whose records somebody replaced: it says so, goes on, and writes them again."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.control import record
from reconciler.model.change import Class
from reconciler.model.outcome import Status
from reconciler.model.resource import Component
from reconciler.progress import QuietProgress
from tests.unit.control.test_record import LAUGHS
from tests.unit.control.world import World

DAMAGE = {
    "a list where a string belongs": "infrastructure:\n- kind: [server]\n  name: a\n",
    "a mapping where a list belongs": "infrastructure: {a: b}\n",
    "an alias of itself": "a: &a [*a]\n",
    "a bomb": LAUGHS.decode(),
    "too deep": "[" * 100_000,
    "a number": "7",
    "not text": "\x00",
}


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.settle()
    return made


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_cycle_goes_on_and_the_record_is_written_again(world: World, kind: str) -> None:
    good = dict(world.recorded_state)
    world.recorded_state = dict.fromkeys(good, DAMAGE[kind])
    world.versions.append(("2026-11-24T12:00:00Z", dict(world.recorded_state)))
    world.lose("port", "demo-worker-1")
    current, _ = world.cycle().check()
    assert {d.cls for d in current.open} == {Class.PENDING}, "nothing is known of what was applied"
    assert world.cycle().reconcile()[0].status is Status.IN_SYNC
    assert world.recorded_state == good
    assert {path for path, _ in world.disregarded} >= {"demo/applied.yaml", "demo/drift.yaml"}


def test_a_list_of_differences_that_somebody_replaced_makes_none_of_them_younger(world: World) -> None:
    lost = record.drift_text(())
    world.lose("port", "demo-worker-1")
    differing = record.drift_text(world.cycle().check()[0].open)
    world.versions = [
        (f"2026-11-{day}T12:00:00Z", {"demo/drift.yaml": text})
        for day, text in (("20", lost), ("21", differing), ("22", "[" * 100), ("23", differing))
    ]
    (port,) = (d for d in world.cycle().check()[0].open if d.key.kind == "port")
    assert port.first_seen == "2026-11-21T12:00:00Z"


def test_a_target_that_only_the_record_knows_is_told_and_left(world: World) -> None:
    text = world.recorded_state["demo/applied.yaml"]
    forged = f"{text}".replace("target: moc", "target: nowhere")
    assert forged != text
    world.recorded_state = {**world.recorded_state, "demo/applied.yaml": forged}
    told: list[str] = []

    class Told(QuietProgress):
        def log(self, text: str) -> None:
            told.append(text)

    cycle = world.cycle()
    cycle = replace(cycle, tools=replace(cycle.tools, progress=Told()))
    assert cycle.reconcile()[0].status is Status.IN_SYNC
    assert "warning: demo was applied to the OpenShift 'nowhere' by its record, which is not known" in told
    assert record.read_applied(world.recorded_state["demo/applied.yaml"].encode()).resources(Component.APPLICATIONS)


def test_what_is_nested_deeply_does_not_end_the_process() -> None:
    """The library's loader overflows the stack, of C and not of Python."""
    program = "from reconciler.control.record import *; print(read_applied(b'[' * 10**6), read_failed(b'{a: ' * 10**6))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 0, done.stderr
