"""The three layers decide what a difference is; what could not be seen is never acted on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.engine.diff import diff
from reconciler.model.change import Action, Class, Severity
from reconciler.model.resource import Component, Expected, Known, Observed, Resource, Unknown
from reconciler.spec.render.terraform import REPLACING
from tests.unit.examples import cluster, expected, live

NOTHING = Expected({})
INFRA = Component.INFRASTRUCTURE


def resources() -> tuple[Resource, ...]:
    return expected(cluster()).resources(INFRA)


def test_as_desired_is_no_difference() -> None:
    want = expected(cluster())
    assert diff(want, want, live(resources())) == ()


def test_never_applied_is_pending_and_gone_is_drift() -> None:
    want = expected(cluster())
    assert {d.cls for d in diff(want, NOTHING, live(()))} == {Class.PENDING}
    assert {d.cls for d in diff(want, want, live(()))} == {Class.DRIFT}


def test_a_field_changed_in_git_is_pending_and_one_changed_outside_is_drift() -> None:
    before, now = expected(cluster()), expected(cluster(("flavor: m1.large", "flavor: m1.xlarge")))
    pending = diff(now, before, live(resources()))
    assert {(d.key.name, d.field, d.cls) for d in pending} == {
        ("demo-worker-1", "flavor", Class.PENDING),
        ("demo-worker-2", "flavor", Class.PENDING),
    }
    changed = tuple(
        replace(r, fields={**r.fields, "flavor": "m1.tiny"})
        if r.key.name == "demo-worker-1" and r.kind == "server"
        else r
        for r in resources()
    )
    (drift,) = diff(before, before, live(changed))
    assert (drift.cls, drift.desired, drift.live) == (Class.DRIFT, "m1.large", "m1.tiny")


def test_unknown_is_never_absent() -> None:
    want = expected(cluster())
    kinds = {**live(resources()).kinds(INFRA), "server": Unknown("Nova does not answer")}
    (difference,) = diff(want, want, Observed({INFRA: kinds}))
    assert difference.cls is Class.UNKNOWN
    assert difference.action is Action.NONE
    assert "Nova does not answer" in difference.why


def test_a_kind_nobody_asked_for_is_unknown_too() -> None:
    want = expected(cluster())
    found = diff(want, want, Observed({INFRA: {}}))
    assert {d.cls for d in found} == {Class.UNKNOWN}


def test_what_carries_our_tag_and_nobody_wants_is_unmanaged() -> None:
    want = expected(cluster())
    stray = Resource("server", "demo-miner-1", {}, "id-9", "demo")
    (difference,) = diff(want, want, live((*resources(), stray)))
    assert (difference.cls, difference.action, difference.id) == (Class.UNMANAGED, Action.DELETE, "id-9")


def test_of_two_of_one_name_the_one_less_as_desired_is_extra() -> None:
    want = expected(cluster())
    twin = Resource("server", "demo-worker-1", {"flavor": "m1.tiny"}, "twin", "demo")
    (difference,) = diff(want, want, live((twin, *resources())))
    assert (difference.cls, difference.action, difference.id) == (Class.UNMANAGED, Action.DELETE, "twin")


def test_removed_from_git_is_pending_deletion() -> None:
    before, now = expected(cluster()), expected(cluster(("count: 2", "count: 1")))
    found = diff(now, before, live(resources()))
    assert {(str(d.key), d.cls, d.action) for d in found} == {
        ("server demo-worker-2", Class.PENDING, Action.DELETE),
        ("port demo-worker-2", Class.PENDING, Action.DELETE),
    }


def test_an_image_change_is_a_replacement() -> None:
    before, now = expected(cluster()), expected(cluster(("ubuntu-24.04", "ubuntu-26.04")))
    found = diff(now, before, live(resources()), replacing=REPLACING)
    assert {d.action for d in found} == {Action.REPLACE}
    assert {d.key.kind for d in found} == {"server"}


@pytest.mark.parametrize(
    ("cidr", "severity"),
    [("0.0.0.0/0", Severity.CRITICAL), ("::/0", Severity.CRITICAL), ("192.0.2.7/32", Severity.HIGH)],
)
def test_a_rule_that_lets_everybody_in_comes_first(cidr: str, severity: Severity) -> None:
    want = expected(cluster())
    opened = Resource("security_group_rule", "x", {"direction": "ingress", "remote_ip_prefix": cidr}, "r1", "demo")
    missing = tuple(r for r in resources() if r.name != "demo-worker-2")
    first, *rest = diff(want, want, live((*missing, opened)))
    assert first.severity is severity
    if severity is Severity.CRITICAL:
        assert first.key.name == "x"
    assert all(d.severity <= first.severity for d in rest)


def test_a_label_dropped_from_git_is_dropped_from_the_node() -> None:
    def node(**labels: str) -> Resource:
        return Resource("node", "n", {f"labels.{k}": v for k, v in labels.items()})

    kube = Component.KUBERNETES
    before, now = Expected({kube: (node(a="1", b="2"),)}), Expected({kube: (node(a="1"),)})
    seen = Observed({kube: {"node": Known((node(a="1", b="2", theirs="3"),))}})
    (difference,) = diff(now, before, seen)
    assert (difference.field, difference.desired, difference.cls) == ("labels.b", None, Class.PENDING)


def test_objects_known_by_digest() -> None:
    work = Component.WORKLOADS
    want = Resource("Deployment", "a/b", {"spec.image": "new"}, digest="d2")
    seen = Observed({work: {"Deployment": Known((Resource("Deployment", "a/b", {"spec.image": "old"}, "u"),))}})
    for digest, cls in (("d2", Class.DRIFT), ("d1", Class.PENDING)):
        before = Expected({work: (Resource("Deployment", "a/b", digest=digest),)})
        (difference,) = diff(Expected({work: (want,)}), before, seen)
        assert difference.cls is cls
