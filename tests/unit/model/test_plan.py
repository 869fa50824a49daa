"""A digest names what would be done: a yes to it is a yes to nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.model.change import Action, Class, Difference, Severity
from reconciler.model.plan import Counts, Plan, Refusal, Step, Tool
from reconciler.model.resource import Component, Key, Value

INFRA = Component.INFRASTRUCTURE


def difference(
    name: str = "a", field: str = "image", desired: Value = "new", action: Action = Action.REPLACE, id: str = ""
) -> Difference:
    cls = Class.UNMANAGED if id else Class.DRIFT
    return Difference(INFRA, Key("server", name), field, desired, "x", "y", cls, action, Severity.HIGH, "why", id)


def plan(*differences: Difference, operation: str = "apply", targets: tuple[str, ...] = ("server a",)) -> Plan:
    step = Step(INFRA, Tool.TERRAFORM, operation, "said", targets, Counts.of(differences), differences)
    return Plan("demo", "c0ffee", differences, (step,))


PLAN = plan(difference())


def test_a_digest_is_the_same_every_time() -> None:
    assert PLAN.digest == plan(difference()).digest == "227b315db8b3"
    assert len(PLAN.digest) == 12


@pytest.mark.parametrize(
    "other",
    [
        replace(PLAN, cluster="other"),
        plan(difference(), operation="prune"),
        plan(difference(), targets=("server b",)),
        plan(difference(name="b")),
        plan(difference(field="flavor")),
        plan(difference(action=Action.UPDATE)),
        plan(difference(desired="another")),
        plan(difference(desired=("new",))),
        plan(difference(id="id-1")),
        replace(PLAN, steps=(replace(PLAN.steps[0], arguments={"target": "moc"}),)),
        replace(PLAN, steps=PLAN.steps * 2),
        replace(PLAN, steps=()),
    ],
)
def test_whatever_would_be_done_differently_changes_it(other: Plan) -> None:
    assert other.digest != PLAN.digest


@pytest.mark.parametrize(
    "other",
    [
        replace(PLAN, commit="another"),
        replace(PLAN, refusals=(Refusal("g", "m", "a"),)),
        replace(PLAN, steps=(replace(PLAN.steps[0], summary="in other words"),)),
        plan(replace(difference(), live="z", why="because")),
    ],
)
def test_what_is_only_said_does_not(other: Plan) -> None:
    assert other.digest == PLAN.digest


def test_the_order_in_which_differences_were_found_does_not_either() -> None:
    one, two = difference(field="flavor", desired=None), difference(field="flavor", desired=3)
    assert plan(one, two).digest == plan(two, one).digest


def test_resources_are_counted_and_not_fields() -> None:
    update = {"action": Action.UPDATE}
    found = (
        difference("a", "flavor", **update), difference("a", "image"), difference("a", "status", **update),
        difference("b", "flavor", **update), difference("b", "status", **update),
        difference("c", "", "present", Action.CREATE),
        difference("twin", "", None, Action.DELETE, "1"), difference("twin", "", None, Action.DELETE, "2"),
    )  # fmt: skip
    assert Counts.of(found) == Counts(create=1, update=1, replace=1, delete=2)
    assert str(Counts.of(found)) == "1 to create, 1 to update, 1 to replace, 2 to delete"
    assert str(Counts()) == "nothing to change"


def test_in_sync_means_nothing_to_do_and_nothing_to_know() -> None:
    ignored = replace(difference(), cls=Class.IGNORED, action=Action.NONE)
    unknown = replace(difference(), cls=Class.UNKNOWN, action=Action.NONE)
    assert Plan("demo", "", (ignored,)).in_sync
    assert not Plan("demo", "", (unknown,)).in_sync
    assert Plan("demo", "", (ignored, unknown)).open == Plan("demo", "", (unknown,)).unknown == (unknown,)
    assert not PLAN.in_sync
