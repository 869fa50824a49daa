"""Who else owns a field is told, and what another applier owns is not taken: on a real API server."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.kubernetes import KubernetesApi
from reconciler.adapters.kubernetes.connection import APPLY_PATCH, MERGE_PATCH, Connection
from reconciler.errors import Transient
from reconciler.model.resource import Known, Owner
from reconciler.ports import Allowance, Comparison
from reconciler.spec.render import objects

from .objects import IMAGE, Requests, Spoken, all_equal, config, deployment, known, kubectl

pytestmark = pytest.mark.live

HELM = Owner("helm", applies=True)


@pytest.fixture
def connection(kube: Path) -> Connection:
    return Connection(kube, None, 20)


def _space(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _theirs(connection: Connection, manifest: dict[str, Any], path: str, manager: str = "helm") -> None:
    query = {"fieldManager": manager, "force": "true"}
    connection.request("PATCH", path, query=query, body=manifest, content_type=APPLY_PATCH)


def _owners(found: Comparison, kind: str, name: str) -> dict[str, Owner]:
    return dict(known(found.live, kind)[name].owners)


def test_what_another_applier_owns_is_told_and_not_taken(
    api: KubernetesApi, connection: Connection, namespace: str
) -> None:
    mine = config(namespace, "shared", {"a": "1", "b": "1"})
    path = f"/api/v1/namespaces/{namespace}/configmaps/shared"
    api.apply(namespace, [_space(namespace), mine], Spoken())
    _theirs(connection, config(namespace, "shared", {"a": "2"}), path)

    found = api.compare(namespace, [mine], ())
    assert _owners(found, "ConfigMap", f"{namespace}/shared") == {"data.a": HELM}
    with pytest.raises(Transient, match=r"data\.a belongs to helm \(Apply\), and is not taken"):
        api.apply(namespace, [mine], Spoken())
    assert connection.get(path)["data"] == {"a": "2", "b": "1"}

    allowed = Allowance(taking={objects.key(mine): frozenset({HELM})})
    api.apply(namespace, [mine], Spoken(), allowed)
    assert connection.get(path)["data"]["a"] == "1"


def test_what_somebody_typed_is_taken_back_and_said(
    kube: Path, api: KubernetesApi, connection: Connection, namespace: str
) -> None:
    mine = deployment(namespace, "web", 0, {"app": "x"}, {"name": "web", "image": IMAGE})
    api.apply(namespace, [_space(namespace), mine], Spoken())
    kubectl(kube, "set", "image", "-n", namespace, "deployment/web", "web=nginx")
    kubectl(kube, "scale", "-n", namespace, "deployment/web", "--replicas=1")

    owners = _owners(api.compare(namespace, [mine], ()), "Deployment", f"{namespace}/web")
    assert owners["spec.template.spec.containers[web].image"] == Owner("kubectl-set")
    assert owners["spec.replicas"].by_hand
    api.apply(namespace, [mine], Spoken())
    found = api.compare(namespace, [mine], ())
    assert all_equal(found.live, found.expected)


def test_a_spelling_of_the_same_value_takes_nothing_from_anybody(
    api: KubernetesApi, connection: Connection, namespace: str
) -> None:
    def limited(cpu: str, **more: Any) -> dict[str, Any]:
        container = {"name": "web", "image": IMAGE, "resources": {"limits": {"cpu": cpu}}}
        return deployment(namespace, "web", 0, {"app": "x"}, container) | more

    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/web"
    api.apply(namespace, [_space(namespace), limited("1")], Spoken())
    _theirs(connection, limited("1"), path)
    found = api.compare(namespace, [limited("1000m")], ())
    assert all_equal(found.live, found.expected)
    api.apply(namespace, [limited("1000m")], Spoken())


@pytest.mark.parametrize("whose", ["another set's", "another applier's", "nobody's"])
def test_an_object_that_was_there_before_belongs_to_somebody(
    kube: Path, api: KubernetesApi, connection: Connection, namespace: str, whose: str
) -> None:
    api.apply(namespace, [_space(namespace)], Spoken())
    mine, path = config(namespace, "there", {"a": "1"}), f"/api/v1/namespaces/{namespace}/configmaps/there"
    if whose == "another set's":
        KubernetesApi(kube).apply(f"{namespace}-other", [mine], Spoken())
    elif whose == "another applier's":
        _theirs(connection, mine, path)
    else:
        kubectl(kube, "create", "configmap", "there", "-n", namespace, "--from-literal=a=1")

    found = api.compare(namespace, [mine], ())
    listing = found.live["ConfigMap"]
    assert isinstance(listing, Known)
    (there,) = listing.resources
    assert there.fields["metadata.labels.applyset.kubernetes.io/part-of"] != namespace
    owners = set(there.owners.values())
    expected = {
        "another set's": {Owner(f"ApplySet {namespace}-other", applies=True)},
        "another applier's": {HELM},
        "nobody's": set(),
    }
    assert owners == expected[whose]


def test_a_status_that_never_rests_is_no_race_and_costs_no_dry_run(
    kube: Path, connection: Connection, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.adapters.kubernetes.fingerprint.SETTLED_SECONDS", 1)
    web = deployment(namespace, "web", 0, {"app": "x"}, {"name": "web", "image": IMAGE})
    wanted = [_space(namespace), web]
    api = KubernetesApi(kube)
    api.apply(namespace, wanted, Spoken())
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/web/status"
    over, written = threading.Event(), 0

    def write() -> None:
        nonlocal written
        while not over.is_set():
            condition = {"type": "Busy", "status": "True", "message": str(written)}
            connection.request("PATCH", path, body={"status": {"conditions": [condition]}}, content_type=MERGE_PATCH)
            written += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5):
            found = KubernetesApi(kube).compare(namespace, wanted, ())  # remembers nothing
            assert all_equal(found.live, found.expected)
        time.sleep(2.5)  # what was written lately is not told from what is written now
        api.compare(namespace, wanted, ())
        before = written
        requests = Requests(monkeypatch)
        for _ in range(5):
            found = api.compare(namespace, wanted, ())
            assert all_equal(found.live, found.expected)
        assert written > before
        assert [method for method, path, _ in requests.seen if "/status" not in path] == ["GET"] * 10
        kubectl(kube, "annotate", "-n", namespace, "deployment/web", "x=y")
        kubectl(kube, "scale", "-n", namespace, "deployment/web", "--replicas=1")
        (_, changed) = api.compare(namespace, wanted, ()).expected
        assert changed.fields == {"spec.replicas": 0, "metadata.annotations.x": None}
    finally:
        over.set()
        writer.join()
