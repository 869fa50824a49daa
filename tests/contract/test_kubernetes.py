"""The Kubernetes port against a real API server, controller manager and scheduler, with kwok for the kubelets."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.adapters.kubernetes import KubernetesApi
from reconciler.adapters.kubernetes.connection import Connection
from reconciler.errors import Permanent, Transient
from reconciler.model.resource import Known, Listing, Resource, Unknown
from reconciler.ports import Task

pytestmark = pytest.mark.live

IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.53"
KINDS = ("v1/ConfigMap", "v1/Secret", "v1/Service", "apps/v1/Deployment", "v1/Namespace")


class Spoken:
    """Progress that remembers what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.done = 0.0

    def log(self, text: str) -> None:
        self.said.append(text)

    @contextlib.contextmanager
    def task(self, title: str) -> Iterator[Task]:
        self.said.append(title)
        yield self

    def total(self, units: float) -> None:
        self.units = units

    def advance(self, units: float = 1) -> None:
        self.done += units

    def status(self, text: str) -> None:
        self.said.append(text)


class Requests:
    """Counts what really goes to the server."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[tuple[str, str, Mapping[str, str]]] = []
        real = Connection.request

        def counted(connection: Connection, method: str, path: str, **rest: Any) -> Any:
            self.seen.append((method, path, rest.get("query") or {}))
            return real(connection, method, path, **rest)

        monkeypatch.setattr(Connection, "request", counted)

    @property
    def dry_runs(self) -> int:
        return sum(query.get("dryRun") == "All" for _, _, query in self.seen)


@pytest.fixture
def api(kube: Path) -> KubernetesApi:
    return KubernetesApi(kube, wait=60)


@pytest.fixture
def part_of() -> str:
    return f"test-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def namespace(kube: Path, part_of: str) -> Iterator[str]:
    """The namespace's name, and the ApplySet's: each test has one of its own, made by the manifests."""
    yield part_of
    kubectl(kube, "delete", "namespace", part_of, "--ignore-not-found", "--wait=false")


def kubectl(kube: Path, *args: str, stdin: object = None) -> str:
    command = ["kubectl", "--kubeconfig", str(kube), *args]
    text = None if stdin is None else json.dumps(stdin)
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def backend(namespace: str, image: str = IMAGE) -> list[dict[str, Any]]:
    labels = {"app.kubernetes.io/name": "backend"}
    container = {"name": "web", "image": image, "ports": [{"containerPort": 8080}]}
    return [
        deployment(namespace, "backend", 2, labels, container),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "backend", "namespace": namespace},
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
        },
        config(namespace, "settings", {"LOG": "info"}),
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "login", "namespace": namespace},
            "stringData": {"password": "correct horse"},
        },
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
    ]


def config(namespace: str, name: str, data: Mapping[str, str]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}


def deployment(
    namespace: str, name: str, replicas: int, labels: Mapping[str, str], container: Mapping[str, Any], **pod: Any
) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": dict(labels)},
            "template": {"metadata": {"labels": dict(labels)}, "spec": {"containers": [dict(container)], **pod}},
        },
    }


def known(live: Mapping[str, Listing], kind: str) -> dict[str, Resource]:
    listing = live[kind]
    assert isinstance(listing, Known), listing
    return {r.name: r for r in listing.resources}


def all_equal(live: Mapping[str, Listing], expected: Sequence[Resource]) -> bool:
    return all(not e.fields and not known(live, e.kind)[e.name].fields for e in expected)


def test_on_an_empty_cluster_everything_is_expected_and_nothing_live(api: KubernetesApi, namespace: str) -> None:
    found = api.compare(namespace, backend(namespace), KINDS)

    assert {str(e.key) for e in found.expected} == {
        f"Deployment {namespace}/backend",
        f"Service {namespace}/backend",
        f"ConfigMap {namespace}/settings",
        f"Secret {namespace}/login",
        f"Namespace {namespace}",
    }
    assert all(not known(found.live, kind) for kind in ("Deployment", "Service", "ConfigMap", "Secret", "Namespace"))
    made = next(e for e in found.expected if e.kind == "Deployment")
    assert made.fields["spec.template.spec.containers[web].image"] == IMAGE
    assert "correct" not in repr(found)


def test_applied_is_equal_and_the_second_look_asks_for_no_dry_run(
    kube: Path, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests, progress = backend(namespace), Spoken()
    api = KubernetesApi(kube, wait=60, cache=tmp_path / "cache" / "equal.json")
    api.apply(namespace, manifests, progress)
    assert progress.done == len(manifests)
    assert any("Deployment" in text and "/2" in text for text in progress.said)

    requests = Requests(monkeypatch)
    first = api.compare(namespace, manifests, KINDS)
    assert all_equal(first.live, first.expected)
    assert requests.dry_runs == len(manifests)

    again = KubernetesApi(kube, cache=tmp_path / "cache" / "equal.json").compare(namespace, manifests, KINDS)
    assert all_equal(again.live, again.expected)
    assert requests.dry_runs == len(manifests)
    assert again == first


def test_an_image_changed_by_hand_is_one_field(kube: Path, api: KubernetesApi, namespace: str) -> None:
    api.apply(namespace, backend(namespace), Spoken())
    kubectl(kube, "set", "image", "-n", namespace, "deployment/backend", "web=nginx:latest")

    found = api.compare(namespace, backend(namespace), KINDS)

    image = "spec.template.spec.containers[web].image"
    expected = {e.kind: e.fields for e in found.expected}
    assert expected.pop("Deployment") == {image: IMAGE}
    assert not any(expected.values())
    assert known(found.live, "Deployment")[f"{namespace}/backend"].fields == {image: "nginx:latest"}
    api.apply(namespace, backend(namespace), Spoken())
    found = api.compare(namespace, backend(namespace), KINDS)
    assert all_equal(found.live, found.expected)


def test_a_secret_changed_by_hand_differs_without_being_told(kube: Path, api: KubernetesApi, namespace: str) -> None:
    api.apply(namespace, backend(namespace), Spoken())
    changed = base64.b64encode(b"hunter2").decode()
    kubectl(kube, "patch", "secret", "login", "-n", namespace, "-p", json.dumps({"data": {"password": changed}}))

    found = api.compare(namespace, backend(namespace), KINDS)

    assert next(e for e in found.expected if e.kind == "Secret").fields == {"data.password": "(hidden)"}
    assert known(found.live, "Secret")[f"{namespace}/login"].fields == {"data.password": "(hidden, differs)"}
    assert changed not in repr(found)


def test_what_git_no_longer_asks_for_is_live_only_and_pruned_by_uid(
    kube: Path, api: KubernetesApi, namespace: str
) -> None:
    extra = config(namespace, "forgotten", {"a": "b"})
    api.apply(namespace, [*backend(namespace), extra], Spoken())

    found = api.compare(namespace, backend(namespace), KINDS)
    left = known(found.live, "ConfigMap")[f"{namespace}/forgotten"]
    assert left.id
    assert left.key not in {e.key for e in found.expected}
    assert set(known(found.live, "ConfigMap")) == {f"{namespace}/forgotten", f"{namespace}/settings"}

    kubectl(kube, "delete", "configmap", "forgotten", "-n", namespace)
    kubectl(kube, "create", "configmap", "forgotten", "-n", namespace)  # a namesake with another uid
    api.prune([left])
    assert kubectl(kube, "get", "configmap", "forgotten", "-n", namespace, "-o", "name")

    api.apply(namespace, [*backend(namespace), extra], Spoken())
    found = api.compare(namespace, backend(namespace), KINDS)
    left = known(found.live, "ConfigMap")[f"{namespace}/forgotten"]
    api.prune([left])
    api.prune([left])  # gone already is success
    assert not kubectl(kube, "get", "configmap", "forgotten", "-n", namespace, "--ignore-not-found")


def test_prune_finds_kinds_of_any_group(kube: Path, namespace: str, api: KubernetesApi) -> None:
    api.apply(namespace, backend(namespace), Spoken())
    found = api.compare(namespace, [], KINDS)

    fresh = KubernetesApi(kube, wait=60)  # knows no kind yet
    fresh.prune([known(found.live, "Deployment")[f"{namespace}/backend"]])

    assert not known(api.compare(namespace, [], KINDS).live, "Deployment")


def test_deleted_by_hand_is_absent(kube: Path, api: KubernetesApi, namespace: str) -> None:
    api.apply(namespace, backend(namespace), Spoken())
    kubectl(kube, "delete", "service", "backend", "-n", namespace)

    found = api.compare(namespace, backend(namespace), KINDS)

    assert not known(found.live, "Service")
    assert next(e for e in found.expected if e.kind == "Service").fields["spec.selector.app.kubernetes.io/name"]
    assert set(known(found.live, "Deployment")) == {f"{namespace}/backend"}


def test_an_object_without_our_label_is_ours_to_take_over_not_absent(
    kube: Path, api: KubernetesApi, namespace: str
) -> None:
    api.apply(namespace, backend(namespace), Spoken())
    kubectl(kube, "label", "configmap", "settings", "-n", namespace, "applyset.kubernetes.io/part-of-")

    found = api.compare(namespace, backend(namespace), KINDS)

    label = "metadata.labels.applyset.kubernetes.io/part-of"
    assert next(e for e in found.expected if e.kind == "ConfigMap").fields == {label: namespace}
    assert known(found.live, "ConfigMap")[f"{namespace}/settings"].fields == {label: None}


def test_a_cluster_that_does_not_answer_is_unknown_never_empty(kube: Path, tmp_path: Path) -> None:
    silent = KubernetesApi(_redirected(kube, tmp_path, f"https://127.0.0.1:{_closed_port()}"))

    found = silent.compare("any", backend("any"), KINDS)
    assert len(found.live) == 5
    assert all(isinstance(listing, Unknown) for listing in found.live.values())
    nodes = silent.nodes()
    assert isinstance(nodes, Unknown)
    assert "127.0.0.1" in nodes.reason
    assert nodes.hint
    with pytest.raises(Transient, match="does not answer"):
        silent.apply("any", backend("any"), Spoken())


def test_a_cluster_that_hangs_is_unknown_within_the_timeout(kube: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"https://127.0.0.1:{deaf.getsockname()[1]}"
        started = time.monotonic()
        nodes = KubernetesApi(_redirected(kube, tmp_path, url), timeout=1).nodes()
    assert isinstance(nodes, Unknown)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("content", [None, "", "[]", "{a: b", "clusters: []\ncurrent-context: none"])
def test_a_bad_kubeconfig_is_unknown_with_a_hint(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_text(content)
    nodes = KubernetesApi(path).nodes()
    assert isinstance(nodes, Unknown)
    assert str(path) in nodes.reason
    assert nodes.hint


def test_a_wrong_token_is_unknown_and_permanent(kube: Path, tmp_path: Path) -> None:
    config_ = yaml.safe_load(kube.read_text())
    config_["users"][0]["user"] = {"token": "wrong"}
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config_))

    nodes = KubernetesApi(path).nodes()
    assert isinstance(nodes, Unknown)
    assert "credentials" in nodes.reason
    with pytest.raises(Permanent, match="credentials"):
        KubernetesApi(path).apply("any", backend("any"), Spoken())


def test_a_kind_the_server_does_not_have(api: KubernetesApi, namespace: str) -> None:
    route = {
        "apiVersion": "nowhere.example.org/v1",
        "kind": "Nothing",
        "metadata": {"name": "x", "namespace": namespace},
    }
    found = api.compare(namespace, [route], ())
    assert found.live == {"Nothing": Known(())}
    assert [e.name for e in found.expected] == [f"{namespace}/x"]
    with pytest.raises(Permanent, match="no kind Nothing"):
        api.apply(namespace, [route], Spoken())


def test_a_definition_and_its_objects_in_one_apply(kube: Path, api: KubernetesApi, namespace: str) -> None:
    group = f"{namespace}.example.org"
    thing = {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "one", "namespace": namespace}}
    manifests = [
        thing | {"spec": {"size": 1}},
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        definition(group),
    ]
    try:
        api.apply(namespace, manifests, Spoken())
        found = api.compare(namespace, manifests, ())
        assert all_equal(found.live, found.expected)
        assert set(known(found.live, "Thing")) == {f"{namespace}/one"}
    finally:
        kubectl(kube, "delete", "crd", f"things.{group}", "--ignore-not-found")


def definition(group: str) -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "Thing", "plural": "things", "singular": "thing"},
            "versions": [version],
        },
    }


def test_a_generated_token_is_made_once_and_never_written_over(kube: Path, api: KubernetesApi, namespace: str) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "access", "namespace": namespace, "annotations": {"research.moc/generate": "token"}},
    }
    manifests = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}, secret]
    look = ("get", "secret", "access", "-n", namespace, "-o", "jsonpath={.data.token}")

    api.apply(namespace, manifests, Spoken())
    token = kubectl(kube, *look)
    assert len(base64.b64decode(token)) >= 32
    api.apply(namespace, manifests, Spoken())
    assert kubectl(kube, *look) == token

    found = api.compare(namespace, manifests, ())
    assert all_equal(found.live, found.expected)
    assert token not in repr(found)
    kubectl(kube, "delete", "secret", "access", "-n", namespace)
    assert not known(api.compare(namespace, manifests, ()).live, "Secret")


def test_a_field_that_can_not_be_changed_is_a_difference_and_says_so(api: KubernetesApi, namespace: str) -> None:
    def job(image: str) -> list[dict[str, Any]]:
        template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "work", "image": image}]}}
        return [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "metadata": {"name": "once", "namespace": namespace},
                "spec": {"suspend": True, "template": template},
            },
        ]

    api.apply(namespace, job("busybox:1.36"), Spoken())
    found = api.compare(namespace, job("busybox:1.37"), ())

    image = "spec.template.spec.containers[work].image"
    assert {e.kind: e.fields for e in found.expected} == {"Namespace": {}, "Job": {image: "busybox:1.37"}}
    assert known(found.live, "Job")[f"{namespace}/once"].fields == {image: "busybox:1.36"}
    with pytest.raises(Permanent, match=f"Job {namespace}/once: .*immutable") as refused:
        api.apply(namespace, job("busybox:1.37"), Spoken())
    assert refused.value.hint
    assert "in place" in refused.value.hint


def test_a_mistake_in_a_manifest_is_named(api: KubernetesApi, namespace: str) -> None:
    manifests = backend(namespace)
    api.apply(namespace, manifests, Spoken())
    manifests[0]["spec"]["template"]["spec"]["containers"][0]["imagge"] = "x"
    found = api.compare(namespace, manifests, ())
    assert next(e for e in found.expected if e.kind == "Deployment").fields
    with pytest.raises(Permanent, match=f"Deployment {namespace}/backend: .*imagge"):
        api.apply(namespace, manifests, Spoken())


def test_a_namespace_nobody_made_is_named(api: KubernetesApi, namespace: str) -> None:
    with pytest.raises(Permanent, match=f"ConfigMap {namespace}/settings: .*not found") as missing:
        api.apply(namespace, [config(namespace, "settings", {})], Spoken())
    assert "Namespace" in (missing.value.hint or "")


def test_the_deadline_names_object_pod_and_reason(kube: Path, namespace: str) -> None:
    container = {"name": "web", "image": IMAGE}
    nowhere = deployment(namespace, "stuck", 1, {"app": "stuck"}, container, nodeSelector={"nowhere": "true"})
    manifests = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}, nowhere]
    with pytest.raises(
        Permanent,
        match=rf"Deployment {namespace}/stuck is not healthy after 2 s \(0/1\): pod stuck-\S+: Unschedulable: ",
    ) as late:
        KubernetesApi(kube, wait=2).apply(namespace, manifests, Spoken())
    assert "kubectl" in (late.value.hint or "")
    with pytest.raises(Permanent, match=rf"Deployment {namespace}/stuck is not healthy after 2 s"):
        KubernetesApi(kube, wait=2).settle(namespace, manifests, Spoken())


def test_what_is_healthy_is_not_waited_for_and_what_is_not_there_is_named(
    kube: Path, api: KubernetesApi, namespace: str
) -> None:
    there = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    api.apply(namespace, [there], Spoken())
    api.settle(namespace, [there], Spoken())
    with pytest.raises(Permanent, match=f"ConfigMap {namespace}/lost"):
        api.settle(namespace, [there, config(namespace, "lost", {})], Spoken())


def test_nodes_are_what_the_cluster_says_they_are(api: KubernetesApi) -> None:
    listing = api.nodes()
    assert isinstance(listing, Known)
    node = next(n for n in listing.resources if n.fields["ready"])
    assert node.kind == "node"
    assert node.id
    assert node.fields["labels.kubernetes.io/hostname"] == node.name
    assert str(node.fields["version"])[0].isdigit()


def test_labels_taints_and_provider_id_of_a_node_and_nothing_else_of_it(
    kube: Path, api: KubernetesApi, part_of: str
) -> None:
    theirs = {"key": "node.cloudprovider.kubernetes.io/uninitialized", "effect": "NoSchedule"}
    labels = {"keep": "me", "drop": "me"}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": part_of, "labels": labels}}
    kubectl(kube, "apply", "-f", "-", stdin=node | {"spec": {"taints": [theirs]}})
    try:
        wanted = {
            "labels.group": "worker",
            "labels.drop": None,
            "taints": ("a=:NoExecute", "b=1:PreferNoSchedule"),
            "provider_id": "openstack:///one",
        }
        api.label_nodes([Resource("node", part_of, wanted)])
        now = _node(api, part_of).fields
        assert (now["labels.group"], now["labels.keep"]) == ("worker", "me")
        assert "labels.drop" not in now
        assert now["taints"] == wanted["taints"]
        assert now["provider_id"] == "openstack:///one"
        assert theirs["key"] in kubectl(kube, "get", "node", part_of, "-o", "jsonpath={.spec.taints[*].key}")

        api.label_nodes([Resource("node", part_of, {"labels.group": "gpu", "provider_id": "openstack:///two"})])
        after = _node(api, part_of).fields
        assert after["labels.group"] == "gpu"
        assert after["taints"] == wanted["taints"]
        assert after["provider_id"] == "openstack:///one"  # Kubernetes lets it be set once
    finally:
        kubectl(kube, "delete", "node", part_of, "--wait=false")


def test_a_node_that_has_not_joined_is_named(api: KubernetesApi) -> None:
    with pytest.raises(Transient, match="node nobody has not joined"):
        api.label_nodes([Resource("node", "nobody", {})])


def test_the_version_is_a_version(api: KubernetesApi) -> None:
    assert api.server_version().split(".")[0] == "1"


def test_a_hundred_objects_are_compared_in_a_moment(
    kube: Path, namespace: str, tmp_path: Path, record_testsuite_property: Callable[[str, object], None]
) -> None:
    api = KubernetesApi(kube, cache=tmp_path / "equal.json")
    manifests: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        *(config(namespace, f"c{n}", {"n": str(n)}) for n in range(99)),
    ]
    api.apply(namespace, manifests, Spoken())

    started = time.perf_counter()
    first = api.compare(namespace, manifests, KINDS)
    dry = time.perf_counter()
    again = api.compare(namespace, manifests, KINDS)
    cached = time.perf_counter()

    assert all_equal(first.live, first.expected)
    assert again == first
    record_testsuite_property("seconds with dry runs", round(dry - started, 3))
    record_testsuite_property("seconds without", round(cached - dry, 3))
    assert dry - started < 5
    assert cached - dry < 0.5


def _node(api: KubernetesApi, name: str) -> Resource:
    listing = api.nodes()
    assert isinstance(listing, Known)
    return next(n for n in listing.resources if n.name == name)


def _redirected(kube: Path, folder: Path, server: str) -> Path:
    config_ = yaml.safe_load(kube.read_text())
    for entry in config_["clusters"]:
        entry["cluster"]["server"] = server
    path = folder / "elsewhere"
    path.write_text(yaml.safe_dump(config_))
    return path


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
