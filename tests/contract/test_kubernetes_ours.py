"""What is ours is what we applied, never what bears our label; and what somebody else holds is not waited for: on a
real API server with its controllers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.kubernetes import KubernetesApi
from reconciler.adapters.kubernetes.connection import MERGE_PATCH, Connection
from reconciler.engine.diff import diff
from reconciler.engine.ignore import ignored
from reconciler.errors import Transient
from reconciler.model.change import Action, Class, Difference
from reconciler.model.desired import Ignore
from reconciler.model.resource import Component, Expected, Key, Observed
from reconciler.ports import Comparison
from reconciler.spec.render import objects

from .objects import IMAGE, Spoken, all_equal, backend, config, deployment, known, kubectl, of_kind

pytestmark = pytest.mark.live

WORKLOADS = Component.WORKLOADS


@pytest.fixture
def connection(kube: Path) -> Connection:
    return Connection(kube, None, 20)


def _space(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _differences(found: Comparison) -> tuple[Difference, ...]:
    expected = Expected({WORKLOADS: found.expected})
    return diff(expected, Expected({}), Observed({WORKLOADS: found.live}))


def _until(true: Callable[[], object], seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until
        time.sleep(0.1)


def _database(namespace: str) -> list[dict[str, Any]]:
    """A Service without selector and its Endpoints, as one writes them for what is outside the cluster."""
    metadata = {"name": "database", "namespace": namespace}
    subset = {"addresses": [{"ip": "192.0.2.10"}], "ports": [{"port": 5432}]}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": 5432}]}},
        {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": [subset]},
    ]


def test_endpoints_that_a_controller_labelled_like_their_service_are_not_ours(
    kube: Path, api: KubernetesApi, connection: Connection, namespace: str
) -> None:
    manifests = [*backend(namespace), *_database(namespace)]
    api.apply(namespace, manifests, Spoken())
    theirs = f"/api/v1/namespaces/{namespace}/endpoints/backend"
    _until(lambda: "applyset.kubernetes.io/part-of" in connection.get(theirs)["metadata"].get("labels", {}))

    found = api.compare(namespace, manifests, [of_kind("discovery.k8s.io/v1/EndpointSlice")])
    assert all_equal(found.live, found.expected)
    assert set(known(found.live, "Endpoints")) == {f"{namespace}/database"}
    assert not known(found.live, "EndpointSlice"), "what mirrors ours bears our label too"
    assert _differences(found) == ()


@pytest.mark.parametrize("books", ["false", "true"], ids=["as kubectl writes it", "with the server's books"])
def test_a_copy_somebody_made_is_theirs(kube: Path, api: KubernetesApi, namespace: str, books: str) -> None:
    api.apply(namespace, [_space(namespace), config(namespace, "settings", {"a": "1"})], Spoken())
    shown = kubectl(kube, "get", "cm", "settings", f"-n={namespace}", "-o=json", f"--show-managed-fields={books}")
    copy = json.loads(shown)
    copy["metadata"] |= {"name": "mine"}
    for field in ("uid", "resourceVersion", "creationTimestamp"):
        del copy["metadata"][field]
    kubectl(kube, "create", "-f", "-", stdin=copy)

    kinds = [of_kind("v1/ConfigMap")]
    assert set(known(api.compare(namespace, [_space(namespace)], kinds).live, "ConfigMap")) == {f"{namespace}/settings"}


def test_what_we_applied_is_ours_without_any_record(api: KubernetesApi, namespace: str) -> None:
    """The record of what was applied may be lost; nothing says of what kinds it was but another of that kind."""
    api.apply(namespace, [_space(namespace), config(namespace, "a", {}), config(namespace, "b", {"x": "1"})], Spoken())
    found = api.compare(namespace, [_space(namespace), config(namespace, "a", {})], ())
    (extra,) = _differences(found)
    assert (extra.key.name, extra.cls, extra.action) == (f"{namespace}/b", Class.UNMANAGED, Action.DELETE)
    api.prune([known(found.live, "ConfigMap")[f"{namespace}/b"]])
    assert set(known(api.compare(namespace, [], [of_kind("v1/ConfigMap")]).live, "ConfigMap")) == {f"{namespace}/a"}


@pytest.fixture
def held(kube: Path, connection: Connection, namespace: str) -> Iterator[tuple[dict[str, Any], str]]:
    """An object with a finalizer that nobody takes off, until the test is over; and its path."""
    made = config(namespace, "held", {})
    made["metadata"]["finalizers"] = ["example.org/cleanup", "example.org/archive"]
    path = f"/api/v1/namespaces/{namespace}/configmaps/held"
    yield made, path
    connection.request("PATCH", path, body={"metadata": {"finalizers": None}}, content_type=MERGE_PATCH)


def test_what_a_finalizer_holds_is_named_and_not_waited_for_again(
    kube: Path, namespace: str, held: tuple[dict[str, Any], str], connection: Connection
) -> None:
    made, path = held
    kinds = [of_kind("v1/ConfigMap")]
    api = KubernetesApi(kube, wait=1)
    api.apply(namespace, [_space(namespace), made, config(namespace, "free", {})], Spoken())
    doomed = list(known(api.compare(namespace, [_space(namespace)], kinds).live, "ConfigMap").values())
    assert len(doomed) == 2

    with pytest.raises(Transient) as caught:
        api.prune(doomed)
    since = connection.get(path)["metadata"]["deletionTimestamp"]
    words = f"is being deleted since {since}, held by its finalizers example.org/archive, example.org/cleanup"
    assert caught.value.message == f"ConfigMap {namespace}/held {words}", "the other one is gone"

    found = api.compare(namespace, [_space(namespace)], kinds)
    (left,) = _differences(found)
    assert left.action is Action.NONE, "nothing is to be done about it"
    assert words in left.why
    started = time.monotonic()
    with pytest.raises(Transient, match=r"example\.org/cleanup"):
        KubernetesApi(kube, wait=300).prune(list(known(found.live, "ConfigMap").values()))
    assert time.monotonic() - started < 20, "it was waited for once"


def test_an_aggregated_api_without_backend_keeps_nothing_from_being_pruned(
    kube: Path, api: KubernetesApi, connection: Connection, namespace: str
) -> None:
    """Also where nobody says of which group the object is."""
    group = f"{namespace}.example.org"
    service = {"name": "nobody", "namespace": "default"}
    down = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"v1.{group}"},
        "spec": {
            "group": group,
            "version": "v1",
            "insecureSkipTLSVerify": True,
            "groupPriorityMinimum": 20000,
            "versionPriority": 1,
            "service": service,
        },
    }
    api.apply(namespace, [_space(namespace), config(namespace, "a", {})], Spoken())
    kubectl(kube, "create", "-f", "-", stdin=down)
    try:
        _until(lambda: group in str(connection.get("/apis")))
        found = api.compare(namespace, [_space(namespace)], [of_kind("v1/ConfigMap")])
        (doomed,) = known(found.live, "ConfigMap").values()
        assert doomed.type == "v1/ConfigMap"
        KubernetesApi(kube, wait=10).prune([doomed])
        api.apply(namespace, [config(namespace, "a", {})], Spoken())
        found = api.compare(namespace, [_space(namespace)], [of_kind("v1/ConfigMap")])
        (again,) = known(found.live, "ConfigMap").values()
        KubernetesApi(kube, wait=10).prune([replace(again, type="")])
        assert not known(api.compare(namespace, [], [of_kind("v1/ConfigMap")]).live, "ConfigMap")
    finally:
        kubectl(kube, "delete", "apiservice", f"v1.{group}", "--ignore-not-found")


def _roles(prefix: str) -> list[dict[str, Any]]:
    """As Kubernetes' own documents show an aggregated role."""
    api, label = "rbac.authorization.k8s.io/v1", f"{prefix}.example.org/to-all-views"
    selector = {"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]}
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]
    named = {"name": f"{prefix}-all-views"}
    return [
        {"apiVersion": api, "kind": "ClusterRole", "metadata": named, "aggregationRule": selector, "rules": []},
        {
            "apiVersion": api,
            "kind": "ClusterRole",
            "metadata": {"name": f"{prefix}-pods", "labels": {label: "true"}},
            "rules": rules,
        },
    ]


def test_the_rules_of_an_aggregated_role_are_the_controllers(
    kube: Path, api: KubernetesApi, connection: Connection, namespace: str
) -> None:
    roles = _roles(namespace)
    path = f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{namespace}-all-views"
    try:
        api.apply(namespace, roles, Spoken())
        _until(lambda: connection.get(path).get("rules"))
        rules = connection.get(path)["rules"]
        for _ in range(2):
            found = api.compare(namespace, roles, ())
            assert all_equal(found.live, found.expected)
            api.apply(namespace, roles, Spoken())
        assert connection.get(path)["rules"] == rules
    finally:
        kubectl(kube, "delete", "clusterrole", f"{namespace}-all-views", f"{namespace}-pods", "--ignore-not-found")


def _policy(namespace: str, **labels: str) -> dict[str, Any]:
    ports = [{"protocol": "TCP", "port": 8000}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "web", "namespace": namespace, "labels": labels},
        "spec": {
            "podSelector": {"matchLabels": {"app": "web"}},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}], "ports": ports}],
        },
    }


def _role(namespace: str, **labels: str) -> dict[str, Any]:
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    metadata = {"name": "reader", "namespace": namespace, "labels": labels}
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules}


def _web(namespace: str, **labels: str) -> dict[str, Any]:
    container = {"name": "web", "image": IMAGE, "args": ["serve"]}
    made = deployment(namespace, "web", 0, {"app": "x"}, container)
    return made | {"metadata": {**made["metadata"], "labels": labels}}


_PORT = [{"op": "replace", "path": "/spec/ingress/0/ports/0/port", "value": 8888}]
_CIDR = [{"op": "replace", "path": "/spec/ingress/0/from/0/ipBlock/cidr", "value": "198.51.100.0/24"}]
_VERBS = [{"op": "replace", "path": "/rules/0/verbs", "value": ["get", "list"]}]
_ARGS = [{"op": "replace", "path": "/spec/template/spec/containers/0/args", "value": ["serve", "-v"]}]
_SELECTOR = [{"op": "replace", "path": "/spec/podSelector/matchLabels/app", "value": "other"}]
_IMAGE = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "other:1"}]


@pytest.mark.parametrize(
    ("make", "kind", "patch", "field"),
    [
        (_policy, "networkpolicy", _PORT, "spec.ingress*port"),
        (_policy, "networkpolicy", _PORT, "spec.ingress[0].ports[0].port"),
        (_policy, "networkpolicy", _CIDR, "spec.ingress*cidr"),
        (_policy, "networkpolicy", _SELECTOR, "spec.podSelector.matchLabels.app"),
        (_role, "role", _VERBS, "rules[0].verbs"),
        (_web, "deployment", _ARGS, "spec.template.spec.containers[web].args"),
        (_web, "deployment", _IMAGE, "spec.template.spec.containers[web].image"),
    ],
    ids=["port", "port by its place", "cidr", "selector", "verbs", "args", "image"],
)
def test_an_ignored_field_keeps_its_live_value_whatever_it_lies_in(
    kube: Path,
    api: KubernetesApi,
    namespace: str,
    make: Callable[..., dict[str, Any]],
    kind: str,
    patch: list[dict[str, Any]],
    field: str,
) -> None:
    was, now = make(namespace), make(namespace, tier="new")
    name = was["metadata"]["name"]
    api.apply(namespace, [_space(namespace), was], Spoken())
    kubectl(kube, "patch", kind, name, "-n", namespace, "--type=json", "-p", json.dumps(patch))
    spec = json.loads(kubectl(kube, "get", kind, name, "-n", namespace, "-o", "json"))
    rule = Ignore(component="workloads", resource=f"* {namespace}/{name}", field=field)

    def left() -> list[Difference]:
        seen = ignored(_differences(api.compare(namespace, [_space(namespace), now], ())), [rule])
        fields.update(d.field for d in seen if d.cls is Class.IGNORED)
        return [d for d in seen if d.cls is not Class.IGNORED]

    fields: set[str] = set()
    assert [d.field for d in left()] == ["metadata.labels.tier"]
    (manifest,) = api.left_alone([now], {objects.key(now): fields})
    api.apply(namespace, [manifest], Spoken())
    assert left() == []
    after = json.loads(kubectl(kube, "get", kind, name, "-n", namespace, "-o", "json"))
    assert after["metadata"]["labels"]["tier"] == "new"
    for part in ("spec", "rules"):
        assert after.get(part) == spec.get(part)


def test_a_value_that_git_changes_and_a_rule_leaves_alone_stays(
    api: KubernetesApi, connection: Connection, namespace: str
) -> None:
    """Nobody owns it but us: not to send it would be to delete it."""
    was, now = _web(namespace), _web(namespace, tier="new")
    now["spec"]["template"]["spec"]["containers"][0] |= {"image": "other:1", "args": ["other"]}
    api.apply(namespace, [_space(namespace), was], Spoken())
    fields = {f"spec.template.spec.containers[web].{name}" for name in ("image", "args")}
    api.apply(namespace, list(api.left_alone([now], {objects.key(now): fields})), Spoken())
    live = connection.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/web")
    (container,) = live["spec"]["template"]["spec"]["containers"]
    assert (container["image"], container["args"]) == (IMAGE, ["serve"])
    assert live["metadata"]["labels"]["tier"] == "new"


def test_what_is_not_there_has_no_live_value_to_keep(api: KubernetesApi, namespace: str) -> None:
    made = config(namespace, "new", {"a": "1"})
    assert api.left_alone([made], {Key("ConfigMap", f"{namespace}/new"): {"data.a"}}) == (made,)
