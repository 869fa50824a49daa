"""The Kubernetes port's apply and prune against a real API server with its controllers, and kwok for kubelets."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.kubernetes import KubernetesApi
from reconciler.errors import Permanent, ReconcilerError

from .objects import IMAGE, KINDS, Spoken, all_equal, backend, config, definition, deployment, known, kubectl

pytestmark = pytest.mark.live


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


def test_what_the_server_says_of_a_secret_is_not_repeated(api: KubernetesApi, namespace: str) -> None:
    """Its own words hold the value, where that is of another type than it wants."""
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": namespace}}
    api.apply(namespace, [space, {**secret, "stringData": {"port": "1"}}], Spoken())
    for data, field in (({"data": {"port": 739018465}}, "data.port"), ({"data": {"port": "canary 739018465"}}, "")):
        with pytest.raises(ReconcilerError) as caught:
            api.apply(namespace, [{**secret, **data}], Spoken())
        assert f"Secret {namespace}/s: the server refuses it" in caught.value.message
        assert field in caught.value.message
        found = api.compare(namespace, [{**secret, **data}], KINDS)
        for said in (caught.value.message, str(caught.value.hint), str(caught.value.evidence), repr(found)):
            assert "739018465" not in said
            assert "canary" not in said
