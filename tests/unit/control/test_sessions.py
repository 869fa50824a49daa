"""Running sessions in a cycle: the machine they are on waits, and nothing else; not to know of them is no leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.model.resource import Unknown
from reconciler.model.session import Session
from tests.unit.control.test_environments import ENVIRONMENT, TEMPLATES, text
from tests.unit.control.world import FILES, Api, World
from tests.unit.examples import FILE

RULE = ("  access:\n", "  access:\n    rules: [{name: web, ports: '8080', from: [198.51.100.0/24]}]\n")
WORK = Session("env-ada/work-0", "ada/work", "demo-worker-2")


@pytest.fixture
def world(tmp_path: Path) -> World:
    files = {**FILES, **TEMPLATES, ENVIRONMENT: text()}
    made = World(tmp_path, files)
    made.settle()
    (tmp_path / "state/demo/kubespray").mkdir(parents=True, exist_ok=True)
    shrunk = files[FILE].replace("count: 2", "count: 1").replace(*RULE)
    made.take({**files, FILE: shrunk})
    return made


def test_only_the_machine_of_a_session_waits(world: World) -> None:
    world.sessions = [WORK]
    plan, _ = world.cycle().check()
    (refusal,) = plan.refusals
    assert (refusal.guard, refusal.partial) == ("sessions", True)
    assert "ada/work on demo-worker-2" in refusal.message
    free = {str(d.key) for step in plan.steps if not step.held for d in step.differences}
    held = {str(d.key) for step in plan.steps if step.held for d in step.differences}
    assert any("8080" in name for name in free)
    assert "server demo-worker-2" in held - free
    world.cycle().reconcile()
    assert any(r.name == "demo-worker-2" for r in world.resources if r.kind == "server")
    assert any("8080" in r.name for r in world.resources)


def test_what_waits_goes_when_it_is_approved_or_idle(world: World) -> None:
    world.sessions = [WORK]
    plan, _ = world.cycle().check()
    world.sessions = []
    assert world.cycle().check()[0].refusals == ()
    world.sessions = [WORK]
    digest = plan.refusals[0].approval.partition("plan: '")[2].partition("'")[0]
    world.approve(digest, "sessions")
    assert world.cycle().check()[0].refusals == ()


def test_sessions_that_can_not_be_listed_may_be_anywhere(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Api, "sessions", lambda _: Unknown("pods: forbidden"))
    plan, _ = world.cycle().check()
    (refusal,) = plan.refusals
    assert refusal.guard == "sessions"
    assert "demo-worker-2, and sessions can't be seen: pods: forbidden" in refusal.message


def test_an_environment_that_left_git_with_its_machine_counts_while_it_runs(world: World) -> None:
    world.take({path: content.decode() for path, content in world.files.items() if path != ENVIRONMENT})
    world.sessions = [WORK]
    plan, _ = world.cycle().check()
    assert "sessions" in [r.guard for r in plan.refusals]
