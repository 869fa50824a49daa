"""What is waited for, and what a rollout that fails says: on a real API server, statuses written as by controllers."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.kubernetes import KubernetesApi
from reconciler.adapters.kubernetes.connection import MERGE_PATCH, Connection, NotFound
from reconciler.errors import Permanent
from reconciler.ports import Allowance
from reconciler.spec.render import objects

from .objects import IMAGE, Requests, Spoken, kubectl

pytestmark = pytest.mark.live


@pytest.fixture
def connection(kube: Path) -> Connection:
    return Connection(kube, None, 20)


def _space(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _ingress(namespace: str, name: str, class_name: str) -> dict[str, Any]:
    backend = {"service": {"name": "x", "port": {"number": 80}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"ingressClassName": class_name, "defaultBackend": backend},
    }


def test_an_ingress_is_waited_for_where_its_class_is(kube: Path, connection: Connection, namespace: str) -> None:
    served = {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": namespace}}
    manifests = [
        _space(namespace),
        served | {"spec": {"controller": "example.org/ingress"}},
        _ingress(namespace, "nobodys", "no-such-class"),
        _ingress(namespace, "served", namespace),
    ]
    path = f"/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses/served"
    address = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}}
    written: list[float] = []

    def controller() -> None:
        while not written:
            time.sleep(1)
            try:
                connection.request("PATCH", f"{path}/status", body=address, content_type=MERGE_PATCH)
            except NotFound:
                continue
            written.append(time.monotonic())

    thread = threading.Thread(target=controller)
    thread.start()
    try:
        KubernetesApi(kube, wait=50).apply(namespace, manifests, Spoken())
        assert written, "it was not waited for"
    finally:
        thread.join()
        kubectl(kube, "delete", "ingressclass", namespace, "--ignore-not-found")


def test_an_address_nobody_writes_is_told_and_not_waited_for_longer(
    kube: Path, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.adapters.kubernetes.rollout.WELCOME_SECONDS", 1.0)
    served = {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": namespace}}
    manifests = [
        _space(namespace),
        served | {"spec": {"controller": "example.org/ingress"}},
        _ingress(namespace, "a", namespace),
    ]
    progress = Spoken()
    try:
        KubernetesApi(kube, wait=50).apply(namespace, manifests, progress)
    finally:
        kubectl(kube, "delete", "ingressclass", namespace, "--ignore-not-found")
    assert f"Ingress {namespace}/a: has no address yet; not waited for any longer" in progress.said


def test_a_load_balancer_without_an_address_fails_in_its_own_time(kube: Path, namespace: str) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "front", "namespace": namespace},
        "spec": {"type": "LoadBalancer", "selector": {"app": "x"}, "ports": [{"port": 80}]},
    }
    allowance = Allowance(patience={objects.key(service): 1.0})
    with pytest.raises(Permanent, match=rf"Service {namespace}/front is not healthy after 1 s \(has no address"):
        KubernetesApi(kube, wait=60).apply(namespace, [_space(namespace), service], Spoken(), allowance)


def test_a_pod_that_crashes_names_its_container_and_asks_for_its_last_lines(
    kube: Path, connection: Connection, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "once", "namespace": namespace},
        # no kubelet of this cluster runs it, so that its status is ours to write
        "spec": {"nodeName": "nowhere", "containers": [{"name": "work", "image": IMAGE}]},
    }
    api = KubernetesApi(kube, wait=1)
    with pytest.raises(Permanent):
        api.apply(namespace, [_space(namespace), pod], Spoken())
    crashed = {
        "name": "work", "image": IMAGE, "imageID": "x", "ready": False, "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
        "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}},
    }  # fmt: skip
    path = f"/api/v1/namespaces/{namespace}/pods/once"
    status = {"status": {"phase": "Running", "containerStatuses": [crashed]}}
    connection.request("PATCH", f"{path}/status", body=status, content_type=MERGE_PATCH)
    requests = Requests(monkeypatch)
    said = "pod once, container work: CrashLoopBackOff: back-off \\(last exit code 3\\)"
    with pytest.raises(Permanent, match=said) as caught:
        api.settle(namespace, [pod], Spoken())
    assert caught.value.hint == f"look closer: kubectl -n {namespace} logs once -c work --previous"
    (asked,) = [(path_, query) for _, path_, query in requests.seen if path_.endswith("/log")]
    assert asked == (f"{path}/log", {"container": "work", "tailLines": "10", "previous": "true"})
    assert caught.value.evidence is None, "there is no kubelet to say more"

    monkeypatch.setattr(Connection, "text", lambda *_, **__: "one\ntwo \x1b[31mred\npassword=hunter2\n")
    with pytest.raises(Permanent) as caught:
        api.settle(namespace, [pod], Spoken())
    evidence = caught.value.evidence
    assert evidence is not None
    assert evidence.private
    assert evidence.last_lines == ("one", "two \\u001b[31mred", "password=hunter2")
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"
    kubectl(kube, "delete", "pod", "once", "-n", namespace, "--force", "--grace-period=0")
