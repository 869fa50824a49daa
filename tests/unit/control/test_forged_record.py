"""A record that somebody forged (push rights on the observed branch): it decides words, never what is deleted, how bad
it is, or whether it is gone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.control import record
from reconciler.control.cycle import Cycle
from reconciler.model.change import Class, Severity
from reconciler.model.outcome import Status
from reconciler.model.resource import Component, Expected, Key, Resource, Unknown
from reconciler.spec import desired_state
from reconciler.spec.outline import Outline
from tests.unit.control.world import FILES, World
from tests.unit.examples import CLUSTER

APPLIED = f"demo/{record.APPLIED}"


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.settle()
    return made


OPEN = Resource(
    "security_group_rule",
    "demo-node ingress IPv4 tcp 22 from 0.0.0.0/0",
    {"direction": "ingress", "remote_ip_prefix": "0.0.0.0/0", "remote_group": None, "security_group": "demo-node"},
    "stray-rule",
    "demo",
)


def forged(world: World, *extra: Resource, component: Component = Component.INFRASTRUCTURE) -> None:
    """Whoever may push to the observed branch says that these were applied, and so are git's."""
    applied = record.read_applied(world.recorded_state[APPLIED].encode())
    more = (*applied.resources(component), *extra)
    say(world, record.applied_text(Expected({**applied.components, component: more})))


def say(world: World, text: str) -> None:
    world.recorded_state = {**world.recorded_state, APPLIED: text}


def test_what_terraform_does_not_hold_is_deleted_by_id_whatever_the_record_says(world: World) -> None:
    world.held()
    world.resources.append(OPEN)
    forged(world, OPEN)
    (found,) = world.cycle().check()[0].open
    assert (found.cls, found.severity, found.id) == (Class.UNMANAGED, Severity.CRITICAL, "stray-rule")
    outcome, _ = world.cycle().reconcile()
    assert (outcome.status, world.log) == (Status.IN_SYNC, ["cloud prune security_group_rule stray-rule"])
    assert OPEN not in world.resources


def test_without_a_state_here_it_is_deleted_by_id_after_terraform_and_no_less_critical(world: World) -> None:
    world.resources.append(OPEN)
    forged(world, OPEN)
    (found,) = world.cycle().check()[0].open
    assert (found.cls, found.severity) == (Class.PENDING, Severity.CRITICAL)
    outcome, _ = world.cycle().reconcile()
    assert world.log == ["terraform infrastructure", "cloud prune security_group_rule stray-rule"]
    assert (outcome.status, OPEN in world.resources) == (Status.IN_SYNC, False)


@pytest.mark.parametrize("held", [True, False])
def test_what_is_reported_deleted_and_is_still_there_has_failed(world: World, held: bool) -> None:
    if held:
        world.held()
    world.resources.append(OPEN)
    forged(world, OPEN)
    world.useless.add("cloud prune")
    outcome, _ = world.cycle().reconcile()
    assert outcome.status is Status.FAILED
    assert f"the next look finds {OPEN.key} still there" in outcome.error
    assert "failed:" in world.recorded_state["demo/observed.yaml"]


def test_a_label_that_only_the_record_says_was_applied_stays(world: World) -> None:
    """Whoever may push to the observed branch takes no label off a node."""
    assert isinstance(world.nodes, list)
    world.nodes = [replace(n, fields={**n.fields, "labels.tenant": "a"}) for n in world.nodes]
    text = re.sub(r"( +)labels.team: blue\n", r"\g<0>\1labels.tenant: a\n", world.recorded_state[APPLIED])
    assert "labels.tenant" in str(record.read_applied(text.encode()))
    say(world, text)
    outcome, _ = world.cycle().reconcile()
    assert (outcome.status, world.log) == (Status.IN_SYNC, [])
    world.records_signed = True
    say(world, text)
    assert {d.field for d in world.cycle().check()[0].open} == {"labels.tenant"}


def test_a_record_names_no_openshift_and_no_kind_that_stops_a_cluster(world: World) -> None:
    nowhere = Resource("Pod", "x/y", digest="d", type="v1/Pod", target="nowhere")
    odd = Resource("Pod", "x/y", digest="d", type="../../version", target="moc")
    forged(world, nowhere, odd, component=Component.APPLICATIONS)
    assert world.cycle().check()[0].in_sync
    assert "../../version" not in world.apis["moc"].asked_for


@pytest.mark.parametrize("state_here", [True, False])
def test_an_object_that_only_the_record_says_terraform_made_is_deleted_by_its_uid(
    world: World, state_here: bool
) -> None:
    stray = Key("ConfigMap", "web/stray")
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "stray", "namespace": "web"}}
    moc = world.apis["moc"]
    moc.objects[stray], moc.kept = manifest, {stray}
    if state_here:
        world.held()
    more = Resource("ConfigMap", "web/stray", digest="d", type="v1/ConfigMap", target="moc")
    forged(world, more, component=Component.APPLICATIONS)
    outcome, _ = world.cycle().reconcile()
    assert (outcome.status, stray in moc.objects) == (Status.IN_SYNC, False), outcome.error
    assert world.log[-1] == "moc prune ConfigMap web/stray uid-web/stray"


ELSEWHERE = "desired/b/cluster.yaml"
FOREIGN = "https://evil.example.net:6443"


@pytest.fixture
def two(world: World) -> Iterator[World]:
    """The application of demo needs the API of `b`, which the same cloud has."""
    path = "desired/demo/applications/web.yaml"
    text = FILES[path].replace("${cluster.api.endpoint}", "${cluster.b.api.endpoint}")
    world.files = {**world.files, path: text.encode()}
    loaded = desired_state.each(desired_state.Sources(world.files, world.files), {"demo"}, [Outline("b")])
    (world.desired,) = loaded.clusters
    world.resources.append(Resource("server", "b-cp-1", {"address": "192.0.2.99"}, "b-server", "b"))
    world.recorded_state = {**world.recorded_state, "b/outputs.yaml": f"api.endpoint: {FOREIGN}\n"}
    yield world
    assert FOREIGN not in str(world.workspaces)


def cycle(world: World) -> Cycle:
    (b,) = desired_state.load({ELSEWHERE: CLUSTER.replace("demo", "b").encode()})
    return replace(world.cycle(), others={"b": b})


def api_of(world: World) -> str:
    (config,) = (m for key, m in world.apis["moc"].objects.items() if key == Key("ConfigMap", "web/web"))
    return str(config["data"]["API"])


def test_another_clusters_output_is_what_is_live_whatever_the_record_says(two: World) -> None:
    assert cycle(two).reconcile()[0].status is Status.IN_SYNC
    assert api_of(two) == "https://192.0.2.99:6443"


def test_what_cannot_be_read_is_what_this_machine_saw_last(two: World) -> None:
    cycle(two).reconcile()
    two.kinds["load_balancer"] = Unknown("does not answer")
    two.resources = [r for r in two.resources if r.owner != "b"]
    outcome, _ = cycle(two).reconcile()
    assert (outcome.status, api_of(two)) == (Status.IN_SYNC, "https://192.0.2.99:6443")


def test_what_was_never_seen_here_is_not_taken_from_the_record(two: World) -> None:
    before = api_of(two)
    outcome, _ = two.cycle().reconcile()
    (left,) = outcome.after.open
    assert (str(left.key), outcome.status, api_of(two)) == ("Application web", Status.DRIFTED, before)
    assert left.why.startswith("waits for ${cluster.b.api.endpoint}, which can't be read")
    assert "git.recordSigners" in left.why


def test_a_verified_record_counts_where_nothing_can_be_read(world: World, two: World) -> None:
    two.records_signed = True
    two.recorded_state = {**two.recorded_state, "b/outputs.yaml": "api.endpoint: https://192.0.2.98:6443\n"}
    outcome, _ = two.cycle().reconcile()
    assert (outcome.status, api_of(two)) == (Status.IN_SYNC, "https://192.0.2.98:6443")
    outcome, _ = cycle(two).reconcile()
    assert (outcome.status, api_of(two)) == (Status.IN_SYNC, "https://192.0.2.99:6443")


def test_ones_own_output_that_is_gone_for_now_is_not_what_the_record_says(world: World) -> None:
    own = next(r.fields["address"] for r in world.resources if (r.kind, r.name) == ("server", "demo-cp-1"))
    world.recorded_state = {**world.recorded_state, "demo/outputs.yaml": f"api.endpoint: {FOREIGN}\n"}
    world.resources = [
        replace(r, fields={**r.fields, "address": None}) if (r.kind, r.name) == ("server", "demo-cp-1") else r
        for r in world.resources
    ]
    world.cycle().reconcile()
    assert api_of(world) == f"https://{own}:6443"
