"""One cycle against a world in memory: what is done, in which order, what a failure stops, and what is written down."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.control import record
from reconciler.control.cycle import Moment
from reconciler.control.survey import Survey
from reconciler.errors import Invalid, Permanent, Transient
from reconciler.model.change import Class
from reconciler.model.outcome import Status
from reconciler.model.resource import Component, Resource, Symptom, Unknown
from reconciler.spec.render.terraform import address
from tests.unit.control.world import FILES, World
from tests.unit.examples import CLUSTER, FILE


@pytest.fixture
def empty(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def world(empty: World) -> World:
    empty.settle()
    return empty


def changed(*changes: tuple[str, str]) -> dict[str, str]:
    text = FILES[FILE]
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return {**FILES, FILE: text}


def deployment(world: World) -> None:
    """Somebody changes the application by hand."""
    for key, manifest in world.apis["moc"].objects.items():
        if key.kind == "Deployment":
            world.apis["moc"].objects[key] = {**manifest, "spec": "another"}


def test_from_nothing_to_in_sync_in_one_cycle(empty: World) -> None:
    outcome, _ = empty.cycle().reconcile()
    assert (outcome.status, outcome.error) == (Status.IN_SYNC, "")
    assert [line for line in empty.log if not line.startswith("forget")] == [
        "terraform infrastructure",
        "kubespray cluster.yml",
        "label demo-cp-1 demo-worker-1 demo-worker-2",
        "own apply ConfigMap sid/a",
        "terraform applications-moc",
    ]
    assert empty.cycle().check()[0].in_sync


def test_what_is_in_sync_is_left_alone(world: World) -> None:
    outcome, _ = world.cycle().reconcile()
    assert (outcome.status, outcome.steps, world.log) == (Status.IN_SYNC, (), [])


def test_a_commit_that_changes_nothing_of_a_cluster_leaves_no_record_of_it(world: World) -> None:
    world.cycle().reconcile()
    before = world.recorded_state
    outcome, _ = replace(world.cycle(), commit="beef" * 10).reconcile()
    assert outcome.commit == "beef" * 10
    assert world.recorded_state == before, "git makes no commit of files that are the same"


def test_only_what_drifted_is_touched(world: World) -> None:
    deployment(world)
    outcome, _ = world.cycle().reconcile()
    assert (outcome.status, world.log) == (Status.IN_SYNC, ["terraform applications-moc"])


def test_checking_changes_nothing(world: World) -> None:
    world.lose("server", "demo-worker-1")
    plan, _ = world.cycle().check()
    assert [s.operation for s in plan.steps] == ["apply", "scale.yml"]
    assert (world.log, world.recorded) == ([], [])


@pytest.mark.parametrize("step", ["terraform infrastructure", "kubespray cluster.yml"])
def test_on_a_foundation_that_failed_nothing_is_built(empty: World, step: str) -> None:
    empty.fails[step] = Permanent("no quota left", hint="ask for more")
    outcome, _ = empty.cycle().reconcile()
    assert (outcome.status, outcome.error, outcome.hint) == (Status.FAILED, "no quota left", "ask for more")
    assert empty.log[-1] == step
    assert empty.apis["own"].objects == empty.apis["moc"].objects == {}


def test_the_cycle_after_a_failure_goes_on_from_there(empty: World) -> None:
    empty.fails["kubespray cluster.yml"] = Transient("unreachable")
    empty.cycle().reconcile()
    empty.fails.clear()
    empty.log.clear()
    outcome, _ = empty.cycle().reconcile()
    assert outcome.status is Status.IN_SYNC
    assert "terraform infrastructure" not in empty.log


def test_a_workload_that_fails_does_not_stop_applications(world: World) -> None:
    world.apis["own"].objects.clear()
    deployment(world)
    world.fails["own apply"] = Permanent("ImagePullBackOff")
    outcome, _ = world.cycle().reconcile()
    assert world.log == ["own apply ConfigMap sid/a", "terraform applications-moc"]
    assert [(s.step.component, s.ok) for s in outcome.steps] == [("workloads", False), ("applications", True)]
    assert outcome.status is Status.FAILED


def test_a_step_that_did_not_help_is_not_tried_twice_and_stops_nobody(world: World) -> None:
    world.resources = [
        replace(r, fields={**r.fields, "status": "SHUTOFF"}) if r.key.name == "demo-worker-1" and r.kind == "server"
        else r for r in world.resources
    ]  # fmt: skip
    deployment(world)
    world.useless.add("terraform infrastructure")
    outcome, _ = world.cycle().reconcile()
    assert world.log == ["terraform infrastructure", "terraform applications-moc"]
    assert outcome.status is Status.FAILED
    assert outcome.error == (
        "terraform apply reported success, and the next look finds server demo-worker-1 status as it was"
    )
    assert [str(d.key) for d in outcome.after.open] == ["server demo-worker-1"]


def test_what_cannot_be_deleted_keeps_nothing_else(world: World) -> None:
    world.held()
    rule = Resource("security_group_rule", "open", {}, "stray-rule", "demo")
    world.resources += [Resource("server", "stuck", {}, "stray-locked", "demo"), rule]
    world.fails["cloud prune server"] = Permanent("it is locked", hint="unlock it")
    outcome, _ = world.cycle().reconcile()
    assert rule not in world.resources
    assert (outcome.status, outcome.hint) == (Status.FAILED, "unlock it")
    assert outcome.error == "could not delete server stuck (stray-locked): it is locked"


def test_a_guards_no_applies_nothing_and_is_written_down(world: World) -> None:
    world.take(changed(("image: ubuntu-24.04", "image: b")))
    outcome, _ = world.cycle().reconcile()
    assert (outcome.status, outcome.steps, world.log) == (Status.BLOCKED, (), [])
    guards = ["max-deletion-percent", "control-plane", "replaced-servers", "rebuild"]
    assert [r.guard for r in outcome.after.refusals] == guards
    assert len(world.recorded) == 1


def test_an_approved_plan_is_applied_to_its_end(world: World) -> None:
    world.take(changed(("image: ubuntu-24.04", "image: b")))
    first, _ = world.cycle().check()
    world.approve(first.digest, *(r.guard for r in first.refusals))
    outcome, _ = world.cycle().reconcile()
    assert outcome.status is Status.IN_SYNC
    assert "terraform infrastructure" in world.log


@pytest.mark.parametrize(
    ("digest", "guards", "expires"),
    [
        ("0" * 12, ("control-plane", "rebuild", "replaced-servers"), "2026-12-01"),  # another plan
        ("", ("control-plane",), "2026-12-01"),  # not to everything that was refused
        ("", ("control-plane", "rebuild", "replaced-servers"), "2026-11-24T12:00:00+00:00"),  # over now
    ],
)
def test_a_yes_to_something_else_is_none(world: World, digest: str, guards: tuple[str, ...], expires: str) -> None:
    world.take(changed(("image: ubuntu-24.04", "image: b")))
    world.approve(digest or world.cycle().check()[0].digest, *guards, expires=expires)
    outcome, _ = world.cycle().reconcile()
    assert (outcome.status, world.log) == (Status.BLOCKED, [])


def test_a_smaller_control_plane_needs_a_yes(empty: World) -> None:
    empty.take(changed(("count: 1", "count: 3")))
    empty.settle()
    empty.take(FILES)
    outcome, _ = empty.cycle().reconcile()
    assert outcome.status is Status.BLOCKED
    assert "demo-cp-2, demo-cp-3" in outcome.after.refusals[0].message


def test_what_appears_while_applying_and_would_be_destroyed_was_not_agreed_to(world: World) -> None:
    def meanwhile() -> None:
        strays = [Resource("server", f"x{n}", {}, f"stray-{n}", "demo") for n in range(9)]
        world.resources += [s for s in strays if s.id not in {r.id for r in world.resources}]

    world.lose("port", "demo-worker-1")
    world.before_apply = meanwhile
    outcome, _ = world.cycle().reconcile()
    assert outcome.status is Status.BLOCKED
    assert [r.guard for r in outcome.after.refusals] == ["max-deletions", "max-deletion-percent"]
    assert world.log == ["terraform infrastructure"]


def test_a_suspended_cluster_is_only_looked_at(world: World) -> None:
    world.take(changed(("  kubernetes:\n", "  suspend: true\n  kubernetes:\n")))
    world.lose("server", "demo-worker-1")
    outcome, _ = world.cycle().reconcile()
    assert (outcome.status, outcome.status.exit_code) == (Status.SUSPENDED, 0)
    assert len(outcome.before.steps) == 2
    assert world.log == []
    ((files, message),) = world.recorded
    assert message.startswith("demo: suspended\n")
    assert "name: demo-worker-1" in files["demo/drift.yaml"]


def test_a_cluster_in_report_mode_is_told_of_and_never_changed(world: World) -> None:
    world.take(changed(("  kubernetes:\n", "  mode: report\n  guards: {maxDeletions: 0}\n  kubernetes:\n")))
    world.lose("server", "demo-worker-1")
    for expected in (False, True):
        outcome, _ = replace(world.cycle(), expected=expected).reconcile()
        assert (outcome.status, outcome.status.exit_code) == (Status.DRIFTED, 3)
        assert len(outcome.before.steps) == 2
    assert world.log == []
    assert world.recorded[-1][1].startswith("demo: drifted\n")


def test_where_a_change_is_expected_one_look_is_enough(world: World) -> None:
    world.lose("port", "demo-worker-1")
    heard: list[Moment] = []
    outcome, _ = replace(world.cycle(), expected=True, told=heard.append).reconcile()
    assert outcome.status is Status.IN_SYNC
    assert heard == [Moment.LEASED, Moment.APPLYING]


def test_two_cycles_at_once_are_one(world: World) -> None:
    def meanwhile() -> None:
        with pytest.raises(Transient, match="another cycle for 'demo' is running"):
            world.cycle().reconcile()

    world.lose("port", "demo-worker-1")
    world.before_apply = meanwhile
    assert world.cycle().reconcile()[0].status is Status.IN_SYNC
    assert world.log == ["terraform infrastructure"]


def test_what_is_written_down(empty: World) -> None:
    empty.cycle().reconcile()
    ((files, message),) = empty.recorded
    assert set(files) == {
        f"demo/{n}" for n in ("observed.yaml", "applied.yaml", "drift.md", "drift.yaml", "outputs.yaml")
    }
    assert "status: in sync" in files["demo/observed.yaml"]
    assert set(record.read_applied(files["demo/applied.yaml"].encode()).components) == set(Component)
    assert message.startswith("demo: in sync\n")
    assert "\n\nDesired-Commit: c0ffee\nChanges: 4\nObserved-At: 2026-11-24T11:59:" in message


def test_writing_it_down_twice_says_the_same(world: World) -> None:
    world.cycle().reconcile()
    world.cycle().reconcile()
    (first, _), (second, _) = world.recorded
    assert first == second


def test_a_difference_that_stays_knows_since_when(world: World) -> None:
    world.take(changed(("  kubernetes:\n", "  suspend: true\n  kubernetes:\n")))
    world.lose("server", "demo-worker-1")
    (new,) = (d for d in world.cycle().check()[0].open if not d.cause)
    assert new.first_seen == ""
    for day in (24, 25, 26):
        world.now = world.now.replace(day=day)
        world.cycle().reconcile()
    world.lose("server", "demo-worker-2")
    seen = {d.key.name: d.first_seen[:10] for d in world.cycle().check()[0].open if d.key.kind == "server"}
    assert seen == {"demo-worker-1": "2026-11-24", "demo-worker-2": ""}


def test_one_event_is_one_finding(world: World) -> None:
    world.lose("server", "demo-worker-1")
    world.nodes = [replace(n, fields={**n.fields, "ready": n.name != "demo-worker-1"}) for n in live_nodes(world)]
    where = ("demo-worker-1", "demo-worker-1", "", "demo-worker-2")
    world.pods = tuple(Symptom("Pod", f"sid/{n}", node, "pending") for n, node in enumerate(where))
    (root,) = (d for d in world.cycle().check()[0].open if not d.cause)
    assert str(root.key) == "server demo-worker-1"
    assert root.effects == ("node demo-worker-1 is not Ready", "3 pods are pending")


def test_a_step_that_was_carried_out_before_is_estimated(world: World) -> None:
    world.lose("server", "demo-worker-1")
    steps = world.cycle().check()[0].steps
    assert [(s.operation, s.seconds is None) for s in steps] == [("apply", False), ("scale.yml", True)]
    assert steps[1].command == "ansible-playbook scale.yml --limit demo-worker-1"


def test_what_was_listed_for_another_cluster_is_looked_at_again_before_acting(world: World) -> None:
    asked: list[str] = []
    cloud, survey = world, Survey(lambda name: asked.append(name) or world, ("demo",))  # type: ignore[func-returns-value]
    survey.of("sandbox")
    world.cycle(survey=survey).reconcile()
    assert len(asked) == 1
    stale, _ = survey.of("sandbox")
    cloud.lose("server", "demo-worker-1")
    outcome, _ = world.cycle(survey=survey).reconcile()
    assert (outcome.steps, stale) == ((), survey.of("sandbox")[0])
    survey.forget("sandbox")
    survey.of("sandbox")
    outcome, _ = world.cycle(survey=survey).reconcile()
    assert [s.step.operation for s in outcome.steps] == ["apply"]


def live_nodes(world: World) -> list[Resource]:
    assert isinstance(world.nodes, list)
    return world.nodes


def test_what_failed_was_not_applied_and_is_still_pending_afterwards(world: World) -> None:
    world.take({**FILES, "manifests/sid/a.yaml": FILES["manifests/sid/a.yaml"].replace("'1'", "'2'")})
    world.fails["own apply"] = Permanent("no")
    outcome, _ = world.cycle().reconcile()
    assert [d.cls for d in outcome.after.open] == [Class.PENDING]
    assert [d.cls for d in world.cycle().check()[0].open] == [Class.PENDING]


def test_an_api_that_does_not_answer_is_no_reason_to_install_anew(world: World) -> None:
    world.nodes = Unknown("connection refused")
    outcome, _ = world.cycle().reconcile()
    assert (outcome.status, world.log) == (Status.UNKNOWN, [])


def test_a_control_plane_that_is_gone_is_absent_and_not_unknown(world: World) -> None:
    world.lose("server", "demo-cp-1")
    world.nodes = Unknown("connection refused")
    plan, _ = world.cycle().check()
    assert [s.operation for s in plan.steps if s.component is Component.KUBERNETES] == ["cluster.yml"]
    assert plan.unknown == ()


def test_a_namesake_of_a_worker_is_pruned_and_the_worker_left_alone(world: World) -> None:
    world.resources.append(Resource("server", "demo-worker-1", {"flavor": "tiny"}, "stray-twin", "demo"))
    outcome, _ = world.cycle().reconcile()
    assert (outcome.status, world.log) == (Status.IN_SYNC, ["cloud prune server stray-twin"])


def test_what_the_cloud_does_not_have_is_named_before_anything_is_done(empty: World) -> None:
    empty.take(changed(("flavor: m1.large", "flavor: m1.lagre")))
    with pytest.raises(Invalid) as caught:
        empty.cycle().reconcile()
    (problem,) = caught.value.problems
    assert (problem.file, problem.path) == (FILE, "spec.nodeGroups.0.flavor")
    assert (empty.log, empty.recorded) == ([], [])


def test_an_openshift_nobody_set_up(empty: World) -> None:
    path = "desired/demo/applications/web.yaml"
    empty.take({**FILES, path: FILES[path].replace("target: moc", "target: mco")})
    with pytest.raises(Invalid) as caught:
        empty.cycle().check()
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.hint) == (
        path,
        5,
        "name it in the settings under openshift: (there: moc)",
    )


def test_another_clusters_resources_are_none_of_ours(world: World) -> None:
    world.resources.append(Resource("server", "prod-worker-1", {}, "other", "prod"))
    plan, sight = world.cycle().check()
    assert plan.in_sync
    assert "other" not in {s.id for s in sight.servers}


def test_the_example_is_the_one_every_test_means() -> None:
    assert FILES[FILE].startswith(CLUSTER)


def test_what_terraform_never_wrote_down_is_imported_though_nothing_else_differs(world: World) -> None:
    world.settle()
    world.known = {address(r.kind, r.name): r.id for r in world.resources}
    assert world.cycle().check()[0].in_sync
    del world.known[address("server", "demo-worker-1")]
    plan, _ = world.cycle().check()
    assert [(s.operation, s.targets) for s in plan.steps] == [("apply", ("server demo-worker-1",))]
    (difference,) = plan.differences
    assert "Terraform's state does not know it" in difference.why


def test_a_version_that_is_too_far_away_changes_nothing(world: World) -> None:
    world.nodes = [replace(n, fields={**n.fields, "version": "1.34.7"}) for n in listed(world)]
    for act in (world.cycle().check, world.cycle().reconcile):
        with pytest.raises(Invalid) as told:
            act()
        (problem,) = told.value.problems
        assert (problem.file, problem.line, problem.column) == (FILE, 27, 5)
        assert "one minor at a time: 1.34.7 -> 1.35.x -> 1.36.3" in problem.message
    assert (world.log, world.recorded) == ([], [])


def test_a_node_that_leaves_does_not_hold_the_version_back(world: World) -> None:
    world.nodes = [*listed(world), Resource("node", "demo-old-1", {"ready": True, "version": "1.30.0"}, "uid-old")]
    assert [s.operation for s in world.cycle().check()[0].steps] == ["remove-node.yml"]


def test_nodes_that_do_not_answer_are_not_judged(world: World) -> None:
    world.take(changed(("1.36.3", "1.30.0")))
    world.nodes = Unknown("does not answer")
    assert world.cycle().check()[0].unknown


def test_a_version_that_kubespray_has_not_is_refused_before_anything_is_made(empty: World) -> None:
    empty.offered = ("1.35.4",)
    with pytest.raises(Invalid) as told:
        empty.cycle().reconcile()
    assert "does not install 1.36.3" in told.value.problems[0].message
    assert empty.log == []


def listed(world: World) -> list[Resource]:
    assert isinstance(world.nodes, list)
    return world.nodes
