"""Jobs that take themselves away, autoscalers that nobody measures for, namespaces that nobody makes: on a real API
server with its controllers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.kubernetes import KubernetesApi
from reconciler.adapters.kubernetes.connection import Connection, NotFound
from reconciler.control.served import served
from reconciler.engine.diff import diff
from reconciler.errors import Permanent
from reconciler.model.change import Action, Class, Difference
from reconciler.model.resource import Component, Expected, Key, Observed
from reconciler.ports import Allowance
from reconciler.spec.render import objects

from .objects import IMAGE, Spoken, config, deployment, kubectl

pytestmark = pytest.mark.live

WORKLOADS = Component.WORKLOADS


@pytest.fixture
def connection(kube: Path) -> Connection:
    return Connection(kube, None, 20)


def _space(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _job(namespace: str, ttl: int, **spec: Any) -> dict[str, Any]:
    """Without completions to wait for it is done at once."""
    pod = {"restartPolicy": "Never", "containers": [{"name": "make", "image": IMAGE}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "certificate", "namespace": namespace},
        "spec": {"completions": 0, "ttlSecondsAfterFinished": ttl, "template": {"spec": pod}, **spec},
    }


class Done:
    """Hears what is done."""

    def __init__(self) -> None:
        self.within: dict[Key, str] = {}

    def allowance(self) -> Allowance:
        return Allowance(finished=self.within.__setitem__)


def _gone(connection: Connection, namespace: str) -> None:
    path, until = f"/apis/batch/v1/namespaces/{namespace}/jobs/certificate", time.monotonic() + 30
    while time.monotonic() < until:
        try:
            connection.get(path)
        except NotFound:
            return
        time.sleep(0.1)
    raise AssertionError("it stays")


def _seen(
    api: KubernetesApi, namespace: str, manifests: list[dict[str, Any]], applied: Expected | None = None
) -> tuple[tuple[Difference, ...], Expected]:
    """What a look makes of it beside what was applied, and what is recorded when all of it is in sync."""
    found = api.compare(namespace, manifests, ())
    expected = Expected({WORKLOADS: served(found.expected, manifests, {}).expected})
    return diff(expected, applied or Expected({}), Observed({WORKLOADS: found.live})), expected


@pytest.mark.parametrize("ttl", [0, 1])
def test_a_job_that_went_by_its_own_ttl_is_done_until_its_manifest_changes(
    api: KubernetesApi, connection: Connection, namespace: str, ttl: int
) -> None:
    manifests, done = [_space(namespace), _job(namespace, ttl)], Done()
    api.apply(namespace, manifests, Spoken(), done.allowance())
    key = objects.key(manifests[1])
    assert done.within == {key: connection.get(f"/api/v1/namespaces/{namespace}")["metadata"]["uid"]}
    _gone(connection, namespace)

    (unknown,), expected = _seen(api, namespace, manifests)
    assert (unknown.key, unknown.action) == (key, Action.CREATE)
    assert "perhaps again" in unknown.why, "nobody remembers, and that is said"
    (word,), _ = _seen(api, namespace, manifests, expected)
    assert (word.cls, word.action) == (Class.IGNORED, Action.NONE)
    assert "done until its manifest changes" in word.why

    changed = [manifests[0], _job(namespace, ttl, backoffLimit=3)]
    (again,), _ = _seen(api, namespace, changed, expected)
    assert (again.cls, again.action) == (Class.PENDING, Action.CREATE)
    api.settle(namespace, manifests, Spoken())  # a later wave does not wait for it


def test_in_a_namespace_that_was_made_anew_nothing_was_done(
    kube: Path, api: KubernetesApi, connection: Connection, namespace: str
) -> None:
    manifests = [_space(namespace), _job(namespace, 0)]
    api.apply(namespace, manifests, Spoken())
    _gone(connection, namespace)
    _, expected = _seen(api, namespace, manifests)
    kubectl(kube, "delete", "namespace", namespace, "--timeout=60s")
    kubectl(kube, "create", "namespace", namespace)
    differences, _ = _seen(api, namespace, manifests, expected)
    assert [d.action for d in differences if d.key.kind == "Job"] == [Action.CREATE]


def test_a_job_that_failed_and_went_is_told_and_not_done(api: KubernetesApi, namespace: str) -> None:
    failing, done = _job(namespace, 0, completions=1, activeDeadlineSeconds=1), Done()
    failing["spec"]["template"]["spec"]["nodeSelector"] = {"no": "such"}
    with pytest.raises(Permanent, match=r"Job .*/certificate failed \(.*DeadlineExceeded|was active longer"):
        api.apply(namespace, [_space(namespace), failing], Spoken(), done.allowance())
    assert done.within == {}


def _scaler(namespace: str, name: str, metric: dict[str, Any]) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    spec = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 3, "metrics": [metric]}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": spec}


_CPU = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
}
_QUEUE = {
    "type": "External",
    "external": {"metric": {"name": "queue"}, "target": {"type": "AverageValue", "averageValue": "30"}},
}


def _api_service(group: str) -> dict[str, Any]:
    """Registered, and nobody is behind it."""
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"v1beta1.{group}"},
        "spec": {
            "group": group,
            "version": "v1beta1",
            "insecureSkipTLSVerify": True,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "service": {"name": "nobody", "namespace": "default"},
        },
    }


@pytest.mark.parametrize("registered", [(), ("metrics.k8s.io", "external.metrics.k8s.io")], ids=["missing", "down"])
def test_an_autoscaler_is_not_waited_for_where_nobody_measures(
    kube: Path, connection: Connection, namespace: str, registered: tuple[str, ...]
) -> None:
    web = deployment(namespace, "web", 1, {"app": "x"}, {"name": "web", "image": IMAGE, "resources": {}})
    scalers = [_scaler(namespace, "cpu", _CPU), _scaler(namespace, "queue", _QUEUE)]
    for group in registered:
        kubectl(kube, "create", "-f", "-", stdin=_api_service(group))
    try:
        progress, started = Spoken(), time.monotonic()
        KubernetesApi(kube, wait=120).apply(namespace, [_space(namespace), web, *scalers], progress)
        assert time.monotonic() - started < 45
        told = [text for text in progress.said if text.endswith("not waited for any longer")]
        assert {text.partition(":")[0].rpartition("/")[2] for text in told} == {"cpu", "queue"}
        found = KubernetesApi(kube).compare(namespace, [_space(namespace), web, *scalers], ())
        assert not [r for r in found.expected if r.fields.keys() - {"spec.replicas"}]
    finally:
        for group in registered:
            kubectl(kube, "delete", "apiservice", f"v1beta1.{group}", "--ignore-not-found")


def test_what_lies_in_a_namespace_that_nobody_makes_waits_and_says_so(
    kube: Path, api: KubernetesApi, namespace: str
) -> None:
    lost, other = config(namespace, "lost", {"a": "1"}), config("default", f"there-{namespace}", {"a": "1"})
    differences, _ = _seen(api, namespace, [lost, other])
    why = {d.key.name: d for d in differences}
    assert why[f"{namespace}/lost"].action is Action.NONE
    assert f"waits for the namespace {namespace}, which is not there" in why[f"{namespace}/lost"].why
    assert why[f"default/there-{namespace}"].action is Action.CREATE

    made, _ = _seen(api, namespace, [lost, _space(namespace)])
    assert {d.action for d in made} == {Action.CREATE}, "git makes it"
    kubectl(kube, "create", "namespace", namespace)
    (there,), _ = _seen(api, namespace, [lost])
    assert there.action is Action.CREATE
