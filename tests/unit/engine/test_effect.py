"""A step is done when the next look no longer finds what it was for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.engine.effect import complaint, unseen
from reconciler.model.change import Action, Class, Difference, Severity
from reconciler.model.plan import Step, Tool
from reconciler.model.resource import Component, Key

GONE = Difference(
    Component.INFRASTRUCTURE, Key("port", "x"), "", None, None, "present", Class.UNMANAGED, Action.DELETE,
    Severity.HIGH, "", "id-1",
)  # fmt: skip
CHANGED = replace(GONE, field="tag", desired="a", live="b", action=Action.UPDATE)


def step(*differences: Difference, tool: Tool = Tool.OPENSTACK, operation: str = "prune") -> Step:
    return Step(Component.INFRASTRUCTURE, tool, operation, "", differences=differences)


@pytest.mark.parametrize(
    ("before", "after", "left"),
    [
        (GONE, GONE, True),
        (GONE, replace(GONE, cls=Class.PENDING, severity=Severity.LOW), True),  # another word for the same
        (GONE, replace(GONE, id="id-2"), False),  # another one of its name came meanwhile
        (GONE, replace(GONE, cls=Class.IGNORED, action=Action.NONE), False),
        (CHANGED, CHANGED, True),
        (CHANGED, replace(CHANGED, live="c"), False),  # it is on its way
        (CHANGED, GONE, False),
    ],
)
def test_what_is_as_it_was_was_not_done(before: Difference, after: Difference, left: bool) -> None:
    assert unseen(step(before), [after]) == ((before,) if left else ())


@pytest.mark.parametrize(
    ("tool", "operation"), [(Tool.KUBESPRAY, "recover-control-plane.yml"), (Tool.OPENSTACK, "reboot")]
)
def test_parts_of_a_longer_way_are_not_judged_alone(tool: Tool, operation: str) -> None:
    assert unseen(step(GONE, tool=tool, operation=operation), [GONE]) == ()


def test_what_is_said_of_it() -> None:
    message, hint = complaint(step(GONE, CHANGED), [GONE, CHANGED])
    assert (
        message == "openstack prune reported success, and the next look finds port x still there, port x tag as it was"
    )
    assert hint
    many = [replace(GONE, key=Key("port", f"p{n}")) for n in range(9)]
    assert complaint(step(*many), many)[0].endswith("p3 still there and 5 more")
    assert complaint(step(GONE), []) == ("", "")
