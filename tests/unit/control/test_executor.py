"""What each tool is told: by address, by id, and in an order that a half-broken cluster survives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.control.executor import _PRUNING
from reconciler.errors import Evidence, Permanent, Transient
from reconciler.model.change import Class
from reconciler.model.outcome import Status
from reconciler.model.resource import Key, Known, Owner, Resource, Unknown, Value
from reconciler.progress import QuietProgress
from reconciler.spec.render.terraform import KINDS
from reconciler.spec.wiring import LATER
from tests.unit.control.test_cycle import changed
from tests.unit.control.world import FILES, World
from tests.unit.examples import FILE

KINDS_OF_AN_APPLICATION = ("ConfigMap", "Deployment", "NetworkPolicy", "Route", "Service", "ServiceAccount")
SERVER = 'openstack_compute_instance_v2.server["demo-{}"]'


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.settle()
    return made


def altered(world: World, kind: str, name: str, id: str | None = None, **fields: Value) -> None:
    world.resources = [
        replace(r, fields={**r.fields, **fields}, id=id or r.id) if (r.kind, r.name) == (kind, name) else r
        for r in world.resources
    ]


def test_the_module_is_the_desired_commits(world: World) -> None:
    world.lose("port", "demo-worker-1")
    world.cycle().reconcile()
    (told,) = world.workspaces
    assert told.module == {"main.tf": b"# cluster"}
    assert told.directory == world.root / "state/demo/infrastructure"
    assert told.variables["cluster"] == "demo"
    assert told.environment == {"A": "b"}


def test_a_commit_without_the_module(tmp_path: Path) -> None:
    world = World(tmp_path, {k: v for k, v in FILES.items() if not k.startswith("terraform/openstack")})
    outcome, _ = world.cycle().reconcile()
    assert (outcome.status, outcome.error) == (Status.FAILED, "the desired commit has no terraform/openstack-cluster/")


def test_terraform_knows_where_everything_live_belongs(world: World) -> None:
    world.lose("port", "demo-worker-1")
    world.resources.append(Resource("server", "demo-miner-1", {}, "stray", "demo"))
    world.resources.insert(0, Resource("server", "demo-worker-2", {}, "stray-twin", "demo"))
    world.cycle().reconcile()
    live = world.workspaces[0].live
    assert live["openstack_networking_network_v2.cluster[0]"] == "network-demo"
    assert live[SERVER.format("worker-2")] == "server-demo-worker-2"
    assert live['openstack_networking_floatingip_v2.server["demo-cp-1"]'] == "floating_ip-demo-cp-1"
    assert live['openstack_networking_floatingip_associate_v2.server["demo-cp-1"]'] == "floating_ip-demo-cp-1"
    assert 'openstack_networking_port_v2.server["demo-worker-1"]' not in live
    assert not {"stray", "stray-twin"} & set(live.values())


def test_a_floating_ip_that_points_nowhere_has_no_association(world: World) -> None:
    altered(world, "floating_ip", "demo-cp-1", server=None)
    world.cycle().reconcile()
    assert not [address for address in world.workspaces[0].live if "associate" in address]


def test_terraform_may_destroy_what_the_plan_said_and_nothing_else(world: World) -> None:
    altered(world, "server", "demo-worker-1", image="hacked")
    altered(world, "server", "demo-worker-2", flavor="m1.tiny")
    world.approve(world.cycle().check()[0].digest, "rebuild")
    world.cycle().reconcile()
    told = world.workspaces[0]
    assert told.may_destroy == told.replace == {SERVER.format("worker-1")}

    world.workspaces.clear()
    world.take(changed(("count: 2", "count: 1")))
    world.cycle().reconcile()
    gone = {SERVER.format("worker-2"), 'openstack_networking_port_v2.server["demo-worker-2"]'}
    assert world.workspaces[0].may_destroy == gone
    assert world.workspaces[0].replace == frozenset()


def test_what_the_provider_never_reads_is_read_again(world: World) -> None:
    altered(world, "port", "demo-worker-1", security_groups=("demo-cluster",))
    altered(world, "server", "demo-worker-2", **{"metadata.reconciler.group": "x"})
    world.cycle().reconcile()
    assert world.workspaces[0].reread == {
        'openstack_networking_port_v2.server["demo-worker-1"]',
        SERVER.format("worker-2"),
    }


def test_strays_go_by_id_and_what_hangs_on_a_thing_goes_first(world: World) -> None:
    for kind in ("network", "security_group", "subnet", "router", "port", "router_interface", "server"):
        world.resources.append(Resource(kind, "x", {}, f"stray-{kind}", "demo"))
    first, _ = world.cycle().check()
    world.approve(first.digest, *(r.guard for r in first.refusals))
    world.cycle().reconcile()
    order = ("server", "router_interface", "port", "router", "subnet", "network", "security_group")
    assert world.log == [f"cloud prune {kind} stray-{kind}" for kind in order]


def test_a_new_server_behind_an_old_node_is_forgotten_and_the_node_removed_first(world: World) -> None:
    altered(world, "server", "demo-worker-1", id="new", address="192.0.2.77")
    outcome, _ = world.cycle().reconcile()
    assert outcome.status is Status.IN_SYNC
    assert world.log == [
        "forget 192.0.2.77",
        "own prune Node demo-worker-1 uid-demo-worker-1",
        "kubespray facts.yml",
        "kubespray scale.yml",
        "label demo-worker-1",
    ]
    facts, scale = world.playbooks
    everybody = tuple(sorted(s.name for s in world.resources if s.kind == "server"))
    assert (tuple(sorted(facts.limit)), scale.limit) == (everybody, ("demo-worker-1",))
    assert world.labelled[0].fields["provider_id"] == "openstack:///new"


def test_a_node_that_is_only_not_ready_keeps_its_keys_and_its_object(world: World) -> None:
    world.nodes = [replace(n, fields={**n.fields, "ready": n.name != "demo-worker-1"}) for n in nodes_of(world)]
    world.cycle().reconcile()
    assert world.log == ["forget ", "kubespray facts.yml", "kubespray scale.yml", "label demo-worker-1"]


def nodes_of(world: World) -> list[Resource]:
    assert isinstance(world.nodes, list)
    return world.nodes


def test_a_node_that_leaves_is_drained_while_its_server_is_there(world: World) -> None:
    world.take(changed(("count: 2", "count: 1")))
    world.held()
    world.cycle().reconcile()
    assert world.log == ["kubespray remove-node.yml", "terraform infrastructure"]
    (told,) = world.playbooks
    assert told.variables == {"node": "demo-worker-2", "skip_confirmation": True}
    assert "demo-worker-2" in str(told.inventory)


@pytest.mark.parametrize("dead", ["gone", "off"])
def test_a_dead_host_is_removed_without_asking_it(world: World, dead: str) -> None:
    world.take(changed(("count: 2", "count: 1")))
    if dead == "gone":
        world.lose("server", "demo-worker-2")
    else:
        altered(world, "server", "demo-worker-2", status="SHUTOFF")
    world.cycle().reconcile()
    assert world.playbooks[0].variables == {
        "node": "demo-worker-2",
        "skip_confirmation": True,
        "reset_nodes": False,
        "allow_ungraceful_removal": True,
    }


def test_a_playbook_that_ends_well_and_brings_no_node_has_failed(world: World) -> None:
    world.nodes = [n for n in nodes_of(world) if n.name != "demo-worker-1"]
    world.useless.add("kubespray scale.yml")
    outcome, _ = world.cycle().reconcile()
    assert outcome.status is Status.FAILED
    assert outcome.error == "not Ready after 0 s: demo-worker-1"


def test_a_label_that_git_dropped_is_taken_off(world: World) -> None:
    world.take(changed(("      labels: {team: blue}\n", "")))
    world.cycle().reconcile()
    assert world.log == ["label demo-worker-1 demo-worker-2"]
    assert [dict(n.fields) for n in world.labelled] == [{"labels.team": None}] * 2


def test_what_can_be_made_can_be_deleted_by_its_id() -> None:
    assert set(_PRUNING) == set(KINDS)


def test_only_the_objects_that_differ_are_applied(world: World) -> None:
    world.take({**FILES, "manifests/sid/b.yaml": FILES["manifests/sid/a.yaml"].replace("name: a", "name: b")})
    world.cycle().reconcile()
    assert world.log == ["own apply ConfigMap sid/b"]


def test_objects_that_git_dropped_are_pruned_by_uid(world: World) -> None:
    world.take({**FILES, "manifests/sid/a.yaml": "# nothing\n"})
    world.cycle().reconcile()
    assert world.log == ["own prune ConfigMap sid/a uid-sid/a"]


def test_terraform_gets_the_whole_application_labelled_and_wired(world: World) -> None:
    objects = world.apis["moc"].objects
    objects.pop(next(k for k in objects if k.kind == "Service"))
    world.cycle().reconcile()
    told = world.workspaces[0]
    assert told.directory == world.root / "state/demo/applications-moc"
    assert told.variables["kubeconfig"] == str(world.root / "moc")
    texts = told.variables["manifests"]
    assert isinstance(texts, dict)
    assert sorted(texts) == [
        "ConfigMap/web/web",
        "Deployment/web/web",
        "Namespace/web",
        "NetworkPolicy/web/web",
        "Route/web/web",
        "Service/web/web",
        "ServiceAccount/web/web",
    ]
    assert all("applyset.kubernetes.io/part-of: demo.applications" in text for text in texts.values())
    endpoint = next(r.fields["address"] for r in world.resources if r.name == "demo-cp-1" and r.kind == "server")
    assert f"API: https://{endpoint}:6443" in texts["ConfigMap/web/web"]


def test_an_application_that_leaves_lets_go_of_its_namespace(world: World) -> None:
    world.take({k: v for k, v in FILES.items() if "applications" not in k})
    world.held()
    world.cycle().reconcile()
    assert world.log == ["terraform applications-moc"]
    assert world.workspaces[0].variables["manifests"] == {}
    assert world.workspaces[0].may_destroy == {
        'kubectl_manifest.namespace["Namespace/web"]',
        *(f'kubectl_manifest.object["{kind}/web/web"]' for kind in KINDS_OF_AN_APPLICATION),
    }


SECRETIVE = {
    **FILES,
    "desired/demo/applications/other.yaml": """\
apiVersion: research.moc/v1alpha1
kind: Application
metadata: {name: other}
spec:
  target: moc
  namespace: web
  image: example.org/other:1
  secrets: {KEY: {generate: true}}
""",
}


def test_secrets_go_past_terraform_before_what_needs_them(world: World) -> None:
    world.take(SECRETIVE)
    world.held()
    outcome, _ = world.cycle().reconcile()
    assert outcome.status is Status.IN_SYNC, (outcome.error, outcome.after.open)
    assert world.log == ["moc apply Namespace web Secret web/other-key", "terraform applications-moc"]
    texts = world.workspaces[0].variables["manifests"]
    assert isinstance(texts, dict)
    assert not [name for name in texts if "Secret" in name]
    world.log.clear()
    world.take(FILES)
    world.cycle().reconcile()
    assert world.log == ["terraform applications-moc", "moc prune Secret web/other-key uid-web/other-key"]


WAITING = {
    **FILES,
    "manifests/sid/s.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {type: LoadBalancer}\n",
}
REFERRING = WAITING["desired/demo/applications/web.yaml"].replace(
    "${cluster.api.endpoint}", "${cluster.services.sid.s.address}"
)


def test_an_application_waits_for_what_is_not_known_and_the_others_go_on(world: World) -> None:
    live = world.apis["moc"].objects
    before = dict(live)
    other = FILES["desired/demo/applications/web.yaml"].replace("web", "other")
    world.take(
        {
            **WAITING,
            "desired/demo/applications/web.yaml": REFERRING,
            "desired/demo/applications/other.yaml": other,
        }
    )
    outcome, _ = world.cycle().reconcile()
    (left,) = outcome.after.open
    assert (str(left.key), left.cls, left.actionable) == ("Application web", Class.PENDING, False)
    assert left.why == "waits for ${cluster.services.sid.s.address}, which is not there yet"
    assert outcome.status is Status.DRIFTED
    workspace = world.workspaces[-1]
    texts = workspace.variables["manifests"]
    assert isinstance(texts, dict)
    assert {name.partition("/")[2] for name in texts} == {"other", "other/other"}
    assert LATER not in "".join(texts.values())
    # the one that waits is let go of, and stays as it was
    assert workspace.forget == {
        'kubectl_manifest.namespace["Namespace/web"]',
        *(f'kubectl_manifest.object["{kind}/web/web"]' for kind in KINDS_OF_AN_APPLICATION),
    }
    live.update(before)  # Terraform, which knows nothing of them now, left them there

    service = Key("Service", "sid/s")
    status = {"loadBalancer": {"ingress": [{"ip": "198.51.100.7"}]}}
    world.apis["own"].objects[service] = {**world.apis["own"].objects[service], "status": status}
    world.workspaces.clear()
    world.cycle().reconcile()
    texts = world.workspaces[-1].variables["manifests"]
    assert isinstance(texts, dict)
    assert "API: 198.51.100.7" in texts["ConfigMap/web/web"]
    assert world.workspaces[-1].forget == frozenset()


def test_an_address_that_cannot_be_seen_or_is_gone_for_now_is_not_taken_out(world: World) -> None:
    world.take({**WAITING, "desired/demo/applications/web.yaml": REFERRING})
    world.cycle().reconcile()
    service, own = Key("Service", "sid/s"), world.apis["own"].objects
    own[service] = {**own[service], "status": {"loadBalancer": {"ingress": [{"hostname": "lb.example.org"}]}}}
    world.settle()
    world.unseen = Unknown("does not answer")
    plan, _ = world.cycle().check()
    assert plan.in_sync
    world.unseen = None
    own[service] = {**own[service], "status": {}}
    plan, _ = world.cycle().check()
    assert plan.in_sync
    own[service] = {**own[service], "status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.8"}]}}}
    plan, _ = world.cycle().check()
    (step,) = plan.steps
    assert step.targets == ("ConfigMap web/web", "Deployment web/web")


def test_an_address_nobody_knows_yet_is_not_written_into_an_application(world: World) -> None:
    (world.root / "state" / "demo" / "outputs.json").unlink()  # the branch still has it, and is not believed
    altered(world, "server", "demo-cp-1", address=None)
    outcome, _ = world.cycle().reconcile()
    assert outcome.status is Status.DRIFTED
    assert [str(d.key) for d in outcome.after.open] == ["Application web"]
    assert world.workspaces == []


def test_a_failure_is_an_outcome_with_its_hint(world: World) -> None:
    world.lose("port", "demo-worker-1")
    world.fails["terraform"] = Transient("locked", hint="wait")
    (step,) = world.cycle().reconcile()[0].steps
    assert (step.ok, step.error, step.hint) == (False, "locked", "wait")
    assert step.seconds >= 0


def test_an_unknown_kind_of_server_leaves_playbooks_alone(world: World) -> None:
    world.kinds["network"] = Known()
    plan, _ = world.cycle().check()
    assert [str(d.key) for d in plan.open] == ["network demo"]


def test_what_is_ignored_stays_as_it_is_when_terraform_runs_for_another_reason(world: World) -> None:
    rules = "[{resource: server demo-worker-1, field: metadata.*}, {resource: security_group_rule * 192.0.2.0/24}]"
    world.take(changed(("  kubernetes:\n", f"  ignore: {rules}\n  kubernetes:\n")))
    altered(world, "server", "demo-worker-1", **{"metadata.reconciler.group": "mine"})
    world.resources = [r for r in world.resources if not r.name.endswith("6443 from 192.0.2.0/24")]
    world.lose("port", "demo-worker-2")
    world.cycle().reconcile()
    told: Any = world.workspaces[0].variables
    assert told["servers"]["demo-worker-1"]["metadata"]["reconciler.group"] == "mine"
    assert told["servers"]["demo-worker-2"]["metadata"]["reconciler.group"] == "worker"
    assert not [name for name in told["rules"] if "6443" in name]
    assert [name for name in told["rules"] if " 22 " in name]


def test_what_another_owns_waits_for_a_line_and_the_rest_does_not(world: World) -> None:
    mine = Key("ConfigMap", "sid/a")
    own = world.apis["own"]
    own.objects[mine] = {**own.objects[mine], "data": {"x": "theirs"}}
    own.owners[mine] = Owner("helm", applies=True)
    lost = world.apis["moc"].objects.pop(Key("Service", "web/web"))

    outcome, _ = world.cycle().reconcile()

    assert outcome.status is Status.BLOCKED
    assert world.log == ["terraform applications-moc"], "what is nobody else's goes on"
    assert Key("Service", "web/web") in world.apis["moc"].objects, lost
    (refusal,) = outcome.after.refusals
    assert refusal.guard == "conflict"
    assert "ConfigMap sid/a body is owned by helm (Apply)" in refusal.message
    assert "{component: workloads, resource: 'ConfigMap sid/a', field: 'body'}" in refusal.approval

    world.approve(outcome.after.digest, "conflict")
    outcome, _ = world.cycle().reconcile()
    assert outcome.status is Status.IN_SYNC
    assert own.allowances[-1].taking == {mine: frozenset({Owner("helm", applies=True)})}


def test_how_long_a_workload_may_take_is_git_s(world: World) -> None:
    text = FILES[FILE].replace("namespace: sid}", "namespace: sid, timeout: 20}")
    world.take({**FILES, FILE: text})
    world.apis["own"].objects.clear()
    world.cycle().reconcile()
    assert world.apis["own"].allowances[-1].patience == {Key("ConfigMap", "sid/a"): 20.0}


def test_what_a_container_said_is_whispered(world: World) -> None:
    said: list[str] = []
    logged: list[str] = []
    world.apis["own"].objects.clear()
    lines = Evidence("kubectl logs", None, ("password=x",), private=True)
    world.fails["own apply"] = Permanent("is not healthy", evidence=lines)
    cycle = world.cycle()
    tools = replace(cycle.tools, whisper=said.append, progress=Logged(logged))
    outcome, _ = replace(cycle, tools=tools).reconcile()
    assert outcome.error == "is not healthy"
    assert said == ["  | password=x"]
    assert not any("password" in text for text in (*logged, *map(str, world.recorded)))


class Logged(QuietProgress):
    """Progress that remembers its lines."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines

    def log(self, text: str) -> None:
        self.lines.append(text)
