"""What is being deleted already gets no step, and what it is built on stays until it is gone."""

from __future__ import annotations

from reconciler.engine.diff import diff
from reconciler.engine.planner import plan
from reconciler.engine.playbook import Roles
from reconciler.model.change import Action, Class
from reconciler.model.naming import FINALIZERS, GOING
from reconciler.model.resource import Component, Expected, Key, Known, Listing, Observed, Resource, Unknown

WORKLOADS = Component.WORKLOADS
SINCE = "2026-11-25T11:00:00Z"
HELD = Resource("Thing", "ns/held", {GOING: SINCE, FINALIZERS: ("a.example.org/x", "b")}, id="u1")
OPERATOR = Resource("Deployment", "ns/operator", id="u2")
BESIDE = Resource("ConfigMap", "ns/beside", id="u3")


def live(*resources: Resource) -> Observed:
    kinds: dict[str, Listing] = {r.kind: Known((r,)) for r in resources}
    return Observed({WORKLOADS: kinds})


def test_it_is_told_with_what_holds_it_and_nothing_is_done() -> None:
    (found,) = diff(Expected({}), Expected({}), live(HELD))
    assert (found.cls, found.action, found.actionable) == (Class.UNMANAGED, Action.NONE, False)
    assert found.why.startswith(f"is being deleted since {SINCE}, held by its finalizers a.example.org/x, b")
    (plain,) = diff(Expected({}), Expected({WORKLOADS: (HELD,)}), live(Resource("Thing", "ns/held", {GOING: SINCE})))
    assert plain.cls is Class.PENDING
    assert "finalizers" not in plain.why.partition(":")[0]


def test_what_it_needs_stays_and_the_rest_goes() -> None:
    waves = {HELD.key: 1, OPERATOR.key: 0, Key("ConfigMap", "ns/beside"): 1}
    differences = diff(Expected({}), Expected({}), live(HELD, OPERATOR, BESIDE))
    roles = Roles(frozenset(), frozenset(), frozenset(), frozenset(), frozenset())
    steps = plan("demo", "c", differences, roles=roles, waves=waves).steps
    assert [s.targets for s in steps] == [("ConfigMap ns/beside",)]
    gone = [d for d in differences if d.key != HELD.key]
    assert len(plan("demo", "c", gone, roles=roles, waves=waves).steps) == 2


def test_what_comes_after_a_kind_that_cant_be_seen_waits_and_the_rest_comes() -> None:
    """An API of its own that is down is nobody else's."""
    resources = tuple(Resource(kind, "ns/x", {"a": "1"}) for kind in ("Before", "Hidden", "Beside", "After"))
    waves = {r.key: wave for r, wave in zip(resources, (0, 1, 1, 2), strict=True)}
    kinds: dict[str, Listing] = {r.kind: Known() for r in resources}
    kinds |= {"Hidden": Unknown("the server is currently unable to handle the request"), "Extra": Known((BESIDE,))}
    differences = diff(Expected({WORKLOADS: resources}), Expected({}), Observed({WORKLOADS: kinds}))
    roles = Roles(frozenset(), frozenset(), frozenset(), frozenset(), frozenset())
    steps = plan("demo", "c", differences, roles=roles, waves=waves).steps
    assert [s.targets for s in steps] == [("Before ns/x",), ("Beside ns/x",)]
