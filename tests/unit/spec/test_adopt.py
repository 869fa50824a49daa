"""Which line of git each drift would have come from, and which drift has none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.engine.diff import diff
from reconciler.model.change import Difference
from reconciler.model.resource import Component, Expected, Kinds, Known, Observed, Resource, Value
from reconciler.spec.adopt import Adoption, Left, Scene, adoptions
from reconciler.spec.desired_state import load
from reconciler.spec.edit import edited
from reconciler.spec.load import DesiredCluster
from reconciler.spec.render.infrastructure import infrastructure
from reconciler.spec.render.kubernetes import nodes
from reconciler.spec.render.terraform import KINDS
from tests.unit.examples import CLUSTER, FILE

INFRA, KUBE, WORK = Component.INFRASTRUCTURE, Component.KUBERNETES, Component.WORKLOADS
MANIFEST = "manifests/sid/web.yaml"
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2 # enough
  template: {spec: {containers: [{name: web, image: "a:1"}]}}
"""
FILES = {
    FILE: (CLUSTER + "  workloads:\n    - {name: sid, path: manifests/sid, namespace: sid}\n").encode(),
    MANIFEST: WEB.encode(),
}


def cluster(files: dict[str, bytes] | None = None) -> DesiredCluster:
    (found,) = load(files or FILES)
    return found


def live(desired: DesiredCluster) -> list[Resource]:
    made = [replace(r, id=f"id of {r.key}", owner="demo") for r in infrastructure(desired.cluster)]
    return made + [replace(n, id=f"id of {n.key}") for n in nodes(desired.cluster, made)]


def altered(found: list[Resource], kind: str, name: str, **fields: Any) -> list[Resource]:
    assert any((r.kind, r.name) == (kind, name) for r in found)
    return [
        replace(r, fields={**r.fields, **{k.replace("__", "."): v for k, v in fields.items()}})
        if (r.kind, r.name) == (kind, name)
        else r
        for r in found
    ]


def without(found: list[Resource], kind: str, *names: str) -> list[Resource]:
    return [r for r in found if not (r.kind == kind and r.name in names)]


def scene(found: list[Resource], workloads: tuple[Resource, Resource] | None = None) -> Scene:
    desired = cluster()
    servers = [r for r in found if r.kind == "server"]
    expected = {INFRA: infrastructure(desired.cluster), KUBE: nodes(desired.cluster, servers)}
    kinds: Kinds = {kind: Known(tuple(r for r in found if r.kind == kind)) for kind in KINDS}
    observed = {INFRA: kinds, KUBE: {"node": Known(tuple(r for r in found if r.kind == "node"))}}
    if workloads:
        expected[WORK] = (workloads[0],)
        observed[WORK] = {workloads[0].kind: Known((workloads[1],) if workloads[1].id else ())}
    wanted = Expected(expected)
    differences = diff(wanted, wanted, Observed(observed))
    return Scene(desired, FILES, wanted, Observed(observed), differences)


def one(found: list[Resource], kind: str = "") -> Adoption:
    adopted, left = adoptions(scene(found))
    assert [x for x in left if not kind or x.difference.key.kind == kind] == []
    (made,) = adopted
    return made


def refused(found: list[Resource]) -> Left:
    adopted, (left, *_) = adoptions(scene(found))
    assert adopted == ()
    return left


def after(made: Adoption) -> DesiredCluster:
    """The cluster as git says it then."""
    return cluster({**FILES, made.file: edited(made.file, FILES[made.file], made.edits)})


def test_nothing_differs_nothing_is_adopted() -> None:
    assert adoptions(scene(live(cluster()))) == ((), ())


def test_other_dns_servers() -> None:
    made = one(altered(live(cluster()), "subnet", "demo", dns_servers=("192.0.2.53",)))
    assert after(made).cluster.spec.network.dns_servers == ("192.0.2.53",)


@pytest.mark.parametrize(
    ("rule", "key", "value"),
    [
        (("demo-cluster", "tcp", 22, 22), "ssh", ("192.0.2.0/24", "0.0.0.0/0")),
        (("demo-control-plane", "tcp", 6443, 6443), "api", ("192.0.2.0/24", "0.0.0.0/0")),
    ],
)
def test_a_rule_that_access_has_a_word_for(rule: tuple[str, str, int, int], key: str, value: tuple[str, ...]) -> None:
    made = one([*live(cluster()), opened(*rule)])
    assert getattr(after(made).cluster.spec.access, key) == value


def test_any_other_way_in_is_a_rule() -> None:
    (rule,) = after(one([*live(cluster()), opened("demo-node", "udp", 5000, 5010)])).cluster.spec.access.rules
    assert (rule.name, rule.protocol, rule.span, rule.from_, rule.to) == (
        "adopted-udp-5000-5010", "udp", (5000, 5010), ("0.0.0.0/0",), "nodes",
    )  # fmt: skip


def opened(group: str, protocol: str, low: int, high: int) -> Resource:
    fields: dict[str, Value] = {
        "security_group": group, "direction": "ingress", "ethertype": "IPv4", "protocol": protocol, "port_min": low,
        "port_max": high, "remote_ip_prefix": "0.0.0.0/0", "remote_group": None,
    }  # fmt: skip
    return Resource("security_group_rule", f"{group} {protocol} {low}", fields, "new", "demo")


def test_a_way_in_that_was_closed() -> None:
    made = one(without(live(cluster()), "security_group_rule", "demo-cluster ingress IPv4 tcp 22 from 192.0.2.0/24"))
    assert after(made).cluster.spec.access.ssh == ()


def test_the_way_out_is_nothing_git_says() -> None:
    left = refused(without(live(cluster()), "security_group_rule", "demo-cluster egress IPv4 any to anywhere"))
    assert "access" in left.why


def test_a_whole_group_resized() -> None:
    found = live(cluster())
    for name in ("demo-worker-1", "demo-worker-2"):
        found = altered(found, "server", name, flavor="m1.xlarge")
    made = one(found)
    assert len(made.differences) == 2
    assert after(made).cluster.spec.node_groups[0].flavor == "m1.xlarge"


def test_one_machine_of_a_group_resized() -> None:
    assert "only 1 of 2" in refused(altered(live(cluster()), "server", "demo-worker-1", flavor="m1.xlarge")).why


def test_the_last_machine_gone_is_one_less() -> None:
    made, _ = adoptions(scene(without(live(cluster()), "server", "demo-worker-2")))
    (fewer,) = (a for a in made if a.differences[0].key.kind == "server")
    assert after(fewer).cluster.spec.node_groups[0].count == 1


def test_one_in_the_middle_gone_is_no_other_count() -> None:
    _, left = adoptions(scene(without(live(cluster()), "server", "demo-worker-1")))
    assert any("not the last" in x.why for x in left)


def test_one_more_behind_the_last() -> None:
    more = Resource("server", "demo-worker-3", {"flavor": "m1.large"}, "new", "demo")
    assert after(one([*live(cluster()), more])).cluster.spec.node_groups[0].count == 3
    other = replace(more, name="demo-worker-9")
    assert "group would make next" in refused([*live(cluster()), other]).why


def test_labels_and_taints_of_a_whole_group() -> None:
    found = live(cluster())
    for name in ("demo-worker-1", "demo-worker-2"):
        found = altered(found, "node", name, labels__team="red", taints=("gpu=yes:NoSchedule",))
    adopted, left = adoptions(scene(found))
    assert left == ()
    edits = [edit for made in adopted for edit in made.edits]
    group = cluster({**FILES, FILE: edited(FILE, FILES[FILE], edits)}).cluster.spec.node_groups[0]
    assert group.labels == {"team": "red"}
    assert [str(taint) for taint in group.taints] == ["gpu=yes:NoSchedule"]


def workload(field: str, desired: Any, now: Any, *, kind: str = "Deployment") -> tuple[Resource, Resource]:
    return Resource(kind, "sid/web", {field: desired}), Resource(kind, "sid/web", {field: now}, "u")


def test_a_field_of_a_manifest_keeps_its_comment() -> None:
    (made,), left = adoptions(scene(live(cluster()), workload("spec.replicas", 2, 5)))
    assert left == ()
    assert edited(MANIFEST, FILES[MANIFEST], made.edits).decode() == WEB.replace("2 # enough", "5 # enough")


def test_what_kustomize_made_is_no_files_alone() -> None:
    seen = scene(live(cluster()), workload("spec.replicas", 2, 5))
    built = {**FILES, "manifests/sid/kustomization.yaml": b"resources: [web.yaml]\n"}
    made, (left,) = adoptions(replace(seen, files=built))
    assert made == ()
    assert "by kustomize" in left.why


@pytest.mark.parametrize(
    ("pair", "why"),
    [
        (workload("spec.strategy.type", "a", "b"), "does not say it"),
        (workload("data.password", "a", "b", kind="Secret"), "may be a secret"),
        (workload("spec.replicas", 2, None), "asks for what is gone"),
    ],
)
def test_what_no_manifest_says(pair: tuple[Resource, Resource], why: str) -> None:
    adopted, (left,) = adoptions(scene(live(cluster()), pair))
    assert adopted == ()
    assert why in left.why


def test_what_git_asks_for_is_not_adopted() -> None:
    found = scene(live(cluster()))
    pending = diff(found.expected, Expected({}), replace_server(found.observed))
    adopted, left = adoptions(replace(found, differences=pending))
    assert adopted == ()
    assert all("apply it" in x.why for x in left)
    assert left


def replace_server(observed: Observed) -> Observed:
    kinds = {**observed.kinds(INFRA), "subnet": Known(())}
    return Observed({**observed.components, INFRA: kinds})


def test_every_difference_is_answered() -> None:
    found = live(cluster())
    for resource in infrastructure(cluster().cluster):
        for name in resource.fields:
            told = scene(altered(found, resource.kind, resource.name, **{name.replace(".", "__"): "changed"}))
            adopted, left = adoptions(told)
            answered: list[Difference] = [d for a in adopted for d in a.differences] + [x.difference for x in left]
            assert sorted(map(str, answered)) == sorted(map(str, told.differences))
