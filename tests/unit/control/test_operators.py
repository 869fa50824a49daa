"""What operators do to a cluster that runs: images and flavors that are renamed or gone, states, too little room."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.control import images
from reconciler.errors import Invalid, Permanent
from reconciler.model.naming import FAULT, IMAGE_ID, LOCKED, NEVER_RAN
from reconciler.model.outcome import Outcome, Status
from reconciler.model.quota import Allotment
from reconciler.model.resource import Component, Expected, Known, Resource, Value
from reconciler.ports import CloudSnapshot
from tests.unit.control.test_cycle import changed
from tests.unit.control.world import World

RULE = ("  access:\n", "  access:\n    rules: [{name: web, ports: '8080', from: [198.51.100.0/24]}]\n")
UNBORN: dict[str, Value] = {"status": "ERROR", FAULT: "No valid host was found.", NEVER_RAN: True}
NEW_RULE = "demo-node ingress IPv4 tcp 8080 from 198.51.100.0/24"
A, B = "0b1cdead-0000-4000-8000-000000000001", "f3aabeef-0000-4000-8000-000000000002"


class Clouded(World):
    """A world whose images and flavors a test names: (name, id, made) and names."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.images: list[tuple[str, str, str]] = [("ubuntu-24.04", A, "2026-01-01")]
        self.flavors = ["m1.medium", "m1.large"]

    def observe(self, clusters: Any) -> CloudSnapshot:
        there = super().observe(clusters)
        listed = tuple(Resource("images", name, {"created_at": made}, id) for name, id, made in self.images)
        flavors = tuple(Resource("flavors", name, {"vcpus": 2, "ram": 4096}, f"id-{name}") for name in self.flavors)
        return replace(there, images=Known(listed), flavors=Known(flavors))

    def alter(self, kind: str, name: str = "", **fields: Value) -> None:
        self.resources = [
            replace(r, fields={**r.fields, **fields}) if r.kind == kind and name in ("", r.name) else r
            for r in self.resources
        ]

    def cloud_calls_it(self, name: str) -> None:
        """What Glance calls the image that every server was made from."""
        self.alter("server", image=name)

    def apply(self) -> Outcome:
        return self.cycle().reconcile()[0]

    @property
    def told(self) -> dict[str, Any]:
        return dict(self.workspaces[-1].variables)


@pytest.fixture
def world(tmp_path: Path) -> Clouded:
    made = Clouded(tmp_path)
    made.settle()
    made.alter("server", **{IMAGE_ID: A})
    made.apply()
    made.workspaces.clear()
    made.log.clear()
    return made


def notices(outcome: Outcome) -> set[str]:
    return {f"{d.key} {d.why}" for d in outcome.after.notices}


def test_a_renamed_image_is_a_notice_and_stops_nothing(world: Clouded) -> None:
    world.images = [("ubuntu-24.04-old", A, "2026-01-01"), ("ubuntu-24.04", B, "2026-02-01")]
    world.cloud_calls_it("ubuntu-24.04-old")
    world.take(changed(RULE))
    outcome = world.apply()
    assert (outcome.status, outcome.after.open) == (Status.IN_SYNC, ())
    assert len(notices(outcome)) == 3
    assert all("new build available" in told and f"build: {B}" in told for told in notices(outcome))
    assert {s["image_id"] for s in world.told["servers"].values()} == {A}
    assert world.workspaces[-1].replace == frozenset()
    assert NEW_RULE in world.told["rules"]


def test_a_deleted_image_is_remembered_by_another_machine_too(world: Clouded) -> None:
    (world.root / "state/demo/images.yaml").unlink()
    world.images = [("ubuntu-24.04", B, "2026-02-01")]
    world.cloud_calls_it(A)
    assert world.apply().status is Status.IN_SYNC
    assert A in world.recorded_state["demo/images.yaml"]


def test_another_image_by_hand_is_drift_behind_its_guards(world: Clouded) -> None:
    world.images.append(("hacked", B, "2026-02-01"))
    world.alter("server", "demo-worker-1", image="hacked", **{IMAGE_ID: B})
    world.take(changed(RULE))
    outcome = world.apply()
    assert outcome.status is Status.BLOCKED
    assert [r.guard for r in outcome.after.refusals] == ["rebuild"]
    assert NEW_RULE in world.told["rules"], "the rule does not wait"
    assert world.workspaces[-1].only == frozenset({f'openstack_networking_secgroup_rule_v2.rule["{NEW_RULE}"]'})


def test_another_name_in_git_is_a_replacement_through_the_guards_and_an_approval_of_the_part_holds(
    world: Clouded,
) -> None:
    world.images.append(("b", B, "2026-02-01"))
    image = ("flavor: m1.large", "flavor: m1.large\n      image: b")
    world.take(changed(image, ("count: 2", "count: 1"), RULE))
    first, _ = world.cycle().check()
    assert [r.guard for r in first.refusals] == ["rebuild"]
    assert [s.held for s in first.steps] == [False, False, True, True]
    digest = first.refusals[0].approval.partition("plan: '")[2][:12]
    world.approve(digest, "rebuild")
    outcome = world.apply()
    assert (outcome.status, outcome.after.open) == (Status.IN_SYNC, ())
    assert world.workspaces[0].may_destroy >= {'openstack_compute_instance_v2.server["demo-worker-1"]'}


def test_the_plan_as_it_is_shown_can_be_approved(world: Clouded) -> None:
    world.images.append(("b", B, "2026-02-01"))
    world.take(changed(("flavor: m1.large", "flavor: m1.large\n      image: b"), ("count: 2", "count: 1"), RULE))
    world.approve(world.cycle().check()[0].digest, "rebuild")
    assert world.apply().status is Status.IN_SYNC


def test_what_is_held_in_the_first_plan_is_not_done_by_a_later_one(world: Clouded) -> None:
    world.images.append(("b", B, "2026-02-01"))
    world.take(changed(("flavor: m1.large", "flavor: m1.large\n      image: b"), RULE))
    outcome = world.apply()
    assert outcome.status is Status.BLOCKED
    assert all(w.replace == frozenset() for w in world.workspaces)
    assert [line for line in world.log if line.startswith("terraform")] == ["terraform infrastructure"]


def test_no_image_of_that_name_holds_the_new_machine_alone(world: Clouded) -> None:
    world.images = []
    world.take(changed(("count: 2", "count: 3"), RULE))
    outcome = world.apply()
    assert outcome.status is Status.DRIFTED
    (held,) = (d for d in outcome.after.open if d.key.kind == "server")
    assert str(held.key) == "server demo-worker-3"
    assert "has no image 'ubuntu-24.04' (desired/demo/cluster.yaml:" in held.why
    assert NEW_RULE in world.told["rules"]
    assert "demo-worker-3" not in world.told["servers"]
    assert len(notices(outcome)) == 3
    assert world.cycle().check()[0].steps == ()


def test_a_machine_that_is_lost_and_has_no_image_keeps_its_port(world: Clouded) -> None:
    world.images = []
    world.lose("server", "demo-worker-2")
    world.alter("port", "demo-worker-2", description="mine")
    world.apply()
    assert world.told["servers"]["demo-worker-2"]["held"] is True
    assert world.told["servers"]["demo-worker-1"]["held"] is False


def test_a_flavor_that_is_gone_holds_what_would_be_made_of_it(world: Clouded) -> None:
    world.flavors = ["m1.medium"]
    world.take(changed(("count: 2", "count: 3"), RULE))
    outcome = world.apply()
    assert outcome.status is Status.DRIFTED
    assert "flavor m1.large" in {str(d.key) for d in outcome.after.notices}
    assert "has no flavor 'm1.large'" in next(d.why for d in outcome.after.open if d.key.kind == "server")
    assert NEW_RULE in world.told["rules"]


def test_a_flavor_that_is_gone_and_that_a_rule_keeps_is_looked_up_by_nobody(world: Clouded) -> None:
    rule = "  ignore: [{component: infrastructure, resource: 'server demo-worker-1', field: flavor}]\n  access:\n"
    world.alter("server", "demo-worker-1", flavor="m1.retired")
    world.take(changed(RULE, ("  access:\n", rule)))
    assert world.apply().status is Status.IN_SYNC
    assert world.told["servers"]["demo-worker-1"]["flavor_id"] == "m1.retired"
    assert NEW_RULE in world.told["rules"]
    assert world.workspaces[-1].only == frozenset({f'openstack_networking_secgroup_rule_v2.rule["{NEW_RULE}"]'})


def test_a_machine_whose_image_nobody_tells_keeps_no_run_from_the_others(world: Clouded) -> None:
    rule = "  ignore: [{component: infrastructure, resource: 'server demo-worker-1', field: image}]\n  access:\n"
    world.alter("server", "demo-worker-1", image=None, **{IMAGE_ID: None})
    world.take(changed(RULE, ("  access:\n", rule)))
    assert world.apply().status is Status.IN_SYNC
    told = world.told["servers"]["demo-worker-1"]
    assert (told["image_id"], NEW_RULE in world.told["rules"]) == ("untold", True)


def test_of_a_cluster_that_is_not_there_yet_a_mistake_is_one(tmp_path: Path) -> None:
    world = Clouded(tmp_path)
    world.images = []
    with pytest.raises(Invalid) as caught:
        world.apply()
    assert "has no image" in caught.value.problems[0].message


def test_a_build_in_git_is_rolled_one_machine_after_the_other(world: Clouded) -> None:
    world.images.append(("ubuntu-24.04", B, "2026-02-01"))
    world.take(changed(("flavor: m1.large", f"flavor: m1.large\n      build: {B}")))
    made, _ = world.cycle().check()
    assert made.refusals == ()
    replaced = [d for s in made.steps for d in s.differences if d.field == IMAGE_ID]
    assert [d.key.name for d in replaced] == ["demo-worker-1"]
    (waiting,) = (d for d in made.open if d.waiting)
    assert "waits for its turn" in waiting.why
    outcome = world.apply()
    assert (outcome.status, outcome.after.open) == (Status.IN_SYNC, ())
    assert [sorted(w.replace) for w in world.workspaces] == [
        [f'openstack_compute_instance_v2.server["demo-worker-{n}"]'] for n in (1, 2)
    ]


@pytest.mark.parametrize(
    ("state", "command"),
    [
        ({"status": "SUSPENDED"}, "resume"),
        ({"status": "PAUSED"}, "unpause"),
        ({"status": "SHELVED_OFFLOADED"}, "unshelve"),
        ({"status": "RESCUE"}, "unrescue"),
        ({"status": "SOFT_DELETED"}, "restore"),
        ({LOCKED: True, "metadata.reconciler.group": "x"}, "unlock"),
    ],
)
def test_a_server_that_people_have_to_free_stops_nothing_else(
    world: Clouded, state: dict[str, Value], command: str
) -> None:
    world.alter("server", "demo-worker-2", **state)
    world.take(changed(RULE))
    outcome = world.apply()
    assert outcome.status is Status.DRIFTED
    (held,) = outcome.after.open
    assert f"openstack server {command} demo-worker-2" in held.why
    assert NEW_RULE in world.told["rules"]
    assert world.workspaces[-1].only == frozenset({f'openstack_networking_secgroup_rule_v2.rule["{NEW_RULE}"]'})


def test_a_server_on_its_way_out_is_waited_for_and_made_again(world: Clouded) -> None:
    world.alter("server", "demo-worker-2", status="DELETING")
    outcome = world.apply()
    assert outcome.status is Status.DRIFTED
    (held,) = outcome.after.open
    assert "being deleted" in held.why
    assert world.workspaces == []
    world.lose("server", "demo-worker-2")
    assert world.apply().status is Status.IN_SYNC
    assert "demo-worker-2" in world.told["servers"]


def test_a_locked_machine_that_is_to_go_stays_whole(world: Clouded) -> None:
    world.alter("server", "demo-worker-2", locked=True)
    world.take(changed(("count: 2", "count: 1"), RULE))
    outcome = world.apply()
    assert outcome.status is Status.DRIFTED
    assert {str(d.key) for d in outcome.after.open} == {
        "server demo-worker-2", "port demo-worker-2", "node demo-worker-2",
    }  # fmt: skip
    assert not [line for line in world.log if "remove-node" in line]


def test_a_rule_open_to_the_world_does_not_wait_behind_what_fails(world: Clouded) -> None:
    fields: dict[str, Value] = {
        "direction": "ingress",
        "remote_ip_prefix": "0.0.0.0/0",
        "remote_group": None,
        "security_group": "x",
    }
    world.resources.append(Resource("security_group_rule", "open", fields, "stray-rule", "demo"))
    world.resources.append(Resource("port", "demo-extra", {}, "stray-port", "demo"))
    world.lose("port", "demo-worker-1")
    world.fails["terraform"] = Permanent("a conflict")
    outcome = world.apply()
    assert outcome.status is Status.FAILED
    assert world.log == [
        "cloud prune security_group_rule stray-rule",
        "terraform infrastructure",
        "cloud prune port stray-port",
    ]


def test_a_machine_that_never_ran_is_made_anew_without_guards_and_its_fault_is_told(world: Clouded) -> None:
    world.alter("server", "demo-cp-1", **UNBORN)
    made, _ = world.cycle().check()
    assert made.refusals == ()
    (found,) = (d for d in made.open if d.field == "status")
    assert "it never ran; Nova says: No valid host was found." in found.why
    world.fails["terraform"] = Permanent("unexpected state 'ERROR'")
    assert "Nova says of demo-cp-1: No valid host was found." in world.apply().error


def test_a_machine_that_ran_keeps_its_guard(world: Clouded) -> None:
    world.alter("server", "demo-cp-1", status="ERROR")
    assert [r.guard for r in world.cycle().check()[0].refusals] == ["control-plane"]


def test_too_little_room_is_told_before_anything_is_made(tmp_path: Path) -> None:
    world = Clouded(tmp_path)
    world.allowed = {"instances": Allotment(9, 10), "cores": Allotment(0, -1), "ports": Allotment(0, 100)}
    outcome = world.apply()
    assert (outcome.status, world.log) == (Status.BLOCKED, [])
    (refusal,) = outcome.after.refusals
    assert refusal.message == "the project has no room for it: instances: 3 asked, 9 used, limit 10"
    world.allowed = {"instances": Allotment(7, 10), "cores": Allotment(0, 6), "ram": Allotment(0, 12288)}
    assert world.apply().status is Status.IN_SYNC


def test_too_little_room_for_one_more_machine_holds_that_one(world: Clouded) -> None:
    world.allowed = {"cores": Allotment(6, 6), "security_group_rules": Allotment(5, 100)}
    world.take(changed(("count: 2", "count: 3"), RULE))
    outcome = world.apply()
    assert outcome.status is Status.BLOCKED
    assert [(r.guard, r.partial) for r in outcome.after.refusals] == [("quota", False)]
    assert NEW_RULE in world.told["rules"]
    assert 'openstack_compute_instance_v2.server["demo-worker-3"]' not in (world.workspaces[-1].only or ())
    assert len([line for line in world.log if line.startswith("terraform")]) == 1


def test_what_was_learned_of_images_is_read_back_and_damage_is_none() -> None:
    made = images.text(Known((Resource("server", "a", {IMAGE_ID: A, "image": "k"}),)), {A: frozenset({"l"})})
    assert made == f"{A}:\n- k\n- l\n"
    assert images.read(made.encode(), lambda _: None) == {A: frozenset({"k", "l"})}
    heard: list[str] = []
    assert images.read(b"[1, 2]", heard.append) == {}
    assert heard


def test_of_an_image_that_nobody_remembers_what_was_applied_tells_the_name() -> None:
    server = Resource("server", "a", {IMAGE_ID: A, "image": A})
    asked = [Resource("server", "a", {"image": "x"})]
    applied = Expected({Component.INFRASTRUCTURE: (asked[0],)})
    listing = images.called(Known((server,)), asked, {}, applied)
    assert isinstance(listing, Known)
    assert listing.resources[0].fields["image"] == "x"
    unknown = images.called(Known((server,)), asked, {}, Expected({}))
    assert isinstance(unknown, Known)
    assert unknown.resources[0].fields["image"] == A


def test_what_the_cloud_calls_an_image_today_is_told_whoever_remembers_another_name(world: Clouded) -> None:
    """A record that anybody may have written keeps a rebuilt server from being replaced, and from nobody's sight."""
    world.images.append(("hacked", B, "2026-02-01"))
    world.alter("server", "demo-worker-1", image="hacked", **{IMAGE_ID: B})
    world.recorded_state = {**world.recorded_state, "demo/images.yaml": f"{B}:\n- ubuntu-24.04\n"}
    outcome = world.apply()
    assert outcome.status is Status.IN_SYNC
    (told,) = notices(outcome)
    assert "server demo-worker-1" in told
    assert "the one it has is called 'hacked' now" in told
