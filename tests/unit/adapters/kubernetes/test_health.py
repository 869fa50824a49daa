"""When an object is healthy, and what is said of one that is not: cases a simulated kubelet never gets into."""

from __future__ import annotations

from typing import Any, cast

import pytest

from reconciler.adapters.kubernetes.connection import Connection
from reconciler.adapters.kubernetes.health import Health, health
from reconciler.adapters.kubernetes.reasons import of_pod, trouble


def obj(kind: str, spec: dict[str, Any], status: dict[str, Any], generation: int = 1) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "x", "generation": generation}, "spec": spec, "status": status}


def rolled(**status: Any) -> dict[str, Any]:
    return {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, **status}


@pytest.mark.parametrize(
    ("thing", "ok"),
    [
        (obj("Deployment", {"replicas": 2}, rolled()), True),
        (obj("Deployment", {"replicas": 2}, rolled(), generation=2), False),  # speaks of the spec before
        (obj("Deployment", {"replicas": 2}, rolled(replicas=3)), False),  # an old pod is left
        (obj("Deployment", {"replicas": 2}, rolled(availableReplicas=1)), False),
        (obj("Deployment", {"replicas": 0}, {"observedGeneration": 1}), True),
        (obj("Deployment", {"replicas": 1}, {}), False),
        (
            obj("StatefulSet", {"replicas": 1}, {"observedGeneration": 1, "readyReplicas": 1, "updatedReplicas": 1}),
            True,
        ),
        (obj("StatefulSet", {"replicas": 1}, {"observedGeneration": 1, "readyReplicas": 1}), False),
        (
            obj(
                "StatefulSet",
                {"replicas": 1, "updateStrategy": {"type": "OnDelete"}},
                {"observedGeneration": 1, "readyReplicas": 1},
            ),
            True,
        ),
        (obj("DaemonSet", {}, {"observedGeneration": 1, "desiredNumberScheduled": 0}), True),
        (obj("DaemonSet", {}, {"observedGeneration": 1, "desiredNumberScheduled": 2, "numberAvailable": 2}), False),
        (obj("Job", {}, {"conditions": [{"type": "Complete", "status": "True"}]}), True),
        (obj("Job", {"suspend": True}, {}), True),
        (obj("Job", {}, {}), False),
        (obj("PersistentVolumeClaim", {}, {"phase": "Bound"}), True),
        (obj("PersistentVolumeClaim", {}, {}), False),
        (obj("CustomResourceDefinition", {}, {"conditions": [{"type": "Established", "status": "True"}]}), True),
        (obj("CustomResourceDefinition", {}, {}), False),
        (obj("ConfigMap", {}, {}), True),
        (obj("ReplicaSet", {"replicas": 2}, rolled(availableReplicas=1)), False),
        (obj("ReplicaSet", {"replicas": 2}, rolled()), True),
        (obj("Pod", {}, {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}), True),
        (obj("Pod", {}, {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}), False),
        (obj("Pod", {}, {"phase": "Succeeded"}), True),
        (obj("Service", {"type": "ClusterIP"}, {"loadBalancer": {}}), True),
        (obj("Service", {"type": "LoadBalancer"}, {"loadBalancer": {}}), False),
        (obj("Service", {"type": "LoadBalancer"}, {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}), True),
        (obj("Ingress", {}, {"loadBalancer": {}}), False),
        (obj("Ingress", {}, {"loadBalancer": {"ingress": [{"hostname": "a"}]}}), True),
        (obj("HorizontalPodAutoscaler", {}, {}), False),
        (obj("HorizontalPodAutoscaler", {}, {"conditions": [{"type": "ScalingActive", "status": "True"}]}), True),
        (
            obj(
                "HorizontalPodAutoscaler",
                {},
                {"conditions": [{"type": "ScalingActive", "status": "False", "reason": "ScalingDisabled"}]},
            ),
            True,
        ),
        (obj("HorizontalPodAutoscaler", {}, {"conditions": [{"type": "AbleToScale", "status": "False"}]}), False),
        (obj("PodDisruptionBudget", {}, {"observedGeneration": 1}), True),
        (obj("PodDisruptionBudget", {}, {}), False),
        (obj("APIService", {}, {"conditions": [{"type": "Available", "status": "True"}]}), True),
        (obj("APIService", {}, {"conditions": [{"type": "Available", "status": "False"}]}), False),
        (obj("Database", {}, {}), True),
        (obj("Database", {}, {"observedGeneration": 0}), False),
        (obj("Database", {}, {"conditions": [{"type": "Ready", "status": "True"}]}), True),
        (obj("Database", {}, {"conditions": [{"type": "Ready", "status": "Unknown"}]}), False),
        (obj("Database", {}, {"conditions": [{"type": "Ready", "status": "True", "observedGeneration": 0}]}), False),
        (obj("Database", {}, {"conditions": [{"type": "Reconciling", "status": "True"}]}), False),
        (obj("Job", {}, {}) | {"apiVersion": "batch.volcano.sh/v1"}, True),  # somebody else's Job
    ],
)
def test_healthy_is_what_the_newest_spec_became(thing: dict[str, Any], ok: bool) -> None:
    found = health(thing)
    assert found.ok is ok
    assert not found.failed


def test_what_will_not_get_better_by_waiting() -> None:
    stuck = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "too late"}
    failed = {"type": "Failed", "status": "True", "message": "backoff limit"}
    assert health(obj("Job", {}, {"conditions": [failed]})) == Health(False, "backoff limit", failed=True)
    late = obj("Deployment", {"replicas": 2}, rolled(availableReplicas=0, conditions=[stuck]))
    assert health(late) == Health(False, "too late", failed=True)
    assert not health(late | {"metadata": {"name": "x", "generation": 2}}).failed  # that was the spec before
    assert health(obj("PersistentVolumeClaim", {}, {"phase": "Lost"})).failed
    assert health(obj("Pod", {}, {"phase": "Failed"})).failed
    stalled = {"type": "Stalled", "status": "True", "reason": "BadChart", "message": "no such chart"}
    assert health(obj("Release", {}, {"conditions": [stalled]})) == Health(
        False, "BadChart: no such chart", failed=True
    )


def test_what_perhaps_nobody_ever_says_is_no_failure() -> None:
    assert health(obj("Ingress", {}, {})).optional
    blind = {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": "no metrics"}
    found = health(obj("HorizontalPodAutoscaler", {}, {"conditions": [blind]}))
    assert (found.optional, found.detail) == (True, "FailedGetResourceMetric: no metrics")
    lost = {"type": "AbleToScale", "status": "False", "reason": "FailedGetScale"}
    assert not health(obj("HorizontalPodAutoscaler", {}, {"conditions": [lost]})).optional


def test_of_a_container_that_ran_the_last_lines_are_asked_for() -> None:
    again = {"waiting": {"reason": "CrashLoopBackOff"}}
    ended = {"terminated": {"exitCode": 1, "reason": "Error"}}
    crashed = of_pod(pod({"name": "a", "state": again, "lastState": ended}))
    assert (crashed.container, crashed.previous) == ("a", True)
    assert crashed.command.endswith("logs web-1 -c a --previous")
    running = of_pod(pod({"name": "a", "ready": False, "state": {"running": {}}}))
    assert (running.container, running.previous) == ("a", False)
    assert of_pod(pod({"name": "a", "state": {"waiting": {"reason": "ErrImagePull"}}})).container == ""


def pod(*containers: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web-1"}, "status": {"containerStatuses": list(containers), **status}}


@pytest.mark.parametrize(
    ("thing", "said"),
    [
        (pod({"name": "a", "ready": True, "state": {"running": {}}}), ""),
        (
            pod({"name": "a", "state": {"waiting": {"reason": "ImagePullBackOff", "message": 'image "x"'}}}),
            'pod web-1, container a: ImagePullBackOff: image "x"',
        ),
        (
            pod(
                {
                    "name": "a",
                    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                    "lastState": {"terminated": {"exitCode": 137}},
                }
            ),
            "pod web-1, container a: CrashLoopBackOff (last exit code 137)",
        ),
        (
            pod({"name": "a", "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}),
            "pod web-1, container a: Error (exit code 1)",
        ),
        (
            pod({"name": "a", "ready": False, "state": {"running": {}}}),
            "pod web-1, container a: runs, but its readiness probe does not pass",
        ),
        (pod({"name": "a", "state": {"waiting": {"reason": "ContainerCreating"}}}), ""),
        (
            pod(conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1"}]),
            "pod web-1: Unschedulable: 0/1",
        ),
        (
            pod(
                {"name": "b", "ready": False, "state": {"waiting": {"reason": "PodInitializing"}}},
                initContainerStatuses=[{"name": "a", "state": {"waiting": {"reason": "ErrImagePull"}}}],
            ),
            "pod web-1, container a: ErrImagePull",
        ),
    ],
)
def test_a_pods_trouble_in_one_sentence(thing: dict[str, Any], said: str) -> None:
    assert of_pod(thing).text == said


READY = {"type": "Ready", "status": "True"}


@pytest.mark.parametrize(
    ("status", "ok"),
    [
        ("ready", True),
        (["ready"], True),
        ({"conditions": "Ready"}, True),
        ({"conditions": {"type": "Ready"}}, True),
        ({"conditions": ["Ready", None, {**READY, "status": "False"}]}, False),
        ({"conditions": [{**READY, "observedGeneration": "one"}]}, True),
        ({"conditions": [{**READY, "observedGeneration": 0}]}, False),
        ({"observedGeneration": None, "conditions": [READY]}, True),
        ({"observedGeneration": "one"}, True),
    ],
)
def test_a_status_of_any_shape_is_read(status: Any, ok: bool) -> None:
    """What its definition does not say, whoever has the rights may write."""
    thing = {**obj("Widget", {}, {}), "apiVersion": "example.org/v1", "status": status}
    assert health(thing).ok is ok


@pytest.mark.parametrize(
    "spec", [{"selector": "app=x", "template": {}}, {"selector": {"matchLabels": ["app"]}}, "text"]
)
@pytest.mark.parametrize("conditions", ["none", [None, {"reason": "odd"}], [{"type": "Stalled", "status": "True"}]])
def test_what_keeps_an_object_of_any_shape_is_asked_for_without_a_word_too_many(spec: Any, conditions: Any) -> None:
    class Server:
        def items(self, _: str, **__: str) -> list[dict[str, Any]]:
            return [{"reason": "Odd", "message": "is its event"}]

    thing = {**obj("Widget", {}, {}), "spec": spec, "status": {"conditions": conditions}}
    thing["metadata"] |= {"namespace": "sid", "uid": "u"}
    assert trouble(cast(Connection, Server()), thing).text == "Odd: is its event"
