"""Which differences a rule leaves alone; brackets in it mean themselves, so that a printed field is a rule."""

from __future__ import annotations

import datetime

import pytest
import yaml

from reconciler.engine.guard import Facts, guard
from reconciler.engine.ignore import matches
from reconciler.model.change import Action, Class, Difference, Severity
from reconciler.model.desired import Guards, Ignore, Maintenance
from reconciler.model.plan import Plan, Step, Tool
from reconciler.model.resource import Component, Key, Owner

WORKLOADS = Component.WORKLOADS
WEB = "spec.template.spec.containers[web].image"


def difference(field: str, name: str = "ns/web", kind: str = "Deployment") -> Difference:
    owner = Owner("helm", applies=True)
    severity = Severity.MEDIUM
    key = Key(kind, name)
    return Difference(
        WORKLOADS, key, field, "a", None, "b", Class.DRIFT, Action.UPDATE, severity, "why", id="u", owner=owner
    )


@pytest.mark.parametrize(
    ("pattern", "field", "hit"),
    [
        ("rules[0].apiGroups", "rules[0].apiGroups", True),
        (WEB, WEB, True),
        ("rules[0].*", "rules[0].verbs", True),
        ("rules[*].verbs", "rules[12].verbs", True),
        ("rules[?].verbs", "rules[1].verbs", True),
        ("rules[0].apiGroups", "rules0.apiGroups", False),
        ("rules[01].verbs", "rules[0].verbs", False),
        ("spec.*containers*image", WEB, True),
        ("rules[[]0].apiGroups", "rules[0].apiGroups", True),  # as one had to write it before
        ("spec.ports[!0].port", "spec.ports[1].port", False),
    ],
)
def test_brackets_of_a_field_mean_themselves(pattern: str, field: str, hit: bool) -> None:
    rule = Ignore(component="workloads", field=pattern)
    assert matches(rule, difference(field)) is hit


def test_brackets_of_a_resource_may_be_a_set_or_mean_themselves() -> None:
    assert matches(Ignore(resource="Deployment ns/[vw]eb"), difference("x"))
    assert matches(Ignore(resource="ClusterRole a[0]"), difference("x", "a[0]", "ClusterRole"))


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("all-views", "rules[0].apiGroups"),
        ("ns/web", WEB),
        ("it's", "data.it's [sic]"),
        ("a*b", "metadata.annotations.x*y?"),
        ("ns/long", "spec." + "x" * 600),
    ],
)
def test_the_line_that_the_guard_prints_matches_what_it_is_printed_for(name: str, field: str) -> None:
    differing = difference(field, name)
    plan = Plan("demo", "c", (differing,), (Step(WORKLOADS, Tool.KUBERNETES, "apply", "s", differences=(differing,)),))
    now = datetime.datetime(2026, 11, 29, tzinfo=datetime.UTC)
    (refusal,) = guard(plan, Facts(Guards(), (), 1, 1, Maintenance(), now)).refusals
    line = refusal.approval.partition("such as ")[2].partition("; or have")[0]
    rule = Ignore.model_validate(yaml.safe_load(line))
    assert matches(rule, differing)
