"""How a policy is written, what one with mistakes allows, and whose word the fleet's defaults are."""

from __future__ import annotations

import pytest

from reconciler.errors import Invalid
from reconciler.spec.load import FLEET
from tests.unit.spec.tenancy.scene import (
    HEAD,
    OTHER,
    OWN,
    SEALED,
    SOPS,
    cluster,
    entry,
    fleet,
    workload,
    world,
)

SECRET = f'apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{token: "{SEALED}"}}\n{SOPS}'
ROLE = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: a}\n"


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("clusters: []", "clusters", "at least 1 item"),
        ("clouds: [a]", "clusters", "is missing"),
        ("clusters: [a], cloud: [a]", "cloud", "unknown key"),
        ("clusters: [a], clouds: a", "clouds", "expected a list"),
        ("clusters: [a], clouds: ['']", "clouds.0", "at least 1 character"),
        ("clusters: [physіcs]", "clusters.0", "is no pattern"),  # noqa: RUF001 - Cyrillic, in the place of an i
        ("clusters: ['a b']", "clusters.0", "is no pattern"),
        ('clusters: ["a\\u200b"]', "clusters.0", "is no pattern"),
        ("clusters: [a], targets: [moc]", "targets.0", "has not two parts, such as moc/physics-*"),
        ("clusters: [a], targets: [moc/a/b]", "targets.0", "has not two parts"),
        ("clusters: [a], targets: [moc/]", "targets.0", "has not two parts"),
        ("clusters: [a], clusterScoped: [Namespace]", "clusterScoped.0", "such as PriorityClass/environment"),
        ("clusters: [a], paths: [/manifests/a]", "paths.0", "is no path from the repository's root"),
        ("clusters: [a], paths: [manifests/../b]", "paths.0", "is no path"),
        ("clusters: [a], secrets: [./b]", "secrets.0", "is no path"),
        ("clusters: [a], secrets: [manifests//b]", "secrets.0", "is no path"),
    ],
)
def test_a_mistake_in_the_policy_is_told_and_allows_nothing(text: str, path: str, message: str) -> None:
    it = world({}, f"{HEAD}  policy:\n    tenants:\n      - {{{text}}}\n")
    for way in ("validated", "planned", "followed"):
        refused = it.refused(way)
        assert {(p.file, p.line) for p in refused} == {(FLEET, 7)}
        assert [p.path for p in refused if message in p.message] == [f"spec.policy.tenants.0.{path}"]


@pytest.mark.parametrize("text", ["tenants:", "tenants: null", "tenants: {}", "tenants: all"])
def test_a_policy_that_was_begun_is_not_no_policy(text: str) -> None:
    for way in ("validated", "planned", "followed"):
        (problem,) = world({}, f"{HEAD}  policy:\n    {text}\n").refused(way)
        assert (problem.path, problem.message[:15]) == ("spec.policy.tenants", "expected a list")


@pytest.mark.parametrize("text", ["{", "a: b\n", f"{HEAD}  {{}}\n---\n{HEAD}  {{}}\n", "", "sops: {}\n"])
def test_with_a_fleet_that_cannot_be_read_no_secret_is_opened(text: str) -> None:
    files = {OWN: cluster("physics", workload("manifests/physics")), "manifests/physics/s.yaml": SECRET}
    it = world(files, text)
    assert it.refused("planned")
    assert it.refused("followed")
    assert [path for path in it.opened if path != FLEET] == []


def test_what_the_fleets_defaults_say_is_the_administrators_own_word() -> None:
    defaults = (
        "  defaults:\n    cloud: sandbox\n    network: {externalNetwork: public}\n"
        "    kubernetes: {variables: {a: 1}}\n"
        "    workloads: [{name: base, path: manifests/base, namespace: kube-system}]\n"
    )
    own = cluster("physics").replace("  cloud: sandbox\n", "").replace("    externalNetwork: public\n", "")
    policy = fleet(entry("biology"), {"clusters": ["physics"]}, defaults=defaults)
    files = {OWN: own, "manifests/base/a.yaml": ROLE}
    assert world(files, policy).refused("validated") == ()
    refused = world({**files, OWN: own + "    variables: {b: 1}\n"}, policy).refused("validated")
    assert [p.path for p in refused] == ["spec.kubernetes.variables.b"]
    own += "  workloads: [{name: mine, path: manifests/base, namespace: kube-system}]\n"
    refused = world({**files, OWN: own}, policy).refused("validated")
    assert [p.path for p in refused] == ["spec.workloads.0.path", "spec.workloads.0.namespace"]


def test_a_secret_in_a_default_workload_is_opened_for_whom_the_policy_names() -> None:
    defaults = "  defaults:\n    workloads: [{name: base, path: manifests/base}]\n"
    files = {"manifests/base/s.yaml": SECRET}
    for allowed in ([], ["manifests/base/s.yaml"]):
        policy = fleet(entry("biology"), entry("physics", secrets=allowed), defaults=defaults)
        it = world(files, policy)
        refused = [(p.file, p.message) for p in it.refused("followed")]
        assert refused == ([] if allowed else [(FLEET, "physics may not use the secrets in 'manifests/base/s.yaml'")])
        assert it.opened == allowed


def test_one_cluster_that_is_refused_keeps_no_other_waiting() -> None:
    it = world({OTHER: cluster("biology").replace("cloud: sandbox", "cloud: moc")}, fleet(entry("*", clouds=["moc"])))
    with pytest.raises(Invalid):
        it.followed("physics")
    assert [c.name for c in it.followed("biology")] == ["biology"]


def test_of_a_folder_that_is_not_allowed_one_file_is_named() -> None:
    files = {f"manifests/physics/{n}.yaml": ROLE.replace("a}", f"a{n}}}") for n in range(9)}
    it = world({OWN: cluster("physics", workload("manifests/physics")), **files}, fleet(entry("*", paths=[])))
    (problem,) = it.refused("validated")
    assert problem.message == "physics may not use file 'manifests/physics/0.yaml', and 8 more"
