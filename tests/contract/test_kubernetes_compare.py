"""The Kubernetes port's comparison against a real API server: what it says, and what it asks for."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.kubernetes import KubernetesApi
from reconciler.errors import Permanent
from reconciler.model.resource import Known
from tests.slowness import burden

from .objects import IMAGE, KINDS, Requests, Spoken, all_equal, backend, config, definition, known, kubectl, of_kind

pytestmark = pytest.mark.live


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


def test_a_hundred_objects_are_compared_in_a_moment(
    kube: Path, namespace: str, tmp_path: Path, record_testsuite_property: Callable[[str, object], None]
) -> None:
    api = KubernetesApi(kube, cache=tmp_path / "equal.json")
    manifests: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        *(config(namespace, f"c{n}", {"n": str(n)}) for n in range(99)),
    ]
    api.apply(namespace, manifests, Spoken())

    slow, started = burden(), time.perf_counter()
    first = api.compare(namespace, manifests, KINDS)
    dry = time.perf_counter()
    again = api.compare(namespace, manifests, KINDS)
    cached = time.perf_counter()

    assert all_equal(first.live, first.expected)
    assert again == first
    record_testsuite_property("seconds with dry runs", round(dry - started, 3))
    record_testsuite_property("seconds without", round(cached - dry, 3))
    assert (dry - started) / slow < 5
    assert (cached - dry) / slow < 0.5


def test_a_kind_without_namespaces_takes_what_git_puts_in_one(kube: Path, api: KubernetesApi, namespace: str) -> None:
    """Its definition may be somebody else's, so that git can't know."""
    group = f"{namespace}.example.org"
    crd = definition(group)
    api.apply(namespace, [{**crd, "spec": {**crd["spec"], "scope": "Cluster"}}], Spoken())
    thing = {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "a", "namespace": namespace}}

    (missing,) = api.compare(namespace, [thing], []).expected
    api.apply(namespace, [thing], Spoken())
    found = api.compare(namespace, [thing], [])

    assert missing.name == "a"
    assert all_equal(found.live, found.expected)
    placed = {**thing, "metadata": {"name": "a"}}
    assert api.compare(namespace, [placed], []) == found
    api.prune([known(found.live, "Thing")["a"]])
    assert not known(api.compare(namespace, [], [of_kind(f"{group}/v1/Thing")]).live, "Thing")
    kubectl(kube, "delete", "crd", f"things.{group}")
