"""Every kind of thing a cluster's folder may use, at every place it can stand: allowed, another one allowed, nothing of
its kind, nobody named, no policy; as `validate` checks it, as plan and apply load it, and as a daemon reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pytest

from reconciler.spec.load import FLEET
from tests.unit.examples import application
from tests.unit.spec.tenancy.scene import OTHER, OWN, SEALED, SOPS, cluster, entry, fleet, workload, world

APP = "desired/physics/applications/web.yaml"
ENV = "desired/physics/environments/ada.yaml"
MANIFEST = "manifests/physics/a.yaml"
KUSTOMIZATION = "manifests/physics/kustomization.yaml"
GOOD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
TEMPLATE = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ name }}\n"
TEMPLATES = {"manifests/environments/jupyter/pod.yaml": TEMPLATE}
ADA = """\
apiVersion: research.moc/v1alpha1
kind: Environment
metadata:
  name: ada
spec:
  owner: ada
  type: jupyter
"""
SECRET = f'apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{token: "{SEALED}"}}\n{SOPS}'
VALUES = f'password: "{SEALED}"\n{SOPS}'
PRIORITY = "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: environment}\nvalue: 0\n"
WORKLOAD = cluster("physics", workload("manifests/physics"))
DIGEST = f"sha256:{'0' * 64}"


def manifest(text: str) -> dict[str, str]:
    return {OWN: WORKLOAD, MANIFEST: text}


def of(kind: str, spec: str = "", group: str = "v1") -> dict[str, str]:
    return manifest(f"apiVersion: {group}\nkind: {kind}\nmetadata:\n  name: x\n{spec}")


def network(*lines: str) -> dict[str, str]:
    return {
        OWN: cluster("physics").replace(
            "    externalNetwork", "".join(f"    {x}\n" for x in lines) + "    externalNetwork"
        )
    }


def app(*lines: str) -> dict[str, str]:
    return {APP: application("web", *lines)}


def chart(repository: str) -> dict[str, str]:
    source = f"{{repository: {repository!r}, name: grafana, version: 1.0.0, digest: '{DIGEST}'}}"
    return {OWN: cluster("physics", f"  workloads:\n    - name: w\n      helm:\n        chart: {source}\n")}


class Case(NamedTuple):
    """`files` use a `thing` that the pattern `allowed` allows and `another` does not; at `line` of `file` that is told,
    with `word` in the message."""

    thing: str
    allowed: str
    another: str
    files: Mapping[str, str]
    file: str
    line: str
    word: str


INGRESS = "networking.k8s.io/v1"
CRD = (
    "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: as.x.org}\n"
    "spec: {group: x.org, scope: Cluster, names: {kind: A}}\n"
)
CASES = {
    # the cluster's own file
    "cloud": Case("clouds", "sand*", "sandbo", {}, OWN, "cloud: sandbox", "cloud 'sandbox'"),
    "external network": Case("existing", "public", "private", {}, OWN, "externalNetwork:", "network 'public'"),
    "router": Case("existing", "*ub*", "public", network("router: hub"), OWN, "router: hub", "router 'hub'"),
    "security group": Case(
        "existing",
        "*b*",
        "public",
        {OWN: cluster("physics").replace("      count: 2\n", "      count: 2\n      securityGroups: [web]\n")},
        OWN,
        "securityGroups: [web]",
        "security group 'web'",
    ),
    "variable": Case(
        "variables",
        "containerd_*",
        "containerd",
        {OWN: cluster("physics", "    variables:\n      containerd_x: 1\n")},
        OWN,
        "containerd_x: 1",
        "variable 'containerd_x'",
    ),
    # workloads: what they are made from
    "folder": Case("paths", "manifests/physics/**", "manifests/physics-2/**", manifest(GOOD), OWN, "path:", MANIFEST),
    "folder, by file": Case("paths", "manifests/*/?.yaml", "manifests/*", manifest(GOOD), OWN, "path:", MANIFEST),
    "folder with a slash": Case(
        "paths",
        "manifests/physics/",
        "manifests/physics",
        {**manifest(GOOD), OWN: cluster("physics", workload("manifests/physics/"))},
        OWN,
        "path:",
        MANIFEST,
    ),
    "all folders": Case(
        "paths",
        "manifests/**",
        "manifests/physics/**",
        {
            OWN: cluster("physics", workload("manifests")),
            MANIFEST: GOOD,
            "manifests/biology/b.yaml": GOOD.replace("a}", "b}"),
        },
        OWN,
        "path: manifests",
        "manifests/biology/b.yaml",
    ),
    "folder below desired": Case(
        "paths",
        "desired/physics/applications/*",
        "manifests/**",
        {
            OWN: cluster("physics", workload("desired/physics/applications")),
            "desired/physics/applications/a.json": '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}',
        },
        OWN,
        "path:",
        "a.json",
    ),
    "kustomization": Case(
        "paths",
        "manifests/**",
        "manifests/physics/?.yaml",
        {**manifest(GOOD), KUSTOMIZATION: "resources: [a.yaml]\n"},
        OWN,
        "path:",
        KUSTOMIZATION,
    ),
    "kustomization's base": Case(
        "paths",
        "manifests/*/*",
        "manifests/physics/**",
        {
            **manifest(GOOD),
            KUSTOMIZATION: "resources:\n  - a.yaml\n  - ../biology\n",
            "manifests/biology/kustomization.yaml": "resources: [b.yaml]\n",
            "manifests/biology/b.yaml": GOOD.replace("a}", "b}"),
        },
        KUSTOMIZATION,
        "  - ../biology",
        "manifests/biology/",
    ),
    "chart folder": Case(
        "paths",
        "manifests/physics/**",
        "manifests/physics/Chart.yaml",
        {OWN: WORKLOAD, "manifests/physics/Chart.yaml": "name: c\n", "manifests/physics/templates/a.yaml": GOOD},
        OWN,
        "path:",
        "templates/a.yaml",
    ),
    "values file": Case(
        "paths",
        "manifests/**",
        "manifests/physics/**",
        {
            OWN: cluster(
                "physics",
                workload("manifests/physics", "      helm:\n        valuesFiles:\n        - manifests/values/v.yaml\n"),
            ),
            "manifests/physics/Chart.yaml": "name: c\n",
            "manifests/values/v.yaml": "a: b\n",
        },
        OWN,
        "- manifests/values/v.yaml",
        "manifests/values/v.yaml",
    ),
    "chart": Case(
        "charts",
        "https://c.example.org/**",
        "https://c.example.org/*/*",
        chart("https://c.example.org"),
        OWN,
        "chart:",
        "grafana",
    ),
    "chart by name": Case(
        "charts",
        "https://*.example.org/grafana",
        "https://*.example.org/loki",
        chart("https://c.example.org/"),
        OWN,
        "chart:",
        "grafana",
    ),
    "chart behind a query": Case(
        "charts", "*", "https://*.example.org/**", chart("https://evil.example?.example.org"), OWN, "chart:", "evil"
    ),
    "chart behind a user": Case(
        "charts", "*", "https://c.example.org*/**", chart("https://c.example.org@evil.example"), OWN, "chart:", "evil"
    ),
    "chart above": Case(
        "charts", "*", "https://c.example.org/a/**", chart("https://c.example.org/a/../b"), OWN, "chart:", "../b"
    ),
    # workloads: what comes of them
    "namespace of a workload": Case(
        "namespaces",
        "physics-*",
        "physics",
        {**manifest(GOOD), OWN: cluster("physics", workload("manifests/physics", "      namespace: physics-web\n"))},
        OWN,
        "namespace: physics-web",
        "'physics-web'",
    ),
    "namespace left out": Case("namespaces", "default", "physics", manifest(GOOD), MANIFEST, "metadata:", "'default'"),
    "namespace of an object": Case(
        "namespaces",
        "kube-*",
        "default",
        manifest(GOOD.replace("a}", "a, namespace: kube-system}")),
        MANIFEST,
        "metadata:",
        "'kube-system'",
    ),
    "namespace of one in a List": Case(
        "namespaces",
        "kube-*",
        "default",
        manifest(
            "apiVersion: v1\nkind: List\nitems:\n  - apiVersion: v1\n    kind: Pod\n"
            "    metadata:\n      name: a\n      namespace: kube-system\n"
        ),
        MANIFEST,
        "namespace: kube-system",
        "'kube-system'",
    ),
    "Namespace": Case("namespaces", "x", "default", of("Namespace"), MANIFEST, "name: x", "namespace 'x'"),
    "namespace in a kustomization": Case(
        "namespaces",
        "kube-*",
        "default",
        {**manifest(GOOD.replace("a}", "a, namespace: kube-system}")), KUSTOMIZATION: "resources: [a.yaml]\n"},
        KUSTOMIZATION,
        "resources",
        "'kube-system'",
    ),
    "namespace in a chart": Case(
        "namespaces",
        "kube-*",
        "default",
        {
            OWN: WORKLOAD,
            "manifests/physics/Chart.yaml": "name: c\n",
            "manifests/physics/templates/a.yaml": GOOD.replace("a}", "a, namespace: kube-system}"),
        },
        "manifests/physics/templates/a.yaml",
        "apiVersion",
        "'kube-system'",
    ),
    "ClusterRole": Case(
        "clusterScoped",
        "ClusterRole/x",
        "ClusterRole/y*",
        of("ClusterRole", group="rbac.authorization.k8s.io/v1"),
        MANIFEST,
        "kind:",
        "ClusterRole 'x'",
    ),
    "ClusterRole that names a namespace": Case(
        "clusterScoped",
        "*/x",
        "Role/*",
        of("ClusterRole", "  namespace: default\n", group="rbac.authorization.k8s.io/v1"),
        MANIFEST,
        "kind:",
        "ClusterRole 'x'",
    ),
    "webhook": Case(
        "clusterScoped",
        "ValidatingWebhookConfiguration/*",
        "ValidatingAdmissionPolicy/*",
        of("ValidatingWebhookConfiguration", group="admissionregistration.k8s.io/v1"),
        MANIFEST,
        "kind:",
        "no namespace",
    ),
    "definition": Case(
        "clusterScoped",
        "CustomResourceDefinition/*.x.org",
        "CustomResourceDefinition/*.y.org",
        manifest(CRD),
        MANIFEST,
        "kind:",
        "as.x.org",
    ),
    "what a definition makes": Case(
        "clusterScoped",
        "?*/*",
        "CustomResourceDefinition/*",
        manifest(f"{CRD}---\napiVersion: x.org/v1\nkind: A\nmetadata: {{name: b, namespace: default}}\n"),
        MANIFEST,
        "kind: A",
        "A 'b'",
    ),
    "a kind that nobody knows": Case(
        "clusterScoped",
        "GlobalNetworkPolicy/*",
        "NetworkPolicy/*",
        of("GlobalNetworkPolicy", "  namespace: default\n", group="crd.projectcalico.org/v1"),
        MANIFEST,
        "kind:",
        "may belong to no namespace",
    ),
    "host of an Ingress": Case(
        "hosts",
        "*.physics.org",
        "physics.org",
        of("Ingress", "spec: {rules: [{host: a.physics.org}]}\n", INGRESS),
        MANIFEST,
        "spec:",
        "'a.physics.org'",
    ),
    "host of an Ingress, in capitals": Case(
        "hosts",
        "a.physics.org",
        "A.Physics.org",
        of("Ingress", "spec: {rules: [{host: A.Physics.org.}]}\n", INGRESS),
        MANIFEST,
        "spec:",
        "'a.physics.org'",
    ),
    "Ingress for all hosts": Case(
        "hosts", "*", "?*", of("Ingress", "spec: {rules: [{http: {}}]}\n", INGRESS), MANIFEST, "spec:", "every host"
    ),
    "Ingress for all other hosts": Case(
        "hosts",
        "*",
        "a.org",
        of("Ingress", "spec: {rules: [{host: a.org}], defaultBackend: {}}\n", INGRESS),
        MANIFEST,
        "spec:",
        "every host",
    ),
    "Route": Case(
        "hosts",
        "a.org",
        "b.org",
        of("Route", "spec: {host: a.org}\n", "route.openshift.io/v1"),
        MANIFEST,
        "spec:",
        "'a.org'",
    ),
    "HTTPRoute": Case(
        "hosts",
        "a.org",
        "b.org",
        of("HTTPRoute", "spec: {hostnames: [a.org]}\n", "gateway.networking.k8s.io/v1"),
        MANIFEST,
        "spec:",
        "'a.org'",
    ),
    # environments
    "owner": Case("namespaces", "env-*", "ada", {ENV: ADA, **TEMPLATES}, ENV, "owner: ada", "'env-ada'"),
    "type": Case(
        "paths",
        "manifests/environments/jupyter/*",
        "manifests/environments/rstudio/**",
        {ENV: ADA, **TEMPLATES},
        ENV,
        "type: jupyter",
        "pod.yaml",
    ),
    "template's namespace": Case(
        "namespaces",
        "[ek]*",
        "env-*",
        {ENV: ADA, **{p: f"{t}  namespace: kube-system\n" for p, t in TEMPLATES.items()}},
        ENV,
        "name: ada",
        "'kube-system'",
    ),
    "template's cluster-scoped object": Case(
        "clusterScoped",
        "PriorityClass/environment",
        "PriorityClass/system-*",
        {
            ENV: ADA,
            **TEMPLATES,
            "manifests/environments/owner/p.yaml": PRIORITY,
        },
        ENV,
        "name: ada",
        "PriorityClass 'environment'",
    ),
    "environment's host": Case(
        "hosts",
        "ada.*.org",
        "*.com",
        {ENV: f"{ADA}  access: {{via: route, host: ada.sid.org}}\n", **TEMPLATES},
        ENV,
        "access:",
        "'ada.sid.org'",
    ),
    # applications
    "OpenShift": Case("targets", "moc/w*", "mo/*", app(), APP, "target: moc", "OpenShift 'moc'"),
    "namespace of an OpenShift": Case(
        "targets", "moc/web", "moc/web-*", app(), APP, "namespace: web", "namespace 'web'"
    ),
    "application's host": Case(
        "hosts", "web.*", "*.org.", app("host: web.sid.org"), APP, "host: web.sid.org", "'web.sid.org'"
    ),
    "output of another": Case(
        "outputs",
        "bio*",
        "physics",
        app("env:", "  A: '${cluster.biology.api.endpoint}'"),
        APP,
        "A:",
        "cluster 'biology'",
    ),
    "Secret of its own cluster": Case(
        "namespaces",
        "[dk]*",
        "default",
        {
            **manifest(GOOD.replace("ConfigMap", "Secret").replace("a}", "a, namespace: kube-system}")),
            **app("env:", "  A: '${cluster.secrets.kube-system.a.token}'"),
        },
        APP,
        "A:",
        "'kube-system'",
    ),
    # what SOPS keeps
    "secret of an application": Case(
        "secrets",
        "manifests/*/s.yaml",
        "manifests/physics/**",
        {
            "manifests/biology/s.yaml": VALUES,
            **app("secrets:", "  A:", "    file: manifests/biology/s.yaml", "    key: password"),
        },
        APP,
        "file: manifests/biology/s.yaml",
        "'manifests/biology/s.yaml'",
    ),
    "secret in a folder": Case(
        "secrets", "manifests/physics/*", "manifests/biology/*", manifest(SECRET), OWN, "path:", MANIFEST
    ),
    "secret of a kustomization's base": Case(
        "secrets",
        "manifests/**/s.yaml",
        "manifests/physics/**",
        {
            **manifest(GOOD),
            KUSTOMIZATION: "resources:\n  - ../biology\n",
            "manifests/biology/kustomization.yaml": "resources: [s.yaml]\n",
            "manifests/biology/s.yaml": SECRET,
        },
        KUSTOMIZATION,
        "  - ../biology",
        "'manifests/biology/s.yaml'",
    ),
    "secret values": Case(
        "secrets",
        "manifests/values/*",
        "manifests/physics/**",
        {
            OWN: cluster(
                "physics",
                workload("manifests/physics", "      helm:\n        valuesFiles:\n        - manifests/values/v.yaml\n"),
            ),
            "manifests/physics/Chart.yaml": "name: c\n",
            "manifests/values/v.yaml": VALUES,
        },
        OWN,
        "- manifests/values/v.yaml",
        "secrets in 'manifests/values/v.yaml'",
    ),
    "secret of every environment": Case(
        "secrets",
        "manifests/environments/common/*",
        "manifests/environments/jupyter/*",
        {ENV: ADA, **TEMPLATES, "manifests/environments/common/s.yaml": SECRET},
        ENV,
        "type: jupyter",
        "'manifests/environments/common/s.yaml'",
    ),
}
WAYS = ("validated", "planned", "followed")
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
every_way = pytest.mark.parametrize("way", WAYS)


@every_way
@every_case
def test_what_is_allowed_is_loaded(case: Case, way: str) -> None:
    it = world(case.files, fleet(entry("physics", **{case.thing: [case.allowed]}), entry("biology")))
    assert it.refused(way) == _unopened(case, way)
    allowing = [entry("physics", **{case.thing: [p]}) for p in (case.another, case.allowed)]
    assert world(case.files, fleet(*allowing, entry("biology"))).refused(way) == _unopened(case, way), "entries add up"


@every_way
@every_case
def test_what_is_not_allowed_is_refused_at_its_line(case: Case, way: str) -> None:
    it = world(case.files, fleet(entry("biology"), entry("phys*s", **{case.thing: [case.another]})))
    refused = [p for p in it.refused(way) if case.word in p.message]
    assert [(p.file, case.line in it.line(p)) for p in refused] == [(case.file, True)], it.refused(way)
    assert "physics may not use " in refused[0].message
    assert (refused[0].hint or "").startswith(
        f"{case.thing} that {FLEET}:8 allows: {case.another}; {FLEET} is a platform administrator's to change"
    )


@every_way
@every_case
def test_a_list_that_is_left_out_allows_nothing(case: Case, way: str) -> None:
    it = world(case.files, fleet(entry("physics", **{case.thing: []}), entry("biology")))
    refused = it.refused(way)
    assert refused
    assert {(p.hint or "").startswith(f"{case.thing} that {FLEET}:7 allows: none; ") for p in refused} == {True}


@every_way
@every_case
def test_whom_no_entry_names_may_use_nothing_of_it(case: Case, way: str) -> None:
    for policy in (fleet(), fleet(entry("physic")), fleet(entry("physics-*"), entry("Physics"))):
        it = world(case.files, policy)
        refused = {p for p in it.refused(way) if p.file != OTHER}
        assert refused
        assert {"names the cluster 'physics'" in (p.hint or "") for p in refused} == {True}


@every_way
@every_case
def test_without_a_policy_everything_is_as_it_was(case: Case, way: str) -> None:
    for policy in (None, fleet().replace("tenants:\n      []", "freezes: []")):
        assert world(case.files, policy).refused(way) == _unopened(case, way)


def _unopened(case: Case, way: str) -> tuple[object, ...]:
    """Where nothing is decrypted, a cluster's own encrypted file can't be read: it was so before there was a policy."""
    it = world(case.files, None)
    return it.refused(way) if case.file == OWN and not case.line and way == "validated" else ()


@pytest.mark.parametrize("way", ["planned", "followed"])
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.thing == "secrets"])
def test_what_is_not_allowed_is_not_even_opened(name: str, way: str) -> None:
    case = CASES[name]
    it = world(case.files, fleet(entry("physics", secrets=[case.another]), entry("biology", secrets=[])))
    assert it.refused(way)
    assert it.opened == []
    it = world(case.files, fleet(entry("physics", secrets=[case.allowed]), entry("biology", secrets=[])))
    assert it.refused(way) == ()
    assert it.opened, "the canary: what is allowed is opened"
