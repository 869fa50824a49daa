"""Sessions in use: who says so, which steps end them, and the guard that names them."""

from __future__ import annotations

import datetime

import pytest

from reconciler.engine import sessions
from reconciler.engine.guard import Facts, guard
from reconciler.model.change import Action, Class, Difference, Severity
from reconciler.model.desired import Approval, Guards, Maintenance
from reconciler.model.plan import Plan, Step, Tool
from reconciler.model.resource import Component, Key
from reconciler.model.session import Session

NOW = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)
IN_USE = {"w-1": ("ada/notebook", "eve/r"), "w-2": ("grace/desk",)}


def session(minutes: float | None, idle_after: int | None = 3600, movable: bool | None = False) -> Session:
    active = None if minutes is None else NOW - datetime.timedelta(minutes=minutes)
    return Session("env-ada/notebook-0", "ada/notebook", "w-1", active, idle_after, movable)


@pytest.mark.parametrize(
    ("given", "in_use"),
    [
        (session(5), True),
        (session(59.9), True),
        (session(60), False),
        (session(-10), True),  # somebody's clock is ahead
        (session(None), True),
        (session(None, movable=True), True),  # what an earlier look said does not last
        (session(600, idle_after=None), True),
        (session(None, idle_after=None, movable=None), True),
        (session(None, idle_after=None, movable=True), False),
    ],
)
def test_unknown_is_in_use(given: Session, in_use: bool) -> None:
    assert given.in_use(NOW) is in_use


@pytest.mark.parametrize(
    ("given", "mark"),
    [
        (session(5), None),
        (session(5, movable=True), False),
        (session(600), True),
        (session(600, movable=True), None),
        (session(None, movable=True), False),
        (session(None, idle_after=None, movable=None), False),  # from before there were marks
        (session(None, idle_after=None, movable=True), None),
        (session(None, idle_after=None, movable=False), None),
    ],
)
def test_only_what_is_wrong_is_marked(given: Session, mark: bool | None) -> None:
    assert sessions.marks([given], NOW) == ({} if mark is None else {given.pod: mark})


def server(name: str, action: Action, field: str = "") -> Difference:
    return Difference(
        Component.INFRASTRUCTURE, Key("server", name), field, "a", "a", "b", Class.PENDING, action, Severity.HIGH, ""
    )


def step(tool: Tool, operation: str, *targets: str, differences: tuple[Difference, ...] = ()) -> Step:
    return Step(Component.KUBERNETES, tool, operation, "does it", targets, differences=differences)


@pytest.mark.parametrize(
    ("done", "ends"),
    [
        (step(Tool.KUBESPRAY, "upgrade-cluster.yml", "cp-1", "w-1"), 2),
        (step(Tool.KUBESPRAY, "remove-node.yml", "w-2"), 1),
        (step(Tool.OPENSTACK, "reboot", "w-1"), 2),
        (step(Tool.KUBESPRAY, "scale.yml", "w-1"), 0),
        (step(Tool.KUBERNETES, "label", "w-1"), 0),
        (step(Tool.TERRAFORM, "apply", differences=(server("w-1", Action.REPLACE, "image"),)), 2),
        (step(Tool.OPENSTACK, "prune", differences=(server("w-2", Action.DELETE),)), 1),
        (step(Tool.TERRAFORM, "apply", differences=(server("w-2", Action.UPDATE, "flavor"),)), 1),
        (step(Tool.TERRAFORM, "apply", differences=(server("w-2", Action.UPDATE, "metadata.x"),)), 0),
        (step(Tool.TERRAFORM, "apply", differences=(server("w-3", Action.CREATE),)), 0),
    ],
)
def test_which_steps_end_sessions(done: Step, ends: int) -> None:
    assert len(sessions.ended(done, IN_USE)) == ends


def facts(*approvals: Approval, limit: int = 0) -> Facts:
    limits = Guards.model_validate({"maxEndedSessions": limit, "approvals": approvals})
    return Facts(limits, (), 4, 4, Maintenance(), NOW, sessions=IN_USE)


def test_the_guard_names_them_and_a_plain_approval_is_enough() -> None:
    upgrade = Plan("demo", "c0ffee", (), (step(Tool.KUBESPRAY, "upgrade-cluster.yml", "w-1", "w-2"),))
    (refusal,) = guard(upgrade, facts()).refusals
    assert refusal.guard == "sessions"
    assert "ada/notebook on w-1, eve/r on w-1, grace/desk on w-2" in refusal.message
    assert guard(upgrade, facts(limit=3)).refusals == ()
    assert guard(upgrade, facts(Approval(plan=upgrade.digest, expires="2026-12-24"))).refusals == ()


def test_who_is_in_use_is_told_by_machine() -> None:
    other = Session("env-eve/r-0", "eve/r", "w-1", NOW, 3600, True)
    assert sessions.in_use([session(600), other, session(None)], NOW) == {"w-1": ("ada/notebook", "eve/r")}


def test_sessions_that_nobody_can_list_are_none_that_are_not_there() -> None:
    limits = Guards.model_validate({"maxEndedSessions": 9})
    blind = Facts(limits, ("cp-1",), 4, 4, Maintenance(), NOW, unseen_sessions="pods: forbidden")
    resized = step(Tool.TERRAFORM, "apply", differences=(server("w-1", Action.UPDATE, "flavor"),))
    (refusal,) = guard(Plan("demo", "c0ffee", (), (resized,)), blind).refusals
    assert refusal.guard == "sessions"
    assert "on w-1, and sessions can't be seen: pods: forbidden" in refusal.message
    for harmless in (step(Tool.KUBERNETES, "label", "w-1"), step(Tool.OPENSTACK, "reboot", "cp-1")):
        assert guard(Plan("demo", "c0ffee", (), (harmless,)), blind).refusals == ()
